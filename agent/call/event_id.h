#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sallyport::agent {

// What an event of a stream is called: `<MCP session>-<stream>-<n>`. It tells the stream and the
// place in it where a client that comes back goes on, and an id of another MCP session is seen to
// be one.
struct EventId {
  // McpConnection::record_tag. A view of what outlives the id.
  std::string_view session;
  // Unique in the MCP session. 0 is what belongs to no request.
  std::uint64_t stream = 0;
  // The messages of a stream are numbered from 1; 0 is before the first.
  std::uint64_t n = 0;
};

void AppendEventId(std::string& out, const EventId& id);

// The one spelling that AppendEventId gives; anything else is nullopt. The session is a view of
// `text`.
std::optional<EventId> ParseEventId(std::string_view text);

}  // namespace sallyport::agent
