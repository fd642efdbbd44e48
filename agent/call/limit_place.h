#pragma once

#include <memory>
#include <utility>

#include "absl/time/time.h"
#include "agent/session/call_counts.h"

namespace sallyport::agent {

// A call's place under the limits of its session and its principal, as long as it lives: it counts
// as one of the calls at a time, and, once it has gone out, as one of those within a time. Both
// counts outlive it.
class LimitPlace {
 public:
  // It takes none.
  LimitPlace() = default;
  // `began` as it was begun in both.
  LimitPlace(CallCounts& session, CallCounts& principal, absl::Duration began)
      : session_(&session), principal_(&principal), began_(began) {}
  LimitPlace(LimitPlace&& other) noexcept
      : session_(std::exchange(other.session_, nullptr)),
        principal_(other.principal_),
        began_(other.began_),
        is_out_(other.is_out_) {}
  LimitPlace& operator=(LimitPlace&& other) noexcept {
    std::swap(session_, other.session_);
    std::swap(principal_, other.principal_);
    std::swap(began_, other.began_);
    std::swap(is_out_, other.is_out_);
    return *this;
  }
  ~LimitPlace() {
    if (session_ == nullptr) return;
    for (CallCounts* counts : {session_, principal_}) {
      if (is_out_) {
        counts->End();
      } else {
        counts->TakeBack(began_);
      }
    }
  }

  bool is_taken() const { return session_ != nullptr; }
  // The server may have a byte of it.
  void WentOut() { is_out_ = true; }

 private:
  CallCounts* session_ = nullptr;
  CallCounts* principal_ = nullptr;
  absl::Duration began_;
  bool is_out_ = false;
};

}  // namespace sallyport::agent
