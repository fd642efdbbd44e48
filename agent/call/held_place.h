#pragma once

#include <optional>
#include <utility>

#include "agent/call/served_session.h"
#include "agent/session/held.h"

namespace sallyport::agent {

// A call's place among those that wait for a person, as long as it lives: of its session and of all
// sessions.
class HeldPlace {
 public:
  // It takes none.
  HeldPlace() = default;
  // `of_all` counts those of all sessions, and outlives it.
  HeldPlace(Held<ServedSession> session, int& of_all)
      : session_(std::move(session)), of_all_(&of_all) {
    ++(*session_)->held_calls;
    ++*of_all_;
  }
  HeldPlace(HeldPlace&& other) noexcept
      : session_(std::exchange(other.session_, std::nullopt)), of_all_(other.of_all_) {}
  HeldPlace& operator=(HeldPlace&& other) noexcept {
    std::swap(session_, other.session_);
    std::swap(of_all_, other.of_all_);
    return *this;
  }
  ~HeldPlace() { Leave(); }

  // It waits no longer.
  void Leave() {
    if (!session_) return;
    --(*session_)->held_calls;
    --*of_all_;
    session_.reset();
  }

 private:
  std::optional<Held<ServedSession>> session_;
  int* of_all_ = nullptr;
};

}  // namespace sallyport::agent
