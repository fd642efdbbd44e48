#pragma once

#include <utility>

#include "agent/call/served_session.h"
#include "agent/session/held.h"

namespace sallyport::agent {

// An operation that was counted against max_calls and goes on, for as long as it lives: from its
// count to the end of its answer, and in a later round from the moment on at which its client has
// come again. A session whose calls are used up is not over before.
class CountedOperation {
 public:
  explicit CountedOperation(Held<ServedSession> session) : session_(std::move(session)) {
    ++session_->counted_in_flight;
  }
  ~CountedOperation() { --session_->counted_in_flight; }
  CountedOperation(const CountedOperation&) = delete;
  CountedOperation& operator=(const CountedOperation&) = delete;

 private:
  Held<ServedSession> session_;
};

}  // namespace sallyport::agent
