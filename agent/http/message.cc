#include "agent/http/message.h"

#include "agent/http/field_syntax.h"

namespace sallyport::agent {
namespace {

// The q of a media range in thousandths, 1000 where it has none; 0 is what the client will not
// take.
int Weight(std::string_view parameters) {
  while (!parameters.empty()) {
    const std::size_t end = std::min(parameters.find(';'), parameters.size());
    const std::string_view one = TrimFieldSpace(parameters.substr(0, end));
    if (one.size() >= 2 && (one[0] == 'q' || one[0] == 'Q') && one[1] == '=') {
      int weight = 0;
      int place = 1000;
      for (const char c : one.substr(2)) {
        if (c == '.') continue;
        if (c < '0' || c > '9') return 1000;
        weight += (c - '0') * place;
        place /= 10;
      }
      return std::min(weight, 1000);
    }
    parameters.remove_prefix(std::min(end + 1, parameters.size()));
  }
  return 1000;
}

bool Admits(std::string_view range, std::string_view type) {
  if (range == "*/*" || EqualsNoCase(range, type)) return true;
  return range.size() > 2 && range.substr(range.size() - 2) == "/*" &&
         EqualsNoCase(range.substr(0, range.size() - 1), type.substr(0, range.size() - 1));
}

// Each media range of the Accept fields, in their order.
template <class Each>
void ForEachRange(const HttpFields& fields, Each each) {
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].name != "accept") continue;
    std::string_view value = fields[i].value;
    while (!value.empty()) {
      const std::size_t end = std::min(value.find(','), value.size());
      const std::string_view one = value.substr(0, end);
      const std::size_t parameters = std::min(one.find(';'), one.size());
      each(TrimFieldSpace(one.substr(0, parameters)),
           Weight(one.substr(std::min(parameters + 1, one.size()))));
      value.remove_prefix(std::min(end + 1, value.size()));
    }
  }
}

}  // namespace

std::optional<std::string_view> HttpFields::Find(std::string_view lower_case_name) const {
  for (const Place& place : fields_) {
    if (std::string_view(head_).substr(place.name, place.name_size) == lower_case_name) {
      return std::string_view(head_).substr(place.value, place.value_size);
    }
  }
  return std::nullopt;
}

HttpFields::Field HttpFields::operator[](std::size_t i) const {
  const Place& place = fields_[i];
  const std::string_view head = head_;
  return {head.substr(place.name, place.name_size), head.substr(place.value, place.value_size)};
}

void HttpFields::Clear() {
  head_.clear();
  fields_.clear();
}

void HttpRequest::Clear() {
  method = HttpMethod::kGet;
  target.clear();
  scheme = UriScheme::kNone;
  host.clear();
  fields.Clear();
  keep_alive = true;
  takes_chunks = true;
  expects_continue = false;
  has_body = false;
  body.clear();
}

void HttpResponse::Clear() {
  status = 0;
  fields.Clear();
  keep_alive = true;
  body.clear();
}

bool IsMediaType(std::string_view content_type, std::string_view type) {
  const std::size_t end = std::min(content_type.find(';'), content_type.size());
  if (!EqualsNoCase(TrimFieldSpace(content_type.substr(0, end)), type)) return false;
  std::string_view parameters = content_type.substr(end);
  while (!parameters.empty()) {
    parameters.remove_prefix(1);
    const std::size_t next = std::min(parameters.find(';'), parameters.size());
    const std::string_view one = TrimFieldSpace(parameters.substr(0, next));
    constexpr std::string_view kCharset = "charset=";
    if (one.size() >= kCharset.size() && EqualsNoCase(one.substr(0, kCharset.size()), kCharset)) {
      const std::string_view charset = one.substr(kCharset.size());
      if (!EqualsNoCase(charset, "utf-8") && !EqualsNoCase(charset, "\"utf-8\"")) return false;
    }
    parameters.remove_prefix(next);
  }
  return true;
}

bool Accepts(const HttpFields& fields, std::string_view type) {
  bool has_accept = false;
  bool is_admitted = false;
  std::optional<bool> exact;
  ForEachRange(fields, [&](std::string_view range, int weight) {
    has_accept = true;
    // The exact type decides over a wildcard.
    if (EqualsNoCase(range, type) && !exact) exact = weight > 0;
    if (Admits(range, type)) is_admitted = is_admitted || weight > 0;
  });
  return exact.value_or(is_admitted || !has_accept);
}

bool Prefers(const HttpFields& fields, std::string_view type, std::string_view to) {
  int type_weight = 0;
  int to_weight = 0;
  bool is_first = false;
  ForEachRange(fields, [&](std::string_view range, int weight) {
    if (EqualsNoCase(range, type)) {
      type_weight = weight;
      is_first = to_weight == 0;
    } else if (EqualsNoCase(range, to)) {
      to_weight = weight;
    }
  });
  return type_weight > to_weight || (type_weight == to_weight && is_first && type_weight > 0);
}

}  // namespace sallyport::agent
