#include "agent/control/join_string.h"

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "common/denial.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

constexpr std::string_view kPrefix = "sallyport-join:1:";
constexpr std::size_t kPinDigits = 64;
constexpr std::size_t kMaxBytes = 1024;

absl::Status Bad(std::string_view why) {
  return Denied(types::v1::DENIAL_REASON_JOIN_TOKEN_INVALID,
                std::string("the join string is not one: ") + std::string(why));
}

// Takes what stands after the last colon off the end of `text`.
std::string_view TakeLastPart(std::string_view& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return {};
  const std::string_view part = text.substr(colon + 1);
  text = text.substr(0, colon);
  return part;
}

bool IsAddress(std::string_view address) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  int port = 0;
  if (!absl::SimpleAtoi(ToAbsl(address.substr(colon + 1)), &port) || port < 1 || port > 65535)
    return false;
  std::string_view host = address.substr(0, colon);
  const bool is_bracketed = host.starts_with('[') && host.ends_with(']') && host.size() > 2;
  if (is_bracketed) host = host.substr(1, host.size() - 2);
  const std::string_view letters = is_bracketed ? "0123456789abcdefABCDEF:." : "-.";
  for (char c : host) {
    const bool is_word = !is_bracketed && absl::ascii_isalnum(static_cast<unsigned char>(c));
    if (!is_word && letters.find(c) == std::string_view::npos) return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<JoinString> ParseJoinString(std::string_view text) {
  text = ToStd(absl::StripAsciiWhitespace(ToAbsl(text)));
  if (text.size() > kMaxBytes) return Bad("it is too long");
  if (!text.starts_with(kPrefix)) return Bad("it does not begin with sallyport-join:1:");
  text.remove_prefix(kPrefix.size());
  // From the end, for an address may hold colons.
  JoinString join;
  join.secret = std::string(TakeLastPart(text));
  join.ca_pin = std::string(TakeLastPart(text));
  join.address = std::string(text);
  if (join.secret.empty()) return Bad("it has no secret");
  if (join.ca_pin.size() != kPinDigits ||
      join.ca_pin.find_first_not_of("0123456789abcdef") != std::string::npos) {
    return Bad("its fingerprint is not 64 lower-case hex digits");
  }
  if (!IsAddress(join.address)) return Bad("its address is not host:port");
  return join;
}

}  // namespace sallyport::agent
