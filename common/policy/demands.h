#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/policy/argument.h"
#include "common/policy/common_approvers.h"
#include "common/policy/compiled_policy.h"
#include "common/policy/decision.h"

namespace sallyport {

// Why a call is refused that lacks what a rule's `once`, or its `limit`, reads. The last two are
// followed by the pointer of what is missing.
inline constexpr std::string_view kReadInTwoWays = "the arguments can be read in more than one way";
inline constexpr std::string_view kNothingToPassOnce =
    "an argument is missing by which the call may pass only once: ";
inline constexpr std::string_view kNothingToCount =
    "the argument is missing whose objects are counted: ";

// What all the rules ask that let one call through: `once`, `limit`, `on_unknown`.
class Demands {
 public:
  // `server` and `arguments` outlive this.
  Demands(std::string_view server, const Arguments& arguments)
      : server_(server), arguments_(arguments) {}

  void Add(const CompiledRule& rule);
  // Of a rule of which nobody here can say whether it applies: only what becomes of a call whose
  // outcome is unknown.
  void AddOnUnknown(const CompiledRule& rule);

  // Of a rule about the call whose conditions fail: the objects that its limit counts.
  void AddCounted(const CompiledRule& rule);

  // Completes `decision`, which is kAllow or kRequireApproval, or refuses the call.
  CallDecision Complete(CallDecision decision) &&;

 private:
  void Refuse(const CompiledRule& rule, types::v1::DenialReason reason, std::string detail);
  void AddOnce(const CompiledRule& rule);
  void AddLimit(const CompiledRule& rule);

  std::string_view server_;
  const Arguments& arguments_;
  std::vector<OnceDemand> once_;
  std::vector<LimitDemand> limits_;
  std::vector<LimitDemand> counted_;
  types::v1::OnUnknown on_unknown_ = types::v1::ON_UNKNOWN_ALLOW;
  CommonApprovers asked_;  // where an outcome is unknown
  std::optional<CallDecision> refusal_;
};

}  // namespace sallyport
