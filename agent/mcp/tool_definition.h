#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/mcp/message.h"

namespace sallyport::agent {

// What a server says of a tool: all that a model reads of it and that clients are bound by. Its
// _meta and its icons are no part of it, for they say nothing of what it does and may change with
// every list.
struct ToolDefinition {
  std::string name;
  // Canonical JSON, see CanonicalArguments.
  std::string json;
  // SHA-256 of it, hex.
  std::string hash;
};

// Shared by all connections that a server said it on.
using SeenDefinition = std::shared_ptr<const ToolDefinition>;

// Of one entry of a tools/list result, as it stands there. upstream_invalid when it has no name.
absl::StatusOr<ToolDefinition> ReadToolDefinition(std::string_view entry);

// Of all entries of one page that have a name; upstream_invalid when it is no such result.
// `next_cursor` receives the literal that asks for the next page, empty at the last.
absl::StatusOr<std::vector<ToolDefinition>> ReadToolDefinitions(const UpstreamMessage& list,
                                                                std::string& next_cursor);

}  // namespace sallyport::agent
