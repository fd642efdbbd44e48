#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/http/sse.h"
#include "agent/loop/task.h"
#include "agent/upstream/http_connection.h"

namespace sallyport::agent {

// Where a stream that breaks off is taken up again, and when.
struct StreamPlace {
  // Empty: the server has given no id that could be sent back to it.
  std::string last_event_id;
  // The server's wish, within bounds.
  std::optional<absl::Duration> retry;
};

// The events of a streamed response, read as they are asked for: nothing is queued, and a slow
// reader slows the server down.
class EventStream {
 public:
  // The response's head is done. `connection` outlives it.
  EventStream(HttpConnection& connection, std::size_t max_event_bytes)
      : connection_(connection), max_event_bytes_(max_event_bytes), reader_(max_event_bytes) {
    connection.reader().Stream();
  }

  // nullopt: the server has ended the stream. Its error is an upstream's: upstream_lost, or
  // upstream_invalid for what is no clean stream.
  Task<absl::StatusOr<std::optional<SseEvent>>> Next();

  // What the last event holds of the room for long messages. Null: it is short.
  AnswerPlace TakePlace() { return std::move(room_); }

  // Moves `place` to where the stream is now.
  void Mark(StreamPlace& place) const;

 private:
  HttpConnection& connection_;
  const std::size_t max_event_bytes_;
  SseReader reader_;
  AnswerPlace room_;
  std::uint64_t asked_ = 0;
  // What of the last piece has not been read.
  std::string_view bytes_;
};

}  // namespace sallyport::agent
