#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "absl/time/time.h"
#include "absl/types/span.h"

namespace sallyport::agent {

// How many calls may go out: `calls` in any stretch of `within`, or `concurrent` at a time.
struct CallLimit {
  std::uint64_t calls = 0;
  absl::Duration within = absl::ZeroDuration();
  // 0: the other two say.
  std::uint32_t concurrent = 0;
};

// The calls of one session, or of one principal on one server, that went out and those that have
// not been answered. Times are CLOCK_BOOTTIME.
class CallCounts {
 public:
  // When one more call may go out under `limit`: `now` or before if it may at once,
  // InfiniteDuration where an answer must come first.
  absl::Duration FreeAt(const CallLimit& limit, absl::Duration now) const;

  // One goes out. As far back as one of `limits` looks, and for so many calls, it will be known,
  // and so it is for all limits of earlier calls: sessions of one principal may have others.
  void Begin(absl::Duration now, absl::Span<const CallLimit> limits);
  // One went out in an earlier run of the agent, after all that were taken up before it, under a
  // limit that looks so far back.
  void TakeUp(absl::Duration begun, const CallLimit& limit);
  // One goes on that was begun and answered before: it is at work again, and no further call.
  void GoOn() { ++in_flight_; }
  // It has been answered.
  void End() { --in_flight_; }
  // Nobody waits for its answer any more, and the server may still be busy with it: until then it
  // counts as one that has not been answered.
  void Abandon(absl::Duration now, absl::Duration until);
  // It did not go out, and was begun at `began`.
  void TakeBack(absl::Duration began);

  // Those that went out, the oldest first, as far back as is looked at.
  const std::deque<absl::Duration>& begun() const { return begun_; }
  // How far back that is, and for how many calls.
  CallLimit reach() const { return {.calls = calls_, .within = within_}; }

  // Nothing that any limit would look at.
  bool IsForgotten(absl::Duration now, absl::Duration longest_within) const;

 private:
  void Reach(const CallLimit& limit);
  void Note(absl::Duration now);

  std::deque<absl::Duration> begun_;
  absl::Duration within_ = absl::ZeroDuration();
  std::uint64_t calls_ = 0;
  // Until when each of those counts that nobody waits for; sorted.
  std::deque<absl::Duration> abandoned_;
  std::uint32_t in_flight_ = 0;
};

}  // namespace sallyport::agent
