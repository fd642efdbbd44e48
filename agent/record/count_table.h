#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "agent/record/count_file.h"
#include "agent/session/call_counts.h"
#include "common/clock.h"

namespace sallyport::agent {

// The counts that limits look at, each by what names it. Those of calls within a time are in a file
// as well, before the call goes out: neither a new session nor a new run of the agent gives one of
// them back. On the loop's thread; the clock outlives it.
class CountTable {
 public:
  // Counts and the key that they have in the file.
  struct Kept {
    CountKey key{};
    CallCounts calls;
  };

  // Takes up what the last run left in the file. Errors as CountFile::Open.
  static absl::StatusOr<CountTable> Open(std::string path, const Clock& clock);

  bool empty() const { return counts_.empty(); }
  bool Has(std::string_view name) const;
  // Made where there are none.
  std::shared_ptr<Kept> Of(std::string_view name);

  // One call goes out that counts in both, as CallCounts::Begin. An error, as segment_file's
  // IoError, where the file cannot be written: then it counts in neither, and must not go out; the
  // first of several in a row is logged as `calls_not_counted`.
  absl::Status Begin(Kept& first, Kept& second, absl::Duration now,
                     absl::Span<const CallLimit> limits);

  // Forgets what no limit would look at, and makes the file shorter once most of it is that. A file
  // that cannot be written anew is logged, and written on.
  void Sweep();

 private:
  CountTable(CountFile file, const Clock& clock);

  void TakeUp(const CountedCall& call);
  void Shorten();

  CountFile file_;
  // From how many calls in the file on it is made shorter.
  std::size_t shorten_at_;
  bool is_failing_ = false;
  const Clock* clock_;
  std::map<CountKey, std::shared_ptr<Kept>> counts_;
};

}  // namespace sallyport::agent
