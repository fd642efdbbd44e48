#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/mcp/json_scan.h"
#include "agent/mcp/message.h"

// What an upstream's callers are told of a server that fails.
namespace sallyport::agent {

// upstream_lost: the server or the connection is gone.
absl::Status UpstreamLost(std::string_view what);
// upstream_invalid: the server said what it must not, as the sentence `what` tells.
absl::Status UpstreamInvalid(std::string_view what);
// upstream_invalid: what it said is not one clean message, for `why`, which is no sentence.
absl::Status UncleanMessage(std::string_view why);
bool IsUncleanMessage(const absl::Status& error);

// What an HttpConnection says of itself, as an upstream's error.
absl::Status ConnectionError(const absl::Status& status);
// For an HTTP status that is no success. The body of such an answer is nobody's business: it may
// quote the request's headers.
absl::Status HttpStatusError(int status);
// For HTTP 404 within an MCP session: upstream_lost.
absl::Status HttpSessionEnded();
// The HTTP status of such an error; 0 for any other.
int HttpStatusOf(const absl::Status& error);

// ScanUpstreamMessage, its refusal as an upstream's error.
absl::StatusOr<UpstreamMessage> ScanFromServer(std::string bytes, const ScanLimits& limits);
// The same for a batch: its messages in their order, but responses last, for with them exchanges
// end.
absl::StatusOr<std::vector<UpstreamMessage>> ScanBatchFromServer(std::string_view bytes,
                                                                 const ScanLimits& limits);

}  // namespace sallyport::agent
