#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "agent/mcp/message.h"

// The messages of several clients on one pipe: each request goes out under a number of ours, which
// is its id, its progress token and its subscription id there, and what comes back is told apart by
// that number and gets the client's own again. Nothing else of a message changes.
namespace sallyport::agent {

// The request's bytes under `number`.
std::string ToPipe(const ClientMessage& request, std::uint64_t number);

// The message as the client of a request with these literals shall see it. An empty
// `progress_token`: that request gave none.
absl::StatusOr<UpstreamMessage> FromPipe(UpstreamMessage message, std::string_view id,
                                         std::string_view progress_token);

// notifications/cancelled of the request that went out under `number`.
std::string CancelledOnPipe(std::uint64_t number);

}  // namespace sallyport::agent
