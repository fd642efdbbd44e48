#include "agent/call/server_failure.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "agent/upstream/upstream_error.h"
#include "common/denial.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

std::string WhatHappened(const absl::Status& failure, std::string_view method, bool is_invalid) {
  const std::string to = method.empty() ? std::string() : absl::StrCat(" to ", ToAbsl(method));
  if (IsUncleanMessage(failure)) {
    return absl::StrCat("the server's answer", to,
                        " was not one clean message: ", failure.message());
  }
  if (is_invalid || HttpStatusOf(failure) != 0) return std::string(failure.message());
  if (absl::IsDeadlineExceeded(failure)) {
    return absl::StrCat("the server took too long for its answer", to);
  }
  return absl::StrCat("the server was lost before its answer", to);
}

}  // namespace

absl::Status ServerFailure(const absl::Status& failure, std::string_view method,
                           std::string_view consequence) {
  if (ReasonOf(failure) == types::v1::DENIAL_REASON_LIMIT_EXCEEDED) {
    return Denied(types::v1::DENIAL_REASON_LIMIT_EXCEEDED,
                  absl::StrCat("limit_exceeded: ", failure.message(), ToAbsl(consequence)));
  }
  const bool is_invalid = ReasonOf(failure) == types::v1::DENIAL_REASON_UPSTREAM_INVALID ||
                          absl::IsInvalidArgument(failure) || absl::IsResourceExhausted(failure);
  return Denied(is_invalid ? types::v1::DENIAL_REASON_UPSTREAM_INVALID
                           : types::v1::DENIAL_REASON_UPSTREAM_LOST,
                absl::StrCat(is_invalid ? "upstream_invalid: " : "upstream_lost: ",
                             WhatHappened(failure, method, is_invalid), ToAbsl(consequence)));
}

}  // namespace sallyport::agent
