#include "agent/listen/stream_chunks.h"

#include "agent/http/head_writer.h"
#include "agent/http/sse.h"

namespace sallyport::agent {
namespace {

// More than an event or a chunk adds to its message.
constexpr std::size_t kFramingBytes = 96;

std::string Printed(const EventId& id) {
  std::string text;
  AppendEventId(text, id);
  return text;
}

void AppendPiece(std::string& out, StreamFraming framing, std::string_view piece) {
  if (framing == StreamFraming::kChunked) {
    AppendChunk(out, piece);
  } else {
    out.append(piece);
  }
}

}  // namespace

void AppendStreamHead(std::string& out, StreamFraming framing, bool keep_alive,
                      std::string_view more_fields) {
  out.append(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
      "X-Accel-Buffering: no\r\n");
  if (framing == StreamFraming::kChunked) out.append("Transfer-Encoding: chunked\r\n");
  if (!keep_alive) out.append("Connection: close\r\n");
  out.append(more_fields).append("\r\n");
}

void AppendPriming(std::string& out, StreamFraming framing, const EventId& id,
                   std::optional<std::uint32_t> retry_ms) {
  std::string priming;
  AppendSsePriming(priming, Printed(id), retry_ms);
  AppendPiece(out, framing, priming);
}

void AppendEvent(std::string& out, StreamFraming framing, std::string_view message,
                 const std::optional<EventId>& id) {
  std::string event;
  event.reserve(message.size() + kFramingBytes);
  AppendSseEvent(event, message, id ? Printed(*id) : std::string());
  out.reserve(out.size() + event.size() + kFramingBytes);
  AppendPiece(out, framing, event);
}

void AppendHeartbeat(std::string& out, StreamFraming framing) {
  std::string comment;
  AppendSseHeartbeat(comment);
  AppendPiece(out, framing, comment);
}

void AppendStreamEnd(std::string& out, StreamFraming framing) {
  if (framing == StreamFraming::kChunked) AppendLastChunk(out);
}

}  // namespace sallyport::agent
