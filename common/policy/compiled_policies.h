#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "common/policy/decision.h"
#include "common/policy/principal_index.h"
#include "sallyport/types/v1/policy.pb.h"
#include "sallyport/types/v1/principal.pb.h"

namespace sallyport {

struct CompiledPolicy;

struct SessionEndByPolicy {
  absl::Time at = absl::InfiniteFuture();
  // What the policies do, without their subject: "ask for an approval that the session has not
  // had".
  std::string why = {};
};

// All documents of a deployment (or of one agent's snapshot), ready to decide with. Immutable and
// shared: a decision is made by exactly one version.
//
// Deny beats approval beats allow; over several policies rights add up, the strictest approval and
// the tightest limits hold, masks add up. A policy that is silent on a limit has the default for
// it. Where several policies or rules ask for approval, only approvers whom all of them name count,
// the highest count and the shortest time hold; where they have no approver in common, the answer
// is no. A policy that observes lets through whatever no other policy refuses.
class CompiledPolicies {
 public:
  // Documents of any kind, as ParseDocuments made them. kInvalidArgument, naming the document, for
  // what ParseDocuments would have refused: a version that does not understand a document must
  // not guess.
  static absl::StatusOr<std::shared_ptr<const CompiledPolicies>> Compile(
      absl::Span<const types::v1::Document> documents);

  ~CompiledPolicies();
  CompiledPolicies(const CompiledPolicies&) = delete;
  CompiledPolicies& operator=(const CompiledPolicies&) = delete;

  // `agent`: the one that asks; empty: not known yet, and locks of a single agent do not count.
  OpenDecision EvaluateOpen(const types::v1::Principal& principal, std::string_view server,
                            std::string_view agent, absl::Time now) const;

  // From when on a session that was opened on `terms` goes no further, for a new one would have to
  // be opened on stricter ones. The hours count for calls, not for sessions.
  // InfiniteFuture: as long as these policies are in force.
  SessionEndByPolicy EndOf(const types::v1::Principal& principal, std::string_view server,
                           const types::v1::EffectiveTerms& terms, absl::Time now) const;

  // The name of a lock that shuts this out now; empty: none does. The name lives as long as this.
  std::string_view LockOn(const types::v1::Principal& principal, std::string_view server,
                          std::string_view agent, absl::Time now) const;

  // The name of a lock that shuts this principal out of everything now: one that names principals,
  // and neither a server nor an agent. Empty: none does. Lives as long as this.
  std::string_view LockOut(const types::v1::Principal& principal, absl::Time now) const;

  // Who owns this principal by any policy entry that matches it, whatever its scopes.
  std::vector<std::string> OwnersOf(const types::v1::Principal& principal) const;

  // The scopes that every entry of every policy asks for, in order: nobody gets in anywhere without
  // them.
  const std::vector<std::string>& scopes_of_all() const { return scopes_of_all_; }

  // The server's document; null: it has none.
  const types::v1::ServerSpec* FindServer(std::string_view name) const;
  // HOLD, DENY or IGNORE.
  types::v1::PinMode PinOf(std::string_view server) const;

  // Those of policies' `mask` that are not built in.
  const std::map<std::string, types::v1::MaskProfileSpec>& mask_profiles() const {
    return mask_profiles_;
  }

 private:
  friend class SessionPolicy;
  friend class Explainer;
  friend class WhatIf;
  struct Lock {
    std::string name;
    types::v1::LockSpec spec;
  };

  CompiledPolicies();
  // Those that name the principal for the server, by name.
  std::vector<const CompiledPolicy*> Matching(const types::v1::Principal& principal,
                                              std::string_view server) const;

  std::vector<std::unique_ptr<CompiledPolicy>> policies_;  // by name
  PrincipalIndex principals_;
  std::vector<std::string> scopes_of_all_;
  std::map<std::string, types::v1::MaskProfileSpec> mask_profiles_;
  std::vector<Lock> locks_;
  std::map<std::string, types::v1::ServerSpec, std::less<>> servers_;
};

// Whether a lock's document shuts out this principal on this server now. `agent` empty: a lock of
// an agent does not match.
bool LockMatches(const types::v1::LockSpec& lock, const types::v1::Principal& principal,
                 std::string_view server, std::string_view agent, absl::Time now);

}  // namespace sallyport
