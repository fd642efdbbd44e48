#include "agent/http/sse.h"

#include <algorithm>
#include <utility>

namespace sallyport::agent {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
// More than any server asks for; a longer number is no retry time.
constexpr std::size_t kMaxRetryDigits = 8;

bool IsOneLine(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

}  // namespace

absl::StatusOr<bool> SseReader::Next(std::string_view& bytes, SseEvent& event) {
  if (is_broken_) return absl::FailedPreconditionError("the event stream is broken");
  while (!bytes.empty()) {
    if (after_cr_) {
      after_cr_ = false;
      if (bytes[0] == '\n') {
        bytes.remove_prefix(1);
        continue;
      }
    }
    const std::size_t end = bytes.find_first_of("\r\n");
    const std::size_t taken = std::min(end, bytes.size());
    const std::string_view part = bytes.substr(0, taken);
    event_bytes_ += taken + 1;
    if (event_bytes_ > max_event_bytes_) {
      is_broken_ = true;
      return absl::ResourceExhaustedError("an event is too long");
    }
    line_.append(part);
    bytes.remove_prefix(taken);
    if (bytes.empty()) break;
    after_cr_ = bytes[0] == '\r';
    bytes.remove_prefix(1);
    const bool is_event = OnLine(event);
    line_.clear();
    if (is_event) return true;
  }
  return false;
}

bool SseReader::OnLine(SseEvent& event) {
  std::string_view line = line_;
  if (std::exchange(is_first_line_, false) && line.substr(0, 3) == kByteOrderMark)
    line.remove_prefix(3);
  if (line.empty()) {
    event_bytes_ = 0;
    last_id_ = id_;
    const bool is_event = std::exchange(has_data_, false) && !data_.empty();
    if (is_event) {
      event.data.swap(data_);
      event.event = event_.empty() ? "message" : event_;
      event.id = id_;
      event.retry_ms = retry_ms_;
    }
    data_.clear();
    event_.clear();
    retry_ms_.reset();
    return is_event;
  }
  const std::size_t colon = std::min(line.find(':'), line.size());
  const std::string_view field = line.substr(0, colon);
  std::string_view value = line.substr(std::min(colon + 1, line.size()));
  if (!value.empty() && value[0] == ' ') value.remove_prefix(1);
  if (field == "data") {
    if (has_data_) data_.push_back('\n');
    data_.append(value);
    has_data_ = true;
  } else if (field == "event") {
    event_.assign(value);
  } else if (field == "id") {
    if (value.find('\0') == std::string_view::npos) id_.assign(value);
  } else if (field == "retry" && !value.empty() && value.size() <= kMaxRetryDigits &&
             value.find_first_not_of("0123456789") == std::string_view::npos) {
    std::uint32_t retry = 0;
    for (const char c : value) retry = retry * 10 + static_cast<std::uint32_t>(c - '0');
    retry_ms_ = retry;
    last_retry_ms_ = retry;
  } else if (field.empty()) {
    // A comment. It ends nothing, but what came before it is no longer one growing event.
    if (!has_data_) event_bytes_ = 0;
  }
  return false;
}

void AppendSseEvent(std::string& out, std::string_view data, std::string_view id,
                    std::string_view event) {
  if (!event.empty() && IsOneLine(event)) out.append("event: ").append(event).append("\n");
  if (!id.empty() && IsOneLine(id)) out.append("id: ").append(id).append("\n");
  out.append("data: ");
  const std::size_t begin = out.size();
  out.append(data);
  for (std::size_t at = begin; (at = out.find_first_of("\r\n", at)) != std::string::npos; ++at) {
    out[at] = ' ';
  }
  out.append("\n\n");
}

void AppendSsePriming(std::string& out, std::string_view id,
                      std::optional<std::uint32_t> retry_ms) {
  if (!IsOneLine(id)) return;
  out.append("id: ").append(id).append("\n");
  if (retry_ms) out.append("retry: ").append(std::to_string(*retry_ms)).append("\n");
  out.append("data: \n\n");
}

void AppendSseHeartbeat(std::string& out) { out.append(": ping\n\n"); }

}  // namespace sallyport::agent
