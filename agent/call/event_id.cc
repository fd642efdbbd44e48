#include "agent/call/event_id.h"

#include <charconv>

namespace sallyport::agent {
namespace {

void AppendNumber(std::string& out, std::uint64_t n) {
  char digits[20];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, n).ptr);
}

// All of `text`, without a leading zero or a sign.
std::optional<std::uint64_t> Number(std::string_view text) {
  if (text.empty() || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  std::uint64_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return n;
}

}  // namespace

void AppendEventId(std::string& out, const EventId& id) {
  out.append(id.session).push_back('-');
  AppendNumber(out, id.stream);
  out.push_back('-');
  AppendNumber(out, id.n);
}

std::optional<EventId> ParseEventId(std::string_view text) {
  const std::size_t first = text.find('-');
  if (first == std::string_view::npos) return std::nullopt;
  const std::size_t second = text.find('-', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  const auto stream = Number(text.substr(first + 1, second - first - 1));
  const auto n = Number(text.substr(second + 1));
  if (!stream || !n) return std::nullopt;
  return EventId{text.substr(0, first), *stream, *n};
}

}  // namespace sallyport::agent
