#include "agent/loop/signal.h"

namespace sallyport::agent {

void Signal::Set() {
  is_set_ = true;
  for (Waiter* waiter : waiters_) {
    waiter->woken = true;
    waiter->attached = false;
    waiter->timer.cancel();
  }
  waiters_.clear();
}

Task<bool> Signal::Wait(absl::Duration timeout) {
  if (is_set_) co_return true;
  // The waiter lives in this frame; Set detaches it, so that the signal may be gone when the frame goes on.
  Waiter waiter(loop_.executor());
  auto place = waiters_.insert(waiters_.end(), &waiter);
  if (timeout == absl::InfiniteDuration()) {
    waiter.timer.expires_at(std::chrono::steady_clock::time_point::max());
  } else {
    waiter.timer.expires_after(absl::ToChronoNanoseconds(timeout));
  }
  co_await waiter.timer.async_wait(kAsTuple);
  if (waiter.attached) waiters_.erase(place);
  co_return waiter.woken;
}

Task<void> Sleep(Loop& loop, absl::Duration duration) {
  Signal never(loop);
  co_await never.Wait(duration);
}

}  // namespace sallyport::agent
