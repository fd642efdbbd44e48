#include "controlplane/policies/terms_in_force.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/policy/principal_match.h"
#include "common/policy/session_policy.h"
#include "common/status_macros.h"
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

// As it would read in a policy with other session terms.
RuleBody Complete(RuleBody body, bool is_approval, const types::v1::SessionTerms& session) {
  if (is_approval && body.approvers().empty()) {
    const types::v1::ApprovalTerms& approval = session.approval();
    *body.mutable_approvers() = approval.approvers();
    if (body.count() == 0) body.set_count(approval.count());
  }
  if (is_approval && !body.has_expires_after() && session.approval().has_expires_after()) {
    *body.mutable_expires_after() = session.approval().expires_after();
  }
  if (body.limit().per_window() != 0 && !body.limit().has_window()) {
    *body.mutable_limit()->mutable_window() =
        session.has_max_duration() ? session.max_duration() : ToProto(absl::Hours(1));
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
  ASSIGN_OR_RETURN(in_force.policies_, CompiledPolicies::Compile(in_force.documents_));
  return in_force;
}

TermsInForce PoliciesInForce::For(const types::v1::Session& session) const {
  TermsInForce terms;
  const auto& principal = session.principal();
  OpenDecision open = policies_->EvaluateOpen(principal, session.server(), session.agent(), now_);
  if (open.is_allowed()) terms.open = std::move(open);
  const auto bound = SessionPolicy::Bind(policies_, principal, session.server());
  terms.mask = bound->mask_names();
  terms.recording = bound->recording_content();
  for (const std::string& owner : policies_->OwnersOf(principal)) terms.match.add_owners(owner);
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
    if (policy.has_observe_until() && now_ < FromProto(policy.observe_until())) continue;
    for (const types::v1::Rule& rule : policy.rules()) {
      terms.rules.push_back(Complete(rule, policy.session()));
    }
  }
  return terms;
}

}  // namespace sallyport::controlplane
