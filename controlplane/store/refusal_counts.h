#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "sallyport/types/v1/denial.pb.h"

namespace sallyport::controlplane {

// How many refused requests of one source have a line of their own in the audit log: ten in a
// minute. More than these are counted, and become one line when the minute is over, so that nobody
// who may do nothing makes the log grow at his own pace, and no refusal goes unsaid. Thread-safe.
class RefusalCounts {
 public:
  // Of one source, what was left out of the log.
  struct Summary {
    std::string actor;    // as its lines name it; empty: of more sources than are told apart
    std::string address;  // of the latest
    types::v1::DenialReason reason = types::v1::DENIAL_REASON_UNSPECIFIED;  // of the latest
    std::map<std::string, uint64_t> actions;
  };
  // One refused request.
  struct Refused {
    const std::string& actor;
    const std::string& address;
    const std::string& action;
    types::v1::DenialReason reason;
    absl::Time at;
  };

  // True: it has a line of its own. `has_room` is false where the log cannot take one now.
  bool Admit(const Refused& refused, bool has_room);

  // Takes the counts of minutes that are over at `now`; InfiniteFuture: all of them. What cannot be
  // written is given back.
  std::vector<Summary> TakeDue(absl::Time now);
  void GiveBack(const std::vector<Summary>& summaries, absl::Time now);

 private:
  struct Source {
    absl::Time since;
    int lines = 0;
    Summary left_out;
  };
  Source& SourceOf(const std::string& actor, const std::string& address, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::Mutex mutex_;
  // By actor; by address where nobody is known.
  std::map<std::string, Source> sources_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sallyport::controlplane
