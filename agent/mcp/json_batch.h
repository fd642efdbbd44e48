#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/mcp/json_scan.h"
#include "agent/mcp/message.h"

// Several messages in one JSON array, which MCP 2025-03-26 alone knows.
namespace sallyport::agent {

inline constexpr std::size_t kMaxBatchMessages = 100;

// Whether `bytes` would be a batch, by their first character that is no white space.
bool IsBatch(std::string_view bytes);

// The messages of a batch in their order, each as ScanClientMessage gives it, with its own bytes.
// `limits` hold for the whole batch and for each message; it is refused as a whole, like a message.
// message_invalid too when it is empty, has too many messages, or one id stands on two requests.
absl::StatusOr<std::vector<ClientMessage>> ScanClientBatch(std::string_view bytes,
                                                           const ScanLimits& limits = {});

// The same for a server's bytes; a refusal carries upstream_invalid.
absl::StatusOr<std::vector<UpstreamMessage>> ScanUpstreamBatch(std::string_view bytes,
                                                               const ScanLimits& limits = {});

}  // namespace sallyport::agent
