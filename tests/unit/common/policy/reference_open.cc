#include <algorithm>
#include <map>

#include "tests/unit/common/policy/reference_model.h"

namespace sallyport::reference {
namespace {

using InForce = std::vector<const types::v1::PolicySpec*>;

long Or(bool is_set, const google::protobuf::Duration& value, long fallback) {
  return is_set ? static_cast<long>(value.seconds()) : fallback;
}

long MaxDuration(const types::v1::PolicySpec& policy) {
  return Or(policy.session().has_max_duration(), policy.session().max_duration(), 3600);
}

void AddApproval(const InForce& policies, const types::v1::Principal& principal, Opening& opening) {
  bool is_first = true, may_break = true;
  long longest = 1 << 30;
  opening.expires_seconds = 1 << 30;
  for (const auto* policy : policies) {
    longest = std::min(longest, MaxDuration(*policy));
    if (!policy->session().has_approval()) continue;
    const types::v1::ApprovalTerms& terms = policy->session().approval();
    std::set<std::string> common;
    for (const std::string& name : terms.approvers()) {
      if (is_first || opening.approvers.count(name) > 0) common.insert(name);
    }
    opening.approvers = common;
    opening.count = std::max({opening.count, static_cast<int>(terms.count()), 1});
    opening.expires_seconds = std::min(opening.expires_seconds,
                                       Or(terms.has_expires_after(), terms.expires_after(), 600));
    is_first = false;
    bool is_among = false;
    const types::v1::BreakGlassTerms& glass = policy->session().break_glass();
    for (const std::string& group : glass.groups()) {
      for (const std::string& own : principal.groups()) is_among = is_among || own == group;
    }
    may_break = may_break && is_among;
    if (glass.has_max_duration()) longest = std::min<long>(longest, glass.max_duration().seconds());
  }
  if (is_first) {
    opening.expires_seconds = 0;
  } else if (opening.approvers.empty()) {
    opening = {.reason = types::v1::DENIAL_REASON_POLICY_DENIED};
  } else if (may_break) {
    opening.break_glass_seconds = longest;
  }
}

Opening Admit(const InForce& policies, const types::v1::Principal& principal, long now,
              bool is_granted) {
  Opening opening;
  for (const auto* policy : policies) is_granted = is_granted || IsOpen(*policy, now);
  if (!is_granted) return {.reason = types::v1::DENIAL_REASON_POLICY_DENIED};
  for (const auto* policy : policies) {
    if (policy->session().open() == types::v1::OPEN_MODE_REQUEST) opening.must_request = true;
  }
  AddApproval(policies, principal, opening);
  return opening;
}

void AddTerms(const InForce& policies, Opening& opening) {
  opening.max_duration_seconds = 1 << 30;
  long lease = 1 << 30;
  std::map<std::pair<long, long>, long> limits;
  for (const auto* policy : policies) {
    const types::v1::SessionTerms& session = policy->session();
    opening.max_duration_seconds = std::min(opening.max_duration_seconds, MaxDuration(*policy));
    const bool is_strict = session.on_control_plane_loss() == types::v1::CONTROL_PLANE_LOSS_STRICT;
    opening.is_strict = opening.is_strict || is_strict;
    lease = std::min(lease, Or(session.has_lease(), session.lease(), is_strict ? 10 : 1 << 30));
    for (const types::v1::SessionLimit& limit : session.limits()) {
      const long number = static_cast<long>(limit.calls()) + limit.concurrent();
      long& least =
          limits.try_emplace({limit.per(), limit.within().seconds()}, number).first->second;
      least = std::min(least, number);
    }
  }
  opening.lease_seconds = lease == 1 << 30 ? 0 : lease;
  for (const auto& [kind, number] : limits) {
    opening.limits.insert({kind.first, kind.second, number});
  }
}

types::v1::DenialReason WouldHaveAsked(const Opening& enforced, const Opening& lifted) {
  if (lifted.reason != types::v1::DENIAL_REASON_UNSPECIFIED) return {};
  if (enforced.reason != types::v1::DENIAL_REASON_UNSPECIFIED) return enforced.reason;
  if (enforced.count > 0 && lifted.count == 0) return types::v1::DENIAL_REASON_APPROVAL_PENDING;
  if (enforced.must_request && !lifted.must_request) {
    return types::v1::DENIAL_REASON_SESSION_REQUIRED;
  }
  return types::v1::DENIAL_REASON_UNSPECIFIED;
}

}  // namespace

Opening Open(const Policies& policies, const types::v1::Principal& principal,
             const std::string& server, long now) {
  InForce naming, enforcing;
  bool lacks_scopes = false;
  for (const types::v1::PolicySpec& policy : policies) {
    types::v1::PolicySpec without_scopes = policy;
    for (auto& match : *without_scopes.mutable_principals()) match.clear_scopes();
    lacks_scopes = lacks_scopes || Names(without_scopes, principal, server);
    if (!Names(policy, principal, server)) continue;
    naming.push_back(&policy);
    if (!Observes(policy, now)) enforcing.push_back(&policy);
  }
  if (naming.empty()) {
    return {.reason = lacks_scopes ? types::v1::DENIAL_REASON_SCOPE_MISSING
                                   : types::v1::DENIAL_REASON_SERVER_UNKNOWN};
  }
  const Opening enforced = Admit(naming, principal, now, false);
  Opening opening = enforced;
  if (enforcing.size() < naming.size()) {
    opening = Admit(enforcing, principal, now, true);
    opening.observed = WouldHaveAsked(enforced, opening);
  }
  if (opening.reason == types::v1::DENIAL_REASON_UNSPECIFIED) AddTerms(naming, opening);
  return opening;
}

}  // namespace sallyport::reference
