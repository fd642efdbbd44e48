#include "common/policy/open_terms.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/policy/common_approvers.h"
#include "common/policy/documents.h"
#include "common/policy/proto_duration.h"
#include "common/strings.h"

namespace sallyport {
namespace {

using Policies = std::vector<const CompiledPolicy*>;

absl::Duration Or(bool is_set, const google::protobuf::Duration& value, absl::Duration fallback) {
  return is_set ? ToAbslDuration(value) : fallback;
}

absl::Duration MaxDurationOf(const types::v1::SessionTerms& session) {
  return Or(session.has_max_duration(), session.max_duration(), kDefaultMaxDuration);
}

// To an address where one policy says so, or asks for an approval and does not say otherwise.
types::v1::BindMode TightestBind(const Policies& policies) {
  for (const CompiledPolicy* policy : policies) {
    const types::v1::BindMode bind = policy->spec.session().bind();
    if (bind == types::v1::BIND_MODE_ADDRESS) return bind;
    if (bind == types::v1::BIND_MODE_UNSPECIFIED && policy->NeedsApproval()) {
      return types::v1::BIND_MODE_ADDRESS;
    }
  }
  return types::v1::BIND_MODE_PRINCIPAL;
}

// Strict where one policy says so, with the shortest lease of all.
void SetLoss(const Policies& policies, types::v1::EffectiveTerms& effective) {
  absl::Duration lease = absl::InfiniteDuration();
  effective.set_on_control_plane_loss(types::v1::CONTROL_PLANE_LOSS_CONTINUITY);
  for (const CompiledPolicy* policy : policies) {
    const types::v1::SessionTerms& session = policy->spec.session();
    const bool is_strict = session.on_control_plane_loss() == types::v1::CONTROL_PLANE_LOSS_STRICT;
    if (is_strict) effective.set_on_control_plane_loss(types::v1::CONTROL_PLANE_LOSS_STRICT);
    lease = std::min(lease, Or(session.has_lease(), session.lease(),
                               is_strict ? kDefaultStrictLease : absl::InfiniteDuration()));
  }
  if (lease != absl::InfiniteDuration()) SetDuration(lease, effective.mutable_lease());
}

// What a session needs beside its terms.
struct Admission {
  types::v1::DenialReason reason = types::v1::DENIAL_REASON_UNSPECIFIED;
  std::string detail;
  // The policy that asks for the most.
  std::string policy;
  types::v1::OpenMode open = types::v1::OPEN_MODE_CONNECT;
  std::optional<types::v1::ApprovalTerms> approval;
  std::optional<absl::Duration> break_glass;
};

// In every policy that asks for an approval, or not at all.
std::optional<absl::Duration> BreakGlass(const Policies& policies,
                                         const types::v1::Principal& principal) {
  absl::Duration longest = absl::InfiniteDuration();
  for (const CompiledPolicy* policy : policies) {
    const types::v1::SessionTerms& session = policy->spec.session();
    longest = std::min(longest, MaxDurationOf(session));
    if (!policy->NeedsApproval()) continue;
    const types::v1::BreakGlassTerms& terms = session.break_glass();
    const bool may =
        std::any_of(terms.groups().begin(), terms.groups().end(), [&](const std::string& group) {
          return std::find(principal.groups().begin(), principal.groups().end(), group) !=
                 principal.groups().end();
        });
    if (!may) return std::nullopt;
    longest = std::min(longest, Or(terms.has_max_duration(), terms.max_duration(), longest));
  }
  return longest;
}

void AddApproval(const Policies& policies, const types::v1::Principal& principal,
                 Admission& admission) {
  CommonApprovers common;
  for (const CompiledPolicy* policy : policies) {
    if (!policy->NeedsApproval()) continue;
    if (!common.is_needed()) admission.policy = policy->name;
    const types::v1::ApprovalTerms& terms = policy->spec.session().approval();
    common.Add(terms.approvers(), std::max(terms.count(), 1U),
               Or(terms.has_expires_after(), terms.expires_after(), kDefaultApprovalExpiry));
  }
  if (!common.is_needed()) return;
  if (common.approvers().empty()) {
    std::vector<std::string> names;
    for (const CompiledPolicy* policy : policies) names.push_back(policy->name);
    admission.reason = types::v1::DENIAL_REASON_POLICY_DENIED;
    admission.detail = absl::StrCat("the policies ", absl::StrJoin(names, ", "),
                                    " ask for approval and have no approver in common");
    return;
  }
  types::v1::ApprovalTerms& approval = admission.approval.emplace();
  for (const std::string& approver : common.approvers()) approval.add_approvers(approver);
  approval.set_count(common.count());
  SetDuration(common.expires_after(), approval.mutable_expires_after());
  admission.break_glass = BreakGlass(policies, principal);
}

// `is_granted`: by somebody else than the policies.
Admission AdmissionBy(const Policies& policies, const types::v1::Principal& principal,
                      absl::Time now, bool is_granted) {
  Admission admission;
  const bool is_open =
      is_granted || std::any_of(policies.begin(), policies.end(),
                                [&](const auto* policy) { return policy->IsOpen(now); });
  if (!is_open) {
    admission.reason = types::v1::DENIAL_REASON_POLICY_DENIED;
    admission.detail = "it is outside of the hours in which policy allows it";
    admission.policy = policies.front()->name;
    return admission;
  }
  for (const CompiledPolicy* policy : policies) {
    if (policy->spec.session().open() != types::v1::OPEN_MODE_REQUEST) continue;
    admission.open = types::v1::OPEN_MODE_REQUEST;
    admission.policy = policy->name;
    break;
  }
  AddApproval(policies, principal, admission);
  return admission;
}

// What `enforced` would have asked for and `lifted` does not.
std::optional<Observed> Difference(const Admission& enforced, const Admission& lifted) {
  if (lifted.reason != types::v1::DENIAL_REASON_UNSPECIFIED) return std::nullopt;
  Observed observed{.policy = enforced.policy, .detail = enforced.detail};
  if (enforced.reason != types::v1::DENIAL_REASON_UNSPECIFIED) {
    observed.reason = enforced.reason;
  } else if (enforced.approval && !lifted.approval) {
    observed.reason = types::v1::DENIAL_REASON_APPROVAL_PENDING;
  } else if (enforced.open != lifted.open) {
    observed.reason = types::v1::DENIAL_REASON_SESSION_REQUIRED;
  } else {
    return std::nullopt;
  }
  return observed;
}

Policies Enforcing(const Policies& policies, absl::Time now) {
  Policies enforcing;
  std::copy_if(policies.begin(), policies.end(), std::back_inserter(enforcing),
               [&](const CompiledPolicy* policy) { return !policy->IsObserving(now); });
  return enforcing;
}

// Whoever could approve what `had` asked may approve what `now` asks, and so many of them had to.
bool Covers(const types::v1::ApprovalTerms& had, const types::v1::ApprovalTerms& now) {
  return had.count() >= now.count() &&
         std::all_of(had.approvers().begin(), had.approvers().end(), [&](const auto& approver) {
           return std::find(now.approvers().begin(), now.approvers().end(), approver) !=
                  now.approvers().end();
         });
}

bool IsLonger(bool is_set, const google::protobuf::Duration& had, bool is_limited,
              const google::protobuf::Duration& now) {
  return is_limited && (!is_set || ToAbslDuration(had) > ToAbslDuration(now));
}

// The first of the terms that is less tight than it would be now. Empty: none is.
std::string_view LooserTerm(const types::v1::EffectiveTerms& had,
                            const types::v1::EffectiveTerms& now) {
  if (IsLonger(true, had.max_duration(), true, now.max_duration())) return "max_duration";
  if (IsLonger(true, had.idle_timeout(), true, now.idle_timeout())) return "idle_timeout";
  if (IsLonger(true, had.disconnect_grace(), true, now.disconnect_grace())) {
    return "disconnect_grace";
  }
  if (now.max_calls() != 0 && (had.max_calls() == 0 || had.max_calls() > now.max_calls())) {
    return "max_calls";
  }
  if (now.bind() == types::v1::BIND_MODE_ADDRESS && had.bind() != now.bind()) return "bind";
  return IsLonger(had.has_lease(), had.lease(), now.has_lease(), now.lease()) ? "lease" : "";
}

}  // namespace

types::v1::EffectiveTerms TightestTerms(const Policies& policies,
                                        const types::v1::ServerSpec* server) {
  absl::Duration max_duration = absl::InfiniteDuration();
  absl::Duration idle_timeout = absl::InfiniteDuration();
  absl::Duration disconnect_grace = absl::InfiniteDuration();
  types::v1::EffectiveTerms effective;
  for (const CompiledPolicy* policy : policies) {
    const types::v1::SessionTerms& session = policy->spec.session();
    max_duration = std::min(max_duration, MaxDurationOf(session));
    idle_timeout = std::min(
        idle_timeout, Or(session.has_idle_timeout(), session.idle_timeout(), kDefaultIdleTimeout));
    disconnect_grace = std::min(
        disconnect_grace,
        Or(session.has_disconnect_grace(), session.disconnect_grace(), kDefaultDisconnectGrace));
    const std::uint64_t max_calls = session.max_calls();
    if (max_calls != 0 && (effective.max_calls() == 0 || max_calls < effective.max_calls())) {
      effective.set_max_calls(max_calls);
    }
  }
  SetDuration(max_duration, effective.mutable_max_duration());
  SetDuration(idle_timeout, effective.mutable_idle_timeout());
  SetDuration(disconnect_grace, effective.mutable_disconnect_grace());
  effective.set_bind(TightestBind(policies));
  SetLoss(policies, effective);
  for (types::v1::SessionLimit& limit : LimitsOf(policies, server)) {
    *effective.add_limits() = std::move(limit);
  }
  return effective;
}

std::vector<types::v1::SessionLimit> LimitsOf(const Policies& policies,
                                              const types::v1::ServerSpec* server) {
  std::map<std::pair<int, absl::Duration>, types::v1::SessionLimit> tightest;
  const auto add = [&](const auto& limits) {
    for (const types::v1::SessionLimit& limit : limits) {
      const auto [at, is_new] =
          tightest.try_emplace({limit.per(), ToAbslDuration(limit.within())}, limit);
      if (is_new) continue;
      at->second.set_calls(std::min(at->second.calls(), limit.calls()));
      at->second.set_concurrent(std::min(at->second.concurrent(), limit.concurrent()));
    }
  };
  for (const CompiledPolicy* policy : policies) add(policy->spec.session().limits());
  if (server != nullptr) add(server->limits());
  std::vector<types::v1::SessionLimit> limits;
  for (auto& [kind, limit] : tightest) limits.push_back(std::move(limit));
  return limits;
}

bool HasLimit(const google::protobuf::RepeatedPtrField<types::v1::SessionLimit>& limits,
              const types::v1::SessionLimit& effective) {
  return std::ranges::any_of(limits, [&](const types::v1::SessionLimit& limit) {
    return limit.per() == effective.per() && limit.calls() == effective.calls() &&
           limit.concurrent() == effective.concurrent() &&
           ToAbslDuration(limit.within()) == ToAbslDuration(effective.within());
  });
}

void DecideAdmission(const Policies& policies, const types::v1::Principal& principal,
                     absl::Time now, OpenDecision& decision) {
  Admission admission = AdmissionBy(policies, principal, now, false);
  const Policies enforcing = Enforcing(policies, now);
  if (enforcing.size() < policies.size()) {
    Admission lifted = AdmissionBy(enforcing, principal, now, true);
    decision.observed = Difference(admission, lifted);
    admission = std::move(lifted);
  }
  decision.reason = admission.reason;
  decision.detail = std::move(admission.detail);
  decision.break_glass = admission.break_glass;
  decision.terms.set_open(admission.open);
  if (admission.approval) *decision.terms.mutable_approval() = *std::move(admission.approval);
}

std::string FreerThan(const Policies& policies, const types::v1::Principal& principal,
                      const types::v1::ServerSpec* server, const types::v1::EffectiveTerms& terms,
                      absl::Time now) {
  const Admission admission = AdmissionBy(Enforcing(policies, now), principal, now, true);
  if (admission.reason != types::v1::DENIAL_REASON_UNSPECIFIED) {
    return "ask for an approval that nobody can give";
  }
  if (admission.approval && terms.has_break_glass()) {
    if (!admission.break_glass || ToAbslDuration(terms.break_glass()) > *admission.break_glass) {
      return "let nobody break the glass that was broken, or for less time";
    }
  } else if (admission.approval && !terms.has_approval()) {
    return "ask for an approval that the session has not had";
  } else if (admission.approval && !Covers(terms.approval(), *admission.approval)) {
    return "ask for other or more approvers than the session has had";
  }
  if (admission.open == types::v1::OPEN_MODE_REQUEST &&
      terms.open() != types::v1::OPEN_MODE_REQUEST) {
    return "want a session to be asked for before it is opened";
  }
  const std::string_view looser = LooserTerm(terms, TightestTerms(policies, server));
  return looser.empty() ? "" : absl::StrCat("set a tighter ", ToAbsl(looser));
}

}  // namespace sallyport
