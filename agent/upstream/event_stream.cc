#include "agent/upstream/event_stream.h"

#include <algorithm>
#include <cstdint>

#include "agent/loop/signal.h"
#include "agent/upstream/upstream_error.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

constexpr std::size_t kMaxIdBytes = 1024;
// Then others have their turn: what is done with an event may have nothing to wait for.
constexpr std::uint64_t kEventsInARow = 4;
constexpr absl::Duration kMinRetry = absl::Milliseconds(50);
constexpr absl::Duration kMaxRetry = absl::Seconds(60);

}  // namespace

Task<absl::StatusOr<std::optional<SseEvent>>> EventStream::Next() {
  SseEvent event;
  room_.reset();
  if (++asked_ % kEventsInARow == 0) co_await GiveWay(connection_.loop());
  for (;;) {
    const auto complete = reader_.Next(bytes_, event);
    if (!complete.ok()) co_return UncleanMessage(ToStd(complete.status().message()));
    if (*complete) {
      room_ = connection_.TakePlace(event.data.size());
      co_return event;
    }
    // What was no event goes by.
    if (reader_.pending_bytes() <= AnswerShare::kLong) (void)connection_.TakePlace(0);
    if (connection_.needs_place(reader_.pending_bytes())) {
      const absl::Status placed = co_await connection_.AwaitPlace(max_event_bytes_);
      if (!placed.ok()) co_return ConnectionError(placed);
    }
    const auto more = co_await connection_.ReadPiece();
    if (!more.ok()) co_return ConnectionError(more.status());
    if (!*more) co_return std::nullopt;
    bytes_ = connection_.response().body;
  }
}

void EventStream::Mark(StreamPlace& place) const {
  const std::string& id = reader_.last_id();
  const bool is_field = id.size() <= kMaxIdBytes && std::all_of(id.begin(), id.end(), [](char c) {
                          return c > 0x20 && c < 0x7f;
                        });
  // An id that cannot be sent back is worse than none: an older one would give its messages again.
  if (!id.empty()) place.last_event_id = is_field ? id : std::string();
  if (const auto retry = reader_.last_retry_ms()) {
    place.retry = std::clamp(absl::Milliseconds(*retry), kMinRetry, kMaxRetry);
  }
}

}  // namespace sallyport::agent
