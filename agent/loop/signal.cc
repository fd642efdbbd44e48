#include "agent/loop/signal.h"

namespace sallyport::agent {

void Signal::Set() {
  is_set_ = true;
  while (Runnable* first = waiting_.PopFront()) {
    auto& waiting = static_cast<Waiting&>(*first);
    waiting.is_woken_ = true;
    waiting.timer_.Stop();
    loop_.MakeReady(waiting);
  }
}

void Signal::Waiting::await_suspend(std::coroutine_handle<> task) {
  task_ = task;
  signal_.waiting_.PushBack(*this);
  timer_.Start(timeout_, *this);
}

Task<void> Sleep(Loop& loop, absl::Duration duration) {
  Signal never(loop);
  co_await never.Wait(duration);
}

}  // namespace sallyport::agent
