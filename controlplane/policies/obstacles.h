#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/policy/compiled_policies.h"
#include "controlplane/keys/effect_keys.h"
#include "controlplane/store/database.h"
#include "sallyport/types/v1/approval.pb.h"
#include "sallyport/types/v1/explanation.pb.h"
#include "sallyport/types/v1/policy_test_document.pb.h"
#include "sallyport/types/v1/principal.pb.h"

namespace sallyport::controlplane {

// What keeps out whom the documents let in, as far as the control plane knows: who fronts the
// server, what is pinned and changed, what was used up, and what people have said.
class Obstacles {
 public:
  // All of them outlive it.
  Obstacles(Transaction& t, std::shared_ptr<const CompiledPolicies> policies,
            const EffectKeys& effect_keys, const types::v1::Principal& principal,
            const std::string& server, absl::Time now)
      : t_(t),
        policies_(std::move(policies)),
        effect_keys_(effect_keys),
        principal_(principal),
        server_(server),
        now_(now) {}

  // Those that an opening meets which is explained so, and where it is not denied anyway.
  absl::Status AddToOpening(types::v1::Explanation& opening) const;
  // Those that the call meets beside.
  absl::Status AddToCall(const types::v1::PolicyTestCall& asked,
                         types::v1::Explanation& call) const;

 private:
  absl::Status AddAgents(types::v1::Explanation& opening) const;
  absl::Status AddUsedUp(types::v1::Explanation& opening) const;
  absl::Status AddStandingNo(types::v1::Explanation& opening) const;
  // As agents are answered it: to the client's identical call, asked of the same people about the
  // same definition.
  absl::Status AddStandingNo(const types::v1::PolicyTestCall& asked,
                             types::v1::Explanation& call) const;
  absl::StatusOr<bool> IsStillAsked(const types::v1::Approval& denied,
                                    const types::v1::Explanation& call) const;
  void AddOwners(types::v1::Explanation& explanation) const;
  absl::Status AddChanged(const std::string& tool, types::v1::Explanation& call) const;
  absl::Status AddUsedEffects(const types::v1::PolicyTestCall& asked,
                              types::v1::Explanation& call) const;

  Transaction& t_;
  const std::shared_ptr<const CompiledPolicies> policies_;
  const EffectKeys& effect_keys_;
  const types::v1::Principal& principal_;
  const std::string& server_;
  const absl::Time now_;
};

}  // namespace sallyport::controlplane
