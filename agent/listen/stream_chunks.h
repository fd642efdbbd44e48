#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/call/event_id.h"

// What a streamed answer is made of: its head, and a chunk for each event; or the events as they
// are, until the connection is closed.
namespace sallyport::agent {

enum class StreamFraming : std::uint8_t {
  kChunked,
  // For a client of HTTP/1.0, which does not know chunks.
  kUntilClose
};

// `more_fields`: whole lines.
void AppendStreamHead(std::string& out, StreamFraming framing, bool keep_alive,
                      std::string_view more_fields);
// An event without data that only tells an id, and when to come back if `retry_ms` says so.
void AppendPriming(std::string& out, StreamFraming framing, const EventId& id,
                   std::optional<std::uint32_t> retry_ms = std::nullopt);
void AppendEvent(std::string& out, StreamFraming framing, std::string_view message,
                 const std::optional<EventId>& id);
void AppendHeartbeat(std::string& out, StreamFraming framing);
// Nothing where the close is the end.
void AppendStreamEnd(std::string& out, StreamFraming framing);

}  // namespace sallyport::agent
