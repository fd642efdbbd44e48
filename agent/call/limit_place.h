#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "agent/record/count_table.h"
#include "common/clock.h"

namespace sallyport::agent {

// A call's place under the limits of its session and its principal, as long as it lives: it counts
// as one of the calls at a time, and, once it has gone out, as one of those within a time. One that
// has gone out and was not answered keeps its place for kBusy more, whatever becomes of its client,
// its MCP session and its session: the server may be busy with it for a while. The clock outlives
// it.
class LimitPlace {
 public:
  static constexpr absl::Duration kBusy = absl::Seconds(10);

  // It takes none.
  LimitPlace() = default;
  // `began` as it was begun in both; nullopt: it goes on in both, as a later round of a call.
  LimitPlace(const Clock& clock, std::shared_ptr<CountTable::Kept> session,
             std::shared_ptr<CountTable::Kept> principal, std::optional<absl::Duration> began)
      : clock_(&clock),
        session_(std::move(session)),
        principal_(std::move(principal)),
        began_(began) {}
  LimitPlace(LimitPlace&& other) noexcept
      : clock_(other.clock_),
        session_(std::move(other.session_)),
        principal_(std::move(other.principal_)),
        began_(other.began_),
        is_out_(other.is_out_),
        is_answered_(other.is_answered_) {}
  LimitPlace& operator=(LimitPlace&& other) noexcept {
    std::swap(clock_, other.clock_);
    std::swap(session_, other.session_);
    std::swap(principal_, other.principal_);
    std::swap(began_, other.began_);
    std::swap(is_out_, other.is_out_);
    std::swap(is_answered_, other.is_answered_);
    return *this;
  }
  ~LimitPlace() {
    if (session_ == nullptr) return;
    const absl::Duration now = clock_->SinceBoot();
    for (CountTable::Kept* kept : {session_.get(), principal_.get()}) {
      if (!is_out_ && began_) {
        kept->calls.TakeBack(*began_);
      } else if (!is_out_ || is_answered_) {
        kept->calls.End();
      } else {
        kept->calls.Abandon(now, now + kBusy);
      }
    }
  }

  // The server may have a byte of it.
  void WentOut() { is_out_ = true; }
  // The server is done with it.
  void Answered() { is_answered_ = true; }

 private:
  const Clock* clock_ = nullptr;
  std::shared_ptr<CountTable::Kept> session_;
  std::shared_ptr<CountTable::Kept> principal_;
  std::optional<absl::Duration> began_;
  bool is_out_ = false;
  bool is_answered_ = false;
};

// Keeps the place of a call that goes on as a task of its server until it is called, which is when
// the task is over. Dropped uncalled, it leaves the place as one that was not answered.
inline absl::AnyInvocable<void()> UntilTaskIsOver(LimitPlace place) {
  return [kept = std::move(place)]() mutable { kept.Answered(); };
}

}  // namespace sallyport::agent
