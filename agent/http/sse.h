#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

// Server-sent events (the WHATWG event stream format).
namespace sallyport::agent {

struct SseEvent {
  std::string data;
  // "message" where the stream names none.
  std::string event;
  // The last id that the stream has set.
  std::string id;
  std::optional<std::uint32_t> retry_ms;

  // One that may carry a message of MCP: an event of any other name (`ping`, ...) carries none.
  bool is_message() const { return event == "message"; }
};

// Reads a stream that may be cut anywhere, between any two bytes.
class SseReader {
 public:
  explicit SseReader(std::size_t max_event_bytes) : max_event_bytes_(max_event_bytes) {}

  // Takes bytes from the front of `bytes` until an event is complete: true, and the event is in
  // `event`. False: all bytes are taken and more are needed. Comments, events without data and
  // unknown fields give nothing. kResourceExhausted when an event, a line or what stands between
  // two events is longer than the limit; then the stream is over.
  absl::StatusOr<bool> Next(std::string_view& bytes, SseEvent& event);

  // What has come of an event that is not complete.
  std::size_t pending_bytes() const { return line_.size() + data_.size(); }

  // The id of the last complete event that set one, with data or without: where the stream is taken
  // up. An id whose event was cut off is not it. Empty: none.
  const std::string& last_id() const { return last_id_; }
  // The last time that the stream has set for coming back.
  std::optional<std::uint32_t> last_retry_ms() const { return last_retry_ms_; }

 private:
  // True: the line was empty and ends an event that has data.
  bool OnLine(SseEvent& event);

  std::size_t max_event_bytes_;
  std::size_t event_bytes_ = 0;
  std::string line_;
  std::string data_;
  std::string event_;
  std::string id_;
  std::string last_id_;
  std::optional<std::uint32_t> retry_ms_;
  std::optional<std::uint32_t> last_retry_ms_;
  bool has_data_ = false;
  bool after_cr_ = false;
  bool is_first_line_ = true;
  bool is_broken_ = false;
};

// Appends one event. `data` is JSON, whose line breaks stand between its tokens: they become
// blanks, for many readers take one data line for a message. `id` and `event` must hold none and
// are left out if they do.
void AppendSseEvent(std::string& out, std::string_view data, std::string_view id = {},
                    std::string_view event = {});
// Appends an event that only sets the stream's id (the priming event of resumable streams), and
// when to come back if `retry_ms` says so.
void AppendSsePriming(std::string& out, std::string_view id,
                      std::optional<std::uint32_t> retry_ms = std::nullopt);
// Appends a comment that keeps the connection alive.
void AppendSseHeartbeat(std::string& out);

}  // namespace sallyport::agent
