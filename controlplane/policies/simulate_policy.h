#pragma once

#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "controlplane/model/caller.h"
#include "controlplane/model/recorded_call.h"
#include "controlplane/policies/check_documents.h"
#include "controlplane/store/database.h"
#include "sallyport/admin/v1/policy_service.pb.h"

namespace sallyport::controlplane {

// Judges what was recorded by documents that are not in force.
class SimulatePolicy {
 public:
  // `control` and `clock` outlive it.
  SimulatePolicy(Database& control, const Clock& clock, KnownRealms realms, CallSource calls)
      : control_(control), clock_(clock), realms_(std::move(realms)), calls_(std::move(calls)) {}

  // Gives what it finds to `sink` until it returns false (the reader has gone), the summary last.
  // The audit line is committed before anything is read. ROLE_MISSING for the admin socket and for
  // who is neither admin nor auditor; that refusal is an audit line too. kInvalidArgument for
  // documents that ApplyPolicy would refuse.
  absl::Status Run(const Caller& caller, const admin::v1::SimulatePolicyRequest& request,
                   absl::FunctionRef<bool(const admin::v1::SimulatePolicyResponse&)> sink) const;

 private:
  absl::StatusOr<std::vector<types::v1::Document>> DocumentsOf(
      const admin::v1::SimulatePolicyRequest& request) const;

  Database& control_;
  const Clock& clock_;
  const KnownRealms realms_;
  const CallSource calls_;
};

}  // namespace sallyport::controlplane
