#include "agent/upstream/upstream_error.h"

#include <algorithm>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "agent/mcp/json_batch.h"
#include "common/denial.h"
#include "common/strings.h"

namespace sallyport::agent {

using types::v1::DenialReason;

namespace {

constexpr char kHttpStatusUrl[] = "sallyport.agent/http-status";
constexpr char kUncleanUrl[] = "sallyport.agent/unclean-message";

absl::Status Describe(int status) {
  const std::string code = absl::StrCat("the server answered HTTP ", status);
  if (status >= 500) return UpstreamLost(code);
  if (status == 401 || status == 403)
    return UpstreamInvalid(code + ": it refuses the agent's credential");
  if (status >= 300 && status < 400) return UpstreamInvalid(code + ": redirects are not followed");
  return UpstreamInvalid(code);
}

absl::Status WithHttpStatus(absl::Status error, int status) {
  error.SetPayload(kHttpStatusUrl, absl::Cord(absl::StrCat(status)));
  return error;
}

}  // namespace

absl::Status UpstreamLost(std::string_view what) {
  return Denied(DenialReason::DENIAL_REASON_UPSTREAM_LOST, what);
}

absl::Status UpstreamInvalid(std::string_view what) {
  return WithReason(absl::InvalidArgumentError(ToAbsl(what)),
                    DenialReason::DENIAL_REASON_UPSTREAM_INVALID);
}

absl::Status UncleanMessage(std::string_view why) {
  absl::Status error = UpstreamInvalid(why);
  error.SetPayload(kUncleanUrl, absl::Cord());
  return error;
}

bool IsUncleanMessage(const absl::Status& error) {
  return error.GetPayload(kUncleanUrl).has_value();
}

absl::Status ConnectionError(const absl::Status& status) {
  if (ReasonOf(status) == DenialReason::DENIAL_REASON_LIMIT_EXCEEDED) return status;
  return WithReason(status, status.code() == absl::StatusCode::kInvalidArgument
                                ? DenialReason::DENIAL_REASON_UPSTREAM_INVALID
                                : DenialReason::DENIAL_REASON_UPSTREAM_LOST);
}

absl::Status HttpStatusError(int status) { return WithHttpStatus(Describe(status), status); }

absl::Status HttpSessionEnded() {
  return WithHttpStatus(UpstreamLost("the server answered HTTP 404: it has ended the MCP session, "
                                     "and its client must initialize another"),
                        404);
}

int HttpStatusOf(const absl::Status& error) {
  int status = 0;
  const auto payload = error.GetPayload(kHttpStatusUrl);
  return payload && absl::SimpleAtoi(std::string(*payload), &status) ? status : 0;
}

absl::StatusOr<UpstreamMessage> ScanFromServer(std::string bytes, const ScanLimits& limits) {
  auto message = ScanUpstreamMessage(std::move(bytes), limits);
  if (!message.ok()) return UncleanMessage(ToStd(message.status().message()));
  return message;
}

absl::StatusOr<std::vector<UpstreamMessage>> ScanBatchFromServer(std::string_view bytes,
                                                                 const ScanLimits& limits) {
  auto messages = ScanUpstreamBatch(bytes, limits);
  if (!messages.ok()) return UncleanMessage(ToStd(messages.status().message()));
  std::stable_partition(messages->begin(), messages->end(), [](const UpstreamMessage& message) {
    return message.shape != Shape::kResponse;
  });
  return messages;
}

}  // namespace sallyport::agent
