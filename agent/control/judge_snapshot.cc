#include "agent/control/judge_snapshot.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "agent/control/signed_snapshot.h"
#include "common/status_macros.h"

namespace sallyport::agent {

absl::StatusOr<JudgedSnapshot> JudgeSnapshot(const v1::SignedSnapshot& signed_snapshot,
                                             const SnapshotBasis& basis, absl::Time now) {
  ASSIGN_OR_RETURN(const v1::Snapshot snapshot, VerifySnapshot(signed_snapshot, basis.ca, now));
  if (snapshot.agent() != basis.agent_name) {
    return absl::UnauthenticatedError("the snapshot was made for another agent");
  }
  JudgedSnapshot judged{.age = {snapshot.epoch(), snapshot.version()}};
  if (judged.age < basis.newest) {
    return absl::FailedPreconditionError(
        absl::StrCat("the snapshot goes back from (", basis.newest.first, ", ", basis.newest.second,
                     ") to (", judged.age.first, ", ", judged.age.second, ")"));
  }
  if (const AgentSnapshot* last = basis.in_force.get();
      last != nullptr && judged.age == SnapshotAge(last->epoch(), last->version())) {
    judged.snapshot = basis.in_force;
    return judged;
  }
  auto compiled = AgentSnapshot::Compile(snapshot);
  judged.is_shut = !compiled.ok();
  if (compiled.ok()) {
    judged.not_understood = (*compiled)->not_understood();
    judged.snapshot = *std::move(compiled);
    return judged;
  }
  judged.not_understood = std::string(compiled.status().message());
  // What it was about to forbid must not go on.
  if (basis.in_force != nullptr) {
    judged.snapshot = AgentSnapshot::Shut(*basis.in_force, snapshot);
  }
  return judged;
}

}  // namespace sallyport::agent
