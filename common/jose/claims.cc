#include "common/jose/claims.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "absl/status/status.h"

namespace sallyport::jose {
namespace {

using Json = nlohmann::json;

constexpr double kYear10000 = 253402300800;
constexpr std::size_t kMaxTextBytes = 1024;

absl::Status Bad(const std::string& why) { return absl::InvalidArgumentError(why); }

// nullopt: absent.
absl::StatusOr<std::optional<absl::Time>> Time(const Json& claims, const char* name) {
  const auto claim = claims.find(name);
  if (claim == claims.end()) return std::nullopt;
  if (!claim->is_number()) return Bad(std::string(name) + " is no number");
  const double seconds = claim->get<double>();
  if (!std::isfinite(seconds) || seconds < 0 || seconds >= kYear10000) {
    return Bad(std::string(name) + " is out of range");
  }
  return absl::UnixEpoch() + absl::Seconds(seconds);
}

absl::StatusOr<absl::Time> RequiredTime(const Json& claims, const char* name) {
  absl::StatusOr<std::optional<absl::Time>> time = Time(claims, name);
  if (!time.ok()) return time.status();
  if (!time->has_value()) return Bad(std::string(name) + " is missing");
  return **time;
}

}  // namespace

absl::StatusOr<TokenTimes> CheckTimes(const Json& claims, const TimeRules& rules, absl::Time now) {
  const absl::StatusOr<absl::Time> expires = RequiredTime(claims, "exp");
  if (!expires.ok()) return expires.status();
  const absl::StatusOr<absl::Time> issued = RequiredTime(claims, "iat");
  if (!issued.ok()) return issued.status();
  const absl::StatusOr<std::optional<absl::Time>> not_before = Time(claims, "nbf");
  if (!not_before.ok()) return not_before.status();

  if (*issued > now + rules.clock_skew) return Bad("iat is in the future");
  if (not_before->has_value() && **not_before > now + rules.clock_skew) {
    return Bad("nbf is in the future");
  }
  if (*expires - *issued > rules.max_lifetime) return Bad("exp is too long after iat");
  if (*expires + rules.clock_skew <= now) return absl::DeadlineExceededError("token has expired");
  return TokenTimes{*issued, *expires};
}

absl::StatusOr<std::vector<std::string>> Audiences(const Json& claims) {
  const auto claim = claims.find("aud");
  if (claim == claims.end()) return Bad("aud is missing");
  if (claim->is_string()) return std::vector{claim->get<std::string>()};
  if (!claim->is_array() || claim->empty()) return Bad("aud is neither a string nor a list");
  std::vector<std::string> audiences;
  for (const Json& audience : *claim) {
    if (!audience.is_string()) return Bad("aud has a member that is no string");
    audiences.push_back(audience.get<std::string>());
  }
  return audiences;
}

absl::StatusOr<std::string> TextClaim(const Json& claims, const std::string& name) {
  const auto claim = claims.find(name);
  if (claim == claims.end()) return Bad(name + " is missing");
  if (!claim->is_string()) return Bad(name + " is no string");
  const std::string& text = claim->get_ref<const std::string&>();
  if (!IsCleanText(text)) return Bad(name + " is empty, too long or has control characters");
  return text;
}

bool IsCleanText(std::string_view text) {
  if (text.empty() || text.size() > kMaxTextBytes) return false;
  unsigned char before = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_c1 = before == 0xc2 && byte < 0xa0;  // U+0080 to U+009F in UTF-8
    if (byte < 0x20 || byte == 0x7f || is_c1) return false;
    before = byte;
  }
  return true;
}

}  // namespace sallyport::jose
