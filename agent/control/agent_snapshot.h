#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/grant/verify.h"
#include "common/policy/compiled_policies.h"
#include "common/principal/trusted_issuers.h"
#include "sallyport/agent/v1/snapshot_service.pb.h"
#include "sallyport/types/v1/policy.pb.h"

namespace sallyport::agent {

// What a tool's definition was accepted as.
struct ToolPin {
  std::string definition_hash;
  // Its server said something else when somebody looked last.
  bool is_changed = false;
};

// What becomes of a tool whose server says something else of it than what was accepted.
enum class PinMode : std::uint8_t {
  kHold,    // hidden, and calls of it wait
  kDeny,    // hidden, and calls of it are refused
  kIgnore,  // nothing
};

// What an agent must know to decide alone, ready to be asked: immutable, shared, and swapped whole.
// A call takes it once and is judged by that one from beginning to end.
class AgentSnapshot {
 public:
  // A policy that cannot be understood here, such as one by a zone that this machine does not
  // know, gives nothing to whom it names and refuses him everything on its servers.
  // kInvalidArgument, naming what it is, when any other part cannot be understood or is withheld.
  static absl::StatusOr<std::shared_ptr<const AgentSnapshot>> Compile(const v1::Snapshot& snapshot);
  // What stands in for `newer`, which does not compile: nobody may do anything.
  static std::shared_ptr<const AgentSnapshot> Shut(const AgentSnapshot& last,
                                                   const v1::Snapshot& newer);

  std::uint64_t epoch() const { return epoch_; }
  std::uint64_t version() const { return version_; }
  absl::Time made_at() const { return made_at_; }
  const std::string& agent() const { return agent_; }
  const std::string& deployment_id() const { return deployment_id_; }
  // Whether the control plane lets this agent front `server`.
  bool Fronts(std::string_view server) const { return servers_.contains(server); }

  // The policies that cannot be understood here, and why. Empty: there are none.
  const std::string& not_understood() const { return not_understood_; }
  // Policies and locks. Never null.
  const std::shared_ptr<const CompiledPolicies>& policies() const { return policies_; }
  // By name, for MaskPlan::Compile.
  const std::map<std::string, types::v1::MaskProfileSpec>& mask_profiles() const {
    return policies_->mask_profiles();
  }
  // Never null.
  const std::shared_ptr<const TrustedIssuers>& issuers() const { return issuers_; }
  // For TrustedIssuers::Identify. No keys for an issuer that it does not know, or that has not been
  // reached yet.
  KnownKeys KeysOf(std::string_view issuer_id) const;
  // What digests of the server's calls are made with, 32 bytes. Empty: the control plane gave none
  // for it.
  std::string_view EffectKeyOf(std::string_view server) const;
  // As the server's document says; kHold where there is none.
  PinMode PinModeOf(std::string_view server) const;
  // Null: the tool has no definition that was accepted.
  const ToolPin* PinOf(std::string_view server, std::string_view tool) const;
  // By name, the tools of the server that have one.
  const std::map<std::string, ToolPin, std::less<>>& PinsOf(std::string_view server) const;
  // Takes the grants that are for this agent.
  const GrantVerifier& grants() const { return *grants_; }

 private:
  AgentSnapshot() = default;

  std::uint64_t epoch_ = 0;
  std::uint64_t version_ = 0;
  absl::Time made_at_;
  std::string agent_;
  std::string deployment_id_;
  std::set<std::string, std::less<>> servers_;
  std::shared_ptr<const CompiledPolicies> policies_;
  std::string not_understood_;
  std::shared_ptr<const TrustedIssuers> issuers_;
  std::map<std::string, KnownKeys, std::less<>> keys_;
  std::map<std::string, std::string, std::less<>> effect_keys_;
  std::shared_ptr<const GrantVerifier> grants_;
  std::map<std::string, std::map<std::string, ToolPin, std::less<>>, std::less<>> tool_pins_;
  // Only those that are not kHold.
  std::map<std::string, PinMode, std::less<>> pin_modes_;
};

}  // namespace sallyport::agent
