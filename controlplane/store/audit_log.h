#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controlplane/model/caller.h"
#include "controlplane/store/database.h"
#include "sallyport/types/v1/denial.pb.h"

// Who changed what, in control.db. Each state change commits with its line; lines are never changed
// or deleted (triggers see to it).
namespace sallyport::controlplane::audit_log {

struct Line {
  uint64_t n = 0;  // set by the log
  absl::Time at;
  std::string actor;    // ActorName of the caller
  std::string address;  // where the caller's connection came from; empty: none
  std::string action;   // session.open, approval.approve, document.put, ...
  std::string object;   // the id or kind/name of what was acted on
  // UNSPECIFIED: it was done.
  types::v1::DenialReason denial_reason = types::v1::DENIAL_REASON_UNSPECIFIED;
  std::string detail;  // for people; never a secret, never an argument's value
};

// A line about what `caller` does.
Line LineOf(const Caller& caller, absl::Time now, std::string action, std::string object,
            std::string detail = {});

absl::Status Append(WriteTransaction& t, const Line& line);

// A line about a request that is refused and has changed nothing: commits it in `t`, to which
// nothing else was written, or counts it where its actor has had too many of late, or the disk has
// no room for what callers cause (RefusalCounts). Everything that changes something has a line of
// its own, by Append. Object and detail, which callers choose, are cut to what a line may have.
absl::Status CommitRefusal(WriteTransaction& t, Line line);

// The same of a request that is refused for `why`, a denial, which it gives back.
absl::Status Refuse(WriteTransaction& t, Line line, const absl::Status& why);

// Writes what was counted in minutes that are over at `now`, one line for each actor;
// InfiniteFuture: all of it. To be called about once a second.
absl::Status SummarizeRefusals(Database& control, absl::Time now);

// Whether a person or service of that subject has ever asked for anything that is audited.
absl::StatusOr<bool> KnowsActor(Transaction& t, std::string_view realm, std::string_view subject);

// Whether that was ever done to `object`. Reads the whole log.
absl::StatusOr<bool> Has(Transaction& t, std::string_view action, std::string_view object);

// Lines with n > `after`, oldest first, at most `limit`.
absl::StatusOr<std::vector<Line>> List(Transaction& t, uint64_t after, int limit);

}  // namespace sallyport::controlplane::audit_log
