#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

// The claims that every kind of token has, read strictly. Errors are kInvalidArgument and name the
// claim.
namespace sallyport::jose {

struct TimeRules {
  absl::Duration clock_skew = absl::Seconds(30);
  absl::Duration max_lifetime = absl::Hours(24);
};

struct TokenTimes {
  absl::Time issued_at;
  absl::Time expires_at;
};

// `exp` and `iat` are required, `nbf` is judged where it is there; all are finite numbers of
// seconds from 0 to the year 9999. kDeadlineExceeded: the token is right and its time is over.
absl::StatusOr<TokenTimes> CheckTimes(const nlohmann::json& claims, const TimeRules& rules,
                                      absl::Time now);

// `aud`: a string or a list of strings, not empty.
absl::StatusOr<std::vector<std::string>> Audiences(const nlohmann::json& claims);

// A string claim that is there and clean (below).
absl::StatusOr<std::string> TextClaim(const nlohmann::json& claims, const std::string& name);

// 1 to 1024 bytes without control characters (C0, DEL, C1): what may name somebody.
bool IsCleanText(std::string_view text);

}  // namespace sallyport::jose
