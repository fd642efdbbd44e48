#include "common/policy/compiled_policies.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/policy/approvers.h"
#include "common/policy/common_approvers.h"
#include "common/policy/compiled_policy.h"
#include "common/policy/documents.h"
#include "common/policy/proto_duration.h"
#include "common/strings.h"

namespace sallyport {
namespace {

template <class List>
bool Holds(const List& list, std::string_view value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

bool MatchesButForScopes(const types::v1::PrincipalMatch& match,
                         const types::v1::Principal& principal) {
  if (match.realm() != principal.realm()) return false;
  if (match.kind() != types::v1::PRINCIPAL_KIND_UNSPECIFIED && match.kind() != principal.kind()) {
    return false;
  }
  if (!match.subjects().empty() && !Holds(match.subjects(), principal.subject())) return false;
  if (!match.client_ids().empty() && !Holds(match.client_ids(), principal.client_id())) {
    return false;
  }
  if (match.groups().empty()) return true;
  return std::any_of(match.groups().begin(), match.groups().end(), [&](const std::string& group) {
    return Holds(principal.groups(), absl::StrCat(match.realm(), ":", group));
  });
}

int MissingScopes(const types::v1::PrincipalMatch& match, const types::v1::Principal& principal) {
  return static_cast<int>(
      std::count_if(match.scopes().begin(), match.scopes().end(),
                    [&](const std::string& scope) { return !Holds(principal.scopes(), scope); }));
}

bool Names(const CompiledPolicy& policy, const types::v1::Principal& principal) {
  return std::any_of(policy.spec.principals().begin(), policy.spec.principals().end(),
                     [&](const types::v1::PrincipalMatch& match) {
                       return MatchesButForScopes(match, principal) &&
                              MissingScopes(match, principal) == 0;
                     });
}

// One policy's terms, with what it leaves out filled in.
struct Terms {
  explicit Terms(const types::v1::SessionTerms& session)
      : max_duration(Or(session.has_max_duration(), session.max_duration(), kDefaultMaxDuration)),
        idle_timeout(Or(session.has_idle_timeout(), session.idle_timeout(), kDefaultIdleTimeout)),
        disconnect_grace(Or(session.has_disconnect_grace(), session.disconnect_grace(),
                            kDefaultDisconnectGrace)) {}

  static absl::Duration Or(bool is_set, const google::protobuf::Duration& value,
                           absl::Duration fallback) {
    return is_set ? ToAbslDuration(value) : fallback;
  }

  absl::Duration max_duration;
  absl::Duration idle_timeout;
  absl::Duration disconnect_grace;
};

types::v1::EffectiveTerms TightestTerms(const std::vector<const CompiledPolicy*>& policies) {
  absl::Duration max_duration = absl::InfiniteDuration();
  absl::Duration idle_timeout = absl::InfiniteDuration();
  absl::Duration disconnect_grace = absl::InfiniteDuration();
  types::v1::EffectiveTerms effective;
  for (const CompiledPolicy* policy : policies) {
    const Terms terms(policy->spec.session());
    max_duration = std::min(max_duration, terms.max_duration);
    idle_timeout = std::min(idle_timeout, terms.idle_timeout);
    disconnect_grace = std::min(disconnect_grace, terms.disconnect_grace);
    const std::uint64_t max_calls = policy->spec.session().max_calls();
    if (max_calls != 0 && (effective.max_calls() == 0 || max_calls < effective.max_calls())) {
      effective.set_max_calls(max_calls);
    }
  }
  SetDuration(max_duration, effective.mutable_max_duration());
  SetDuration(idle_timeout, effective.mutable_idle_timeout());
  SetDuration(disconnect_grace, effective.mutable_disconnect_grace());
  return effective;
}

// To an address where one policy says so, or asks for an approval and does not say otherwise.
types::v1::BindMode TightestBind(const std::vector<const CompiledPolicy*>& policies) {
  for (const CompiledPolicy* policy : policies) {
    const types::v1::BindMode bind = policy->spec.session().bind();
    if (bind == types::v1::BIND_MODE_ADDRESS) return bind;
    if (bind == types::v1::BIND_MODE_UNSPECIFIED && policy->needs_approval()) {
      return types::v1::BIND_MODE_ADDRESS;
    }
  }
  return types::v1::BIND_MODE_PRINCIPAL;
}

types::v1::OpenMode StrictestOpen(const std::vector<const CompiledPolicy*>& policies) {
  const bool must_request =
      std::any_of(policies.begin(), policies.end(), [](const CompiledPolicy* policy) {
        return policy->spec.session().open() == types::v1::OPEN_MODE_REQUEST;
      });
  return must_request ? types::v1::OPEN_MODE_REQUEST : types::v1::OPEN_MODE_CONNECT;
}

// Fills `decision.approval`, or refuses.
void DecideApprovalTerms(const std::vector<const CompiledPolicy*>& policies,
                         OpenDecision& decision) {
  CommonApprovers common;
  for (const CompiledPolicy* policy : policies) {
    if (!policy->needs_approval()) continue;
    const types::v1::ApprovalTerms& terms = policy->spec.session().approval();
    common.Add(terms.approvers(), terms.has_expires_after() ? ToAbslDuration(terms.expires_after())
                                                            : kDefaultApprovalExpiry);
  }
  if (!common.is_needed()) return;
  if (common.approvers().empty()) {
    decision.reason = types::v1::DENIAL_REASON_POLICY_DENIED;
    decision.detail = absl::StrCat("the policies ", absl::StrJoin(decision.policies, ", "),
                                   " ask for approval and have no approver in common");
    return;
  }
  types::v1::ApprovalTerms& approval = decision.approval.emplace();
  for (const std::string& approver : common.approvers()) approval.add_approvers(approver);
  approval.set_count(1);
  SetDuration(common.expires_after(), approval.mutable_expires_after());
}

}  // namespace

bool LockMatches(const types::v1::LockSpec& lock, const types::v1::Principal& principal,
                 std::string_view server, std::string_view agent, absl::Time now) {
  if (lock.has_expires() && now >= absl::FromUnixSeconds(lock.expires().seconds()) +
                                       absl::Nanoseconds(lock.expires().nanos())) {
    return false;
  }
  if (!lock.server().empty() && lock.server() != server) return false;
  if (!lock.agent().empty() && lock.agent() != agent) return false;
  if (!lock.has_principal()) return true;
  const types::v1::LockedPrincipal& locked = lock.principal();
  return locked.realm() == principal.realm() &&
         (locked.subject().empty() || locked.subject() == principal.subject()) &&
         (locked.client_id().empty() || locked.client_id() == principal.client_id()) &&
         (locked.kind() == types::v1::PRINCIPAL_KIND_UNSPECIFIED ||
          locked.kind() == principal.kind());
}

CompiledPolicies::CompiledPolicies() = default;
CompiledPolicies::~CompiledPolicies() = default;

absl::StatusOr<std::shared_ptr<const CompiledPolicies>> CompiledPolicies::Compile(
    absl::Span<const types::v1::Document> documents) {
  std::shared_ptr<CompiledPolicies> compiled(new CompiledPolicies);
  for (const types::v1::Document& document : documents) {
    switch (document.spec_case()) {
      case types::v1::Document::kPolicy: {
        auto policy = std::make_unique<CompiledPolicy>();
        const absl::Status status =
            CompiledPolicy::Compile(document.name(), document.policy(), *policy);
        if (!status.ok()) {
          return absl::InvalidArgumentError(
              absl::StrCat("policy ", document.name(), ": ", status.message()));
        }
        compiled->policies_.push_back(std::move(policy));
        break;
      }
      case types::v1::Document::kMaskProfile:
        compiled->mask_profiles_.emplace(document.name(), document.mask_profile());
        break;
      case types::v1::Document::kLock:
        compiled->locks_.push_back({document.name(), document.lock()});
        break;
      case types::v1::Document::SPEC_NOT_SET:
        return absl::InvalidArgumentError(absl::StrCat("document ", document.name(),
                                                       " is of a kind that this version does not "
                                                       "know"));
    }
  }
  std::sort(compiled->policies_.begin(), compiled->policies_.end(),
            [](const auto& a, const auto& b) { return a->name < b->name; });
  return compiled;
}

std::vector<const CompiledPolicy*> CompiledPolicies::Matching(const types::v1::Principal& principal,
                                                              std::string_view server) const {
  std::vector<const CompiledPolicy*> matching;
  for (const std::unique_ptr<CompiledPolicy>& policy : policies_) {
    if (policy->CoversServer(server) && Names(*policy, principal)) matching.push_back(policy.get());
  }
  return matching;
}

OpenDecision CompiledPolicies::EvaluateOpen(const types::v1::Principal& principal,
                                            std::string_view server, std::string_view agent,
                                            absl::Time now) const {
  OpenDecision decision;
  const std::vector<const CompiledPolicy*> matching = Matching(principal, server);
  if (matching.empty()) {
    decision.reason = types::v1::DENIAL_REASON_SERVER_UNKNOWN;
    int fewest = 0;
    for (const std::unique_ptr<CompiledPolicy>& policy : policies_) {
      if (!policy->CoversServer(server)) continue;
      for (const types::v1::PrincipalMatch& match : policy->spec.principals()) {
        if (!MatchesButForScopes(match, principal)) continue;
        const int missing = MissingScopes(match, principal);
        if (fewest != 0 && missing >= fewest) continue;
        fewest = missing;
        decision.reason = types::v1::DENIAL_REASON_SCOPE_MISSING;
        decision.required_scopes.assign(match.scopes().begin(), match.scopes().end());
      }
    }
    return decision;
  }
  if (const std::string_view lock = LockOn(principal, server, agent, now); !lock.empty()) {
    decision.reason = types::v1::DENIAL_REASON_LOCKED;
    decision.lock = lock;
    return decision;
  }
  for (const CompiledPolicy* policy : matching) decision.policies.push_back(policy->name);
  decision.open = StrictestOpen(matching);
  decision.terms = TightestTerms(matching);
  decision.terms.set_bind(TightestBind(matching));
  DecideApprovalTerms(matching, decision);
  return decision;
}

std::string_view CompiledPolicies::LockOn(const types::v1::Principal& principal,
                                          std::string_view server, std::string_view agent,
                                          absl::Time now) const {
  for (const Lock& lock : locks_) {
    if (LockMatches(lock.spec, principal, server, agent, now)) return lock.name;
  }
  return {};
}

std::vector<std::string> CompiledPolicies::OwnersOf(const types::v1::Principal& principal) const {
  std::set<std::string> owners;
  for (const std::unique_ptr<CompiledPolicy>& policy : policies_) {
    for (const types::v1::PrincipalMatch& match : policy->spec.principals()) {
      if (!MatchesButForScopes(match, principal)) continue;
      owners.insert(match.owners().begin(), match.owners().end());
    }
  }
  return {owners.begin(), owners.end()};
}

}  // namespace sallyport
