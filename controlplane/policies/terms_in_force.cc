#include "controlplane/policies/terms_in_force.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/policy/compile_rule.h"
#include "common/policy/documents.h"
#include "common/policy/principal_match.h"
#include "common/policy/session_policy.h"
#include "common/status_macros.h"
#include "common/time_text.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/store/documents.h"

namespace sallyport::controlplane {
namespace {

using types::v1::Document;
using types::v1::PolicySpec;
using types::v1::PrincipalMatch;
using types::v1::RuleBody;

// What the policy asks of him beside who he is: of the first entry that names him, or nothing where
// one of them asks nothing.
PrincipalMatch NeedsOf(const PolicySpec& policy, const types::v1::Principal& principal) {
  std::optional<PrincipalMatch> needs;
  for (const PrincipalMatch& entry : policy.principals()) {
    PolicySpec alone;
    *alone.add_principals() = entry;
    if (!Names(alone, principal)) continue;
    PrincipalMatch asked;
    *asked.mutable_groups() = entry.groups();
    *asked.mutable_scopes() = entry.scopes();
    *asked.mutable_claims() = entry.claims();
    if (asked.groups().empty() && asked.scopes().empty() && asked.claims().empty()) return asked;
    if (!needs) needs = std::move(asked);
  }
  return needs.value_or(PrincipalMatch());
}

bool IsSame(const google::protobuf::Message& a, const google::protobuf::Message& b) {
  return a.SerializeAsString() == b.SerializeAsString();
}

// All of both. False: one entry cannot say it.
bool AddNeeds(const PrincipalMatch& needs, PrincipalMatch& all) {
  for (const std::string& scope : needs.scopes()) {
    const auto& has = all.scopes();
    if (std::find(has.begin(), has.end(), scope) == has.end()) all.add_scopes(scope);
  }
  const auto texts = [](const auto& list) {
    return std::vector<std::string>(list.begin(), list.end());
  };
  if (all.groups().empty()) *all.mutable_groups() = needs.groups();
  bool is_said = needs.groups().empty() || texts(needs.groups()) == texts(all.groups());
  for (const auto& [name, values] : needs.claims()) {
    const auto [place, is_new] = all.mutable_claims()->insert({name, values});
    is_said = is_said && (is_new || IsSame(place->second, values));
  }
  return is_said;
}

google::protobuf::Duration ExpiryOf(const types::v1::ApprovalTerms& approval) {
  return approval.has_expires_after() ? approval.expires_after() : ToProto(kDefaultApprovalExpiry);
}

// As it would read in a policy with other session terms.
RuleBody Complete(RuleBody body, bool is_approval, const types::v1::SessionTerms& session) {
  const types::v1::ApprovalTerms& approval = session.approval();
  if (is_approval && body.approvers().empty()) {
    *body.mutable_approvers() = approval.approvers();
    if (body.count() == 0) body.set_count(approval.count());
  }
  if (is_approval && !body.has_expires_after()) {
    *body.mutable_expires_after() = ExpiryOf(approval);
  }
  // Who is asked about a repetition, if anybody, is the session's approvers.
  const bool has_default = body.on_unknown() == types::v1::ON_UNKNOWN_UNSPECIFIED;
  if (!is_approval && body.has_once() && has_default) {
    body.set_on_unknown(approval.approvers().empty() ? types::v1::ON_UNKNOWN_DENY
                                                     : types::v1::ON_UNKNOWN_ASK);
  }
  if (body.limit().per_window() != 0 && !body.limit().has_window()) {
    *body.mutable_limit()->mutable_window() = ToProto(WindowOf(body.limit(), session));
  }
  return body;
}

types::v1::Rule Complete(types::v1::Rule rule, const types::v1::SessionTerms& session) {
  if (rule.has_allow()) {
    *rule.mutable_allow() = Complete(std::move(*rule.mutable_allow()), false, session);
  }
  if (rule.has_require_approval()) {
    *rule.mutable_require_approval() =
        Complete(std::move(*rule.mutable_require_approval()), true, session);
  }
  return rule;
}

// Anybody of both, as many of them as the stricter asks for, within the shorter time.
void AddApproval(const types::v1::ApprovalTerms& asked, types::v1::ApprovalTerms& all) {
  if (asked.approvers().empty()) return;
  const bool is_first = all.approvers().empty();
  for (const std::string& approver : asked.approvers()) {
    const auto& has = all.approvers();
    if (std::find(has.begin(), has.end(), approver) == has.end()) all.add_approvers(approver);
  }
  all.set_count(std::max(all.count(), asked.count()));
  const google::protobuf::Duration expiry = ExpiryOf(asked);
  if (is_first || FromProto(expiry) < FromProto(all.expires_after())) {
    *all.mutable_expires_after() = expiry;
  }
}

bool IsSame(const std::vector<types::v1::Hours>& a, const PolicySpec& b) {
  return std::equal(a.begin(), a.end(), b.hours().begin(), b.hours().end(),
                    [](const auto& x, const auto& y) { return IsSame(x, y); });
}

}  // namespace

absl::StatusOr<PoliciesInForce> PoliciesInForce::Read(Database& control, absl::Time now) {
  ASSIGN_OR_RETURN(const auto t, control.Read());
  PoliciesInForce in_force;
  in_force.now_ = now;
  ASSIGN_OR_RETURN(in_force.documents_, documents::All(*t));
  std::erase_if(in_force.documents_, [](const Document& document) { return document.has_lock(); });
  std::vector<Document> at_any_hour = in_force.documents_;
  for (Document& document : at_any_hour) {
    if (document.has_policy()) document.mutable_policy()->clear_hours();
  }
  ASSIGN_OR_RETURN(in_force.at_any_hour_, CompiledPolicies::Compile(at_any_hour));
  return in_force;
}

OpenDecision PoliciesInForce::Open(const types::v1::Session& session,
                                   types::v1::Principal& principal) const {
  const auto open = [&] {
    return at_any_hour_->EvaluateOpen(principal, session.server(), session.agent(), now_);
  };
  OpenDecision decision = open();
  if (decision.reason != types::v1::DENIAL_REASON_SCOPE_MISSING) return decision;
  for (const std::string& scope : decision.required_scopes) principal.add_scopes(scope);
  return open();
}

TermsInForce PoliciesInForce::For(const types::v1::Session& session) const {
  TermsInForce terms;
  types::v1::Principal principal = session.principal();
  OpenDecision open = Open(session, principal);
  const bool is_never_met = open.reason == types::v1::DENIAL_REASON_POLICY_DENIED;
  if (is_never_met) terms.not_carried.push_back(open.detail);
  if (is_never_met || open.is_allowed()) terms.open = std::move(open);
  const auto bound = SessionPolicy::Bind(at_any_hour_, principal, session.server());
  terms.mask = bound->mask_names();
  terms.recording = bound->recording_content();
  for (const std::string& owner : at_any_hour_->OwnersOf(principal)) terms.match.add_owners(owner);
  bool is_first = true;
  for (const Document& document : documents_) {
    const auto& names = bound->policy_names();
    const bool names_him = std::find(names.begin(), names.end(), document.name()) != names.end();
    if (!document.has_policy() || !names_him) continue;
    const PolicySpec& policy = document.policy();
    if (!AddNeeds(NeedsOf(policy, principal), terms.match)) {
      terms.not_carried.push_back(absl::StrCat(
          document.name(), " asks for other groups or claims than the other policies"));
    }
    if (is_first) terms.hours = {policy.hours().begin(), policy.hours().end()};
    if (!IsSame(terms.hours, policy)) {
      terms.not_carried.push_back(
          absl::StrCat(document.name(), " has other hours than the other policies"));
    }
    is_first = false;
    // One that observes refuses nothing and asks nobody.
    if (policy.has_observe_until() && now_ < FromProto(policy.observe_until())) {
      terms.trials.push_back(absl::StrCat(document.name(), " is a trial until ",
                                          TimeText(FromProto(policy.observe_until()))));
      continue;
    }
    if (is_never_met) {
      AddApproval(policy.session().approval(), *terms.open->terms.mutable_approval());
    }
    for (const types::v1::Rule& rule : policy.rules()) {
      terms.rules.push_back(Complete(rule, policy.session()));
    }
  }
  return terms;
}

}  // namespace sallyport::controlplane
