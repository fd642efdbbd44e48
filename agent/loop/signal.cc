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
  // The waiter lives in this frame; Set detaches it, so that the signal may be gone when the frame
  // goes on. A frame that is destroyed while it waits (the loop is going away) detaches itself.
  Waiter waiter(loop_.executor());
  struct Detach {
    ~Detach() {
      if (waiter.attached) waiters.erase(place);
    }
    std::list<Waiter*>& waiters;
    std::list<Waiter*>::iterator place;
    Waiter& waiter;
  } detach{waiters_, waiters_.insert(waiters_.end(), &waiter), waiter};
  if (timeout == absl::InfiniteDuration()) {
    waiter.timer.expires_at(std::chrono::steady_clock::time_point::max());
  } else {
    waiter.timer.expires_after(absl::ToChronoNanoseconds(timeout));
  }
  co_await waiter.timer.async_wait(kAsTuple);
  co_return waiter.woken;
}

Task<void> Sleep(Loop& loop, absl::Duration duration) {
  Signal never(loop);
  co_await never.Wait(duration);
}

}  // namespace sallyport::agent
