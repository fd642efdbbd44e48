#pragma once

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/repeated_field.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "sallyport/types/v1/policy.pb.h"

// What each part of a document must be by itself. Errors are kInvalidArgument and begin with the
// place, a path of keys such as `session.limits[1]`. For this folder alone.
namespace sallyport {

inline constexpr std::uint32_t kMostApprovers = 20;

absl::Status WrongAt(std::string_view place, std::string_view what);
absl::Status InPlace(std::string_view place, const absl::Status& status);

// Written realm:group or realm:subject.
absl::Status CheckRealmName(std::string_view place, std::string_view name);
absl::Status CheckRange(std::string_view place, const google::protobuf::Duration& duration,
                        absl::Duration shortest, absl::Duration longest);
absl::Status CheckCount(std::string_view place, std::uint32_t count);

absl::Status CheckPrincipal(const std::string& place, const types::v1::PrincipalMatch& match);
absl::Status CheckSession(const types::v1::SessionTerms& session);
absl::Status CheckLimits(std::string_view place,
                         const google::protobuf::RepeatedPtrField<types::v1::SessionLimit>& limits);
absl::Status CheckServer(const types::v1::ServerSpec& server);
absl::Status CheckLock(const types::v1::LockSpec& lock);

}  // namespace sallyport
