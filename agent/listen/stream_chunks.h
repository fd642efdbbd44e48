#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/call/event_id.h"

// What a streamed answer is made of: its head, and a chunk for each event.
namespace sallyport::agent {

// `more_fields`: whole lines.
void AppendStreamHead(std::string& out, bool keep_alive, std::string_view more_fields);
// An event without data that only tells an id, and when to come back if `retry_ms` says so.
void AppendPriming(std::string& out, const EventId& id,
                   std::optional<std::uint32_t> retry_ms = std::nullopt);
void AppendEvent(std::string& out, std::string_view message, const std::optional<EventId>& id);

}  // namespace sallyport::agent
