#include "agent/http/head_lines.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "agent/http/field_syntax.h"

namespace sallyport::agent {
namespace {

constexpr std::string_view kHeadEnd = "\r\n\r\n";
constexpr std::string_view kParamPrefix = "mcp-param-";

// Two of these could mean two things to two readers, and so could two of one mcp-param-* name.
constexpr std::array<std::string_view, 15> kOnce = {
    "authorization",  "connection",    "content-encoding",
    "content-length", "content-type",  "expect",
    "host",           "last-event-id", "location",
    "mcp-method",     "mcp-name",      "mcp-protocol-version",
    "mcp-session-id", "origin",        "transfer-encoding"};

std::size_t OnceIndex(std::string_view name) {
  for (std::size_t i = 0; i < kOnce.size(); ++i) {
    if (kOnce[i] == name) return i;
  }
  return kOnce.size();
}

// Plain digits that fit; no sign, no list, no leading zero.
std::optional<std::uint64_t> ParseLength(std::string_view text) {
  if (text.empty() || text.size() > 18 || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

// Whether a list of tokens names one; nullopt when it is no list of tokens.
std::optional<bool> HasToken(std::string_view list, std::string_view token) {
  bool has_token = false;
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    const std::string_view one = TrimFieldSpace(list.substr(0, end));
    if (!one.empty() && !IsToken(one)) return std::nullopt;
    has_token = has_token || EqualsNoCase(one, token);
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return has_token;
}

}  // namespace

bool HeadLines::IsComplete(std::string_view head) {
  return head.size() >= kHeadEnd.size() && head.substr(head.size() - kHeadEnd.size()) == kHeadEnd;
}

std::size_t HeadLines::Collect(std::string_view bytes, std::string& head, const HttpLimits& limits,
                               HttpError& error) {
  const std::size_t old_size = head.size();
  const std::size_t room = limits.request_line + limits.head + kHeadEnd.size();
  const std::size_t taken = std::min(bytes.size(), room + 1 - std::min(old_size, room));
  head.append(bytes.substr(0, taken));
  for (std::size_t at = old_size; at < head.size();) {
    const void* found = std::memchr(head.data() + at, '\n', head.size() - at);
    if (found == nullptr) break;
    const auto lf = static_cast<std::size_t>(static_cast<const char*>(found) - head.data());
    if (lf == 0 || head[lf - 1] != '\r') {
      error = {400, "a line ends without CR"};
      return taken;
    }
    if (lf == 1) {
      error = {400, "an empty line before the message"};
      return taken;
    }
    if (lf >= 3 && head[lf - 2] == '\n') {  // the empty line: the head ends here
      const std::size_t used = taken - (head.size() - (lf + 1));
      head.resize(lf + 1);
      return used;
    }
    at = lf + 1;
  }
  const std::size_t first_line = std::min(head.find('\n'), head.size());
  if (first_line > limits.request_line + 1) {
    error = {431, "the first line is too long"};
  } else if (head.size() > room) {
    error = {431, "the head is too long"};
  }
  return taken;
}

HttpError HeadLines::SplitField(std::span<char> bytes, const HttpLimits& limits,
                                std::string_view& name, std::string_view& value) {
  const std::string_view line(bytes.data(), bytes.size());
  if (line.front() == ' ' || line.front() == '\t') return {400, "a folded field"};
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return {400, "a field without a colon"};
  name = line.substr(0, colon);
  if (!IsToken(name)) return {400, "a field name is not a token"};
  for (char& c : bytes.first(colon)) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  value = TrimFieldSpace(line.substr(colon + 1));
  if (!IsFieldText(value)) return {400, "a control character in a field"};
  const bool is_authorization = name == "authorization";
  if (line.size() > (is_authorization ? limits.authorization : limits.field)) {
    return {431, "a field is too long"};
  }
  return {};
}

bool HeadLines::IsFraming(std::string_view name) {
  return name == "content-length" || name == "transfer-encoding" || name == "connection" ||
         name == "host";
}

HttpError HeadLines::Judge(std::string_view name, std::string_view value, Framing& framing) {
  if (name == "content-length") {
    framing.length = ParseLength(value);
    if (!framing.length.has_value()) return {400, "content-length is not a plain number"};
  } else if (name == "transfer-encoding") {
    if (!EqualsNoCase(value, "chunked")) return {400, "transfer-encoding is not chunked alone"};
    framing.is_chunked = true;
  } else if (name == "content-encoding") {
    framing.is_encoded = !EqualsNoCase(value, "identity");
  } else if (name == "connection") {
    const std::optional<bool> is_closing = HasToken(value, "close");
    if (!is_closing.has_value()) return {400, "connection is not a list of tokens"};
    framing.is_closing = *is_closing;
  } else if (name == "expect") {
    framing.has_expectation = true;
    framing.expects_continue = EqualsNoCase(value, "100-continue");
  } else if (name == "host") {
    ++framing.hosts;
  }
  return {};
}

HttpError HeadLines::Parse(std::string& head, const HttpLimits& limits, HttpFields& fields,
                           std::string_view& start_line, Framing& framing) {
  fields.Clear();
  fields.head_.swap(head);
  const std::string_view text = fields.head_;
  const std::size_t first_end = text.find("\r\n");
  start_line = text.substr(0, first_end);
  if (start_line.size() > limits.request_line) return {431, "the first line is too long"};
  if (text.size() - first_end > limits.head + kHeadEnd.size()) return {431, "the head is too long"};
  if (text.find('\0') != std::string_view::npos) return {400, "a NUL in the head"};

  std::array<bool, kOnce.size()> seen{};
  std::size_t at = first_end + 2;
  while (at + 2 < text.size()) {
    const std::size_t end = text.find("\r\n", at);
    std::string_view name;
    std::string_view value;
    if (HttpError error = SplitField({fields.head_.data() + at, end - at}, limits, name, value))
      return error;
    if (fields.fields_.size() == limits.fields) return {431, "too many fields"};
    if (const std::size_t once = OnceIndex(name); once != kOnce.size()) {
      if (seen[once]) return {400, "a field that may stand once stands twice"};
      seen[once] = true;
    } else if (name.starts_with(kParamPrefix) && fields.Find(name)) {
      return {400, "a field that may stand once stands twice"};
    }
    if (HttpError error = Judge(name, value, framing)) return error;
    fields.fields_.push_back({static_cast<std::uint32_t>(name.data() - text.data()),
                              static_cast<std::uint32_t>(name.size()),
                              static_cast<std::uint32_t>(value.data() - text.data()),
                              static_cast<std::uint32_t>(value.size())});
    at = end + 2;
  }
  if (framing.is_chunked && framing.length.has_value()) {
    return {400, "both content-length and transfer-encoding"};
  }
  return {};
}

void LastHead::Keep(std::string_view head, const HttpFields& fields,
                    const HeadLines::Framing& framing) {
  bytes_.assign(head);
  framing_ = framing;
  length_at_ = length_size_ = 0;
  if (const auto length = fields.Find("content-length")) {
    length_at_ = static_cast<std::size_t>(length->data() - fields.head_.data());
    length_size_ = length->size();
  }
}

bool LastHead::IsSaidAgain(std::string_view head, HttpFields& fields) {
  const std::string_view kept = bytes_;
  const std::size_t behind = length_at_ + length_size_;
  if (kept.empty() || head.size() != kept.size() || fields.head_.size() != kept.size() ||
      head.substr(0, length_at_) != kept.substr(0, length_at_) ||
      head.substr(behind) != kept.substr(behind)) {
    return false;
  }
  const std::string_view number = head.substr(length_at_, length_size_);
  if (number == kept.substr(length_at_, length_size_)) return true;
  const std::optional<std::uint64_t> length = ParseLength(number);
  if (!length.has_value()) return false;
  framing_.length = length;
  bytes_.replace(length_at_, length_size_, number);
  fields.head_.replace(length_at_, length_size_, number);
  return true;
}

}  // namespace sallyport::agent
