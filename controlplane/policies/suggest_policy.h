#pragma once

#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "common/clock.h"
#include "controlplane/model/caller.h"
#include "controlplane/model/recorded_call.h"
#include "controlplane/store/database.h"
#include "sallyport/admin/v1/policy_service.pb.h"

namespace sallyport::controlplane {

// Writes the least that a principal needs to do again what it did: a policy for each server, with
// what passed and nothing else. Terms, masks and approvals of sessions are never looser than those
// in force; what passed after an approval needs one again.
class SuggestPolicy {
 public:
  // `control` and `clock` outlive it.
  SuggestPolicy(Database& control, const Clock& clock, CallSource calls)
      : control_(control), clock_(clock), calls_(std::move(calls)) {}

  // As SimulatePolicy, with the suggestion last. `with_arguments` takes an auditor, for values of
  // arguments are content. kNotFound: nothing of that principal passed in that time.
  absl::Status Run(const Caller& caller, const admin::v1::SuggestPolicyRequest& request,
                   absl::FunctionRef<bool(const admin::v1::SuggestPolicyResponse&)> sink) const;

 private:
  Database& control_;
  const Clock& clock_;
  const CallSource calls_;
};

}  // namespace sallyport::controlplane
