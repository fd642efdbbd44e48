#pragma once

#include <cstdint>

#include "absl/time/time.h"
#include "common/clock.h"
#include "controlplane/model/recorded_call.h"
#include "sallyport/admin/v1/policy_service.pb.h"

namespace sallyport::controlplane {

// Says how far a long run is, a few times a second at most.
class ProgressReport {
 public:
  // `clock` outlives it.
  explicit ProgressReport(const Clock& clock) : clock_(clock), last_(clock.Now()) {}

  bool IsDue() {
    if (clock_.Now() - last_ < absl::Milliseconds(300)) return false;
    last_ = clock_.Now();
    return true;
  }

  static admin::v1::ReadProgress Of(const CallsRead& read, uint64_t calls) {
    admin::v1::ReadProgress progress;
    progress.set_done(read.done);
    progress.set_of(read.of);
    progress.set_calls(calls);
    return progress;
  }

 private:
  const Clock& clock_;
  absl::Time last_;
};

}  // namespace sallyport::controlplane
