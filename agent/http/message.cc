#include "agent/http/message.h"

#include "agent/http/field_syntax.h"

namespace sallyport::agent {
namespace {

// q=0, q=0.000: what the client says it will not take.
bool IsRefused(std::string_view parameters) {
  while (!parameters.empty()) {
    const std::size_t end = std::min(parameters.find(';'), parameters.size());
    const std::string_view one = TrimFieldSpace(parameters.substr(0, end));
    if (one.size() >= 3 && (one[0] == 'q' || one[0] == 'Q') && one[1] == '=') {
      return one.find_first_not_of("0.", 2) == std::string_view::npos;
    }
    parameters.remove_prefix(std::min(end + 1, parameters.size()));
  }
  return false;
}

bool Admits(std::string_view range, std::string_view type) {
  if (range == "*/*" || EqualsNoCase(range, type)) return true;
  return range.size() > 2 && range.substr(range.size() - 2) == "/*" &&
         EqualsNoCase(range.substr(0, range.size() - 1), type.substr(0, range.size() - 1));
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
  host.clear();
  fields.Clear();
  keep_alive = true;
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
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].name != "accept") continue;
    has_accept = true;
    std::string_view value = fields[i].value;
    while (!value.empty()) {
      const std::size_t end = std::min(value.find(','), value.size());
      const std::string_view one = value.substr(0, end);
      const std::size_t parameters = std::min(one.find(';'), one.size());
      const std::string_view range = TrimFieldSpace(one.substr(0, parameters));
      if (Admits(range, type)) {
        const bool is_refused = IsRefused(one.substr(std::min(parameters + 1, one.size())));
        // The exact type decides over a wildcard.
        if (EqualsNoCase(range, type)) return !is_refused;
        is_admitted = is_admitted || !is_refused;
      }
      value.remove_prefix(std::min(end + 1, value.size()));
    }
  }
  return is_admitted || !has_accept;
}

}  // namespace sallyport::agent
