#include "common/policy/explain.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/denial.h"
#include "common/policy/compiled_policy.h"
#include "common/policy/explain_changes.h"
#include "common/policy/explain_rule.h"
#include "common/policy/explain_terms.h"
#include "common/policy/principal_match.h"
#include "common/policy/proto_duration.h"
#include "common/policy/session_policy.h"
#include "common/strings.h"
#include "common/time_text.h"

namespace sallyport {
namespace {

bool IsAboutCall(const Question& question) {
  return !question.call.method.empty() || !question.server_request.empty();
}

void SetApproval(const std::vector<std::string>& approvers, std::uint32_t count,
                 absl::Duration expires_after, types::v1::Explanation& explanation) {
  explanation.mutable_approvers()->Assign(approvers.begin(), approvers.end());
  explanation.set_count(count);
  SetDuration(expires_after, explanation.mutable_expires_after());
}

// What the caller of an opening that is allowed needs first, and whose words say so. Empty:
// nothing.
std::string AskingFor(const OpenDecision& open,
                      const google::protobuf::RepeatedPtrField<types::v1::TermExplanation>& terms) {
  std::vector<std::string> asking;
  for (const types::v1::TermExplanation& term : terms) {
    const std::string documents = absl::StrJoin(term.documents(), " and ");
    if (term.term() == "approval")
      asking.push_back(absl::StrCat("session.approval of ", documents, " asks for it"));
    if (term.term() == "open") {
      asking.push_back(absl::StrCat("session.open of ", documents,
                                    " is `request`: the caller asks first (`sallyport request`), "
                                    "and a connection that has not is refused"));
    }
  }
  if (asking.empty()) return open.detail;
  return absl::StrJoin(asking, "; ");
}

void SetDecision(const OpenDecision& open, types::v1::Explanation& explanation) {
  explanation.set_detail(open.detail);
  if (open.observed) explanation.set_observed(open.observed->reason);
  if (!open.is_allowed()) {
    explanation.set_decision("deny");
    explanation.set_reason(open.reason);
    if (!open.lock.empty()) explanation.set_detail(absl::StrCat("lock ", open.lock, " shuts it"));
    if (open.reason == types::v1::DENIAL_REASON_SERVER_UNKNOWN) {
      explanation.set_detail("no policy names the principal for the server");
    }
    return;
  }
  explanation.set_detail(AskingFor(open, explanation.terms()));
  explanation.set_decision(open.terms.has_approval() ? "require_approval" : "allow");
  if (!open.terms.has_approval()) return;
  SetApproval({open.terms.approval().approvers().begin(), open.terms.approval().approvers().end()},
              open.terms.approval().count(), ToAbslDuration(open.terms.approval().expires_after()),
              explanation);
}

std::string DetailOf(const CallDecision& decision) {
  if (!decision.detail.empty()) return decision.detail;
  if (decision.verdict == Verdict::kHidden) return "no rule speaks for it";
  if (decision.rule == kNoRule) {
    return decision.policy.empty() ? "it passes with every session"
                                   : absl::StrCat("policy ", decision.policy, " observes");
  }
  const std::string rule = RuleName(decision.policy, decision.rule);
  if (decision.reason == types::v1::DENIAL_REASON_CONDITION_FAILED) {
    return absl::StrCat("a condition of ", rule, " fails");
  }
  return absl::StrCat(rule, " decides");
}

void SetDecision(const CallDecision& decision, types::v1::Explanation& explanation) {
  explanation.set_decision(std::string(DecisionWord(decision)));
  explanation.set_reason(decision.reason);
  explanation.set_policy(decision.policy);
  if (decision.rule != kNoRule) explanation.set_rule(static_cast<std::uint32_t>(decision.rule));
  explanation.set_detail(DetailOf(decision));
  if (decision.observed) explanation.set_observed(decision.observed->reason);
  if (decision.verdict != Verdict::kRequireApproval) return;
  SetApproval(decision.approvers, decision.count, decision.expires_after, explanation);
}

}  // namespace

// Has the compiled policies' insides to itself.
class Explainer {
 public:
  Explainer(std::shared_ptr<const CompiledPolicies> policies, const types::v1::Principal& principal,
            std::string_view server, std::string_view agent, const Question& question,
            absl::Time now)
      : policies_(std::move(policies)),
        principal_(principal),
        server_(server),
        agent_(agent),
        question_(question),
        now_(now),
        bound_(SessionPolicy::Bind(policies_, principal, server)) {}

  types::v1::Explanation Run() && {
    const OpenDecision open = policies_->EvaluateOpen(principal_, server_, agent_, now_);
    AddPolicies();
    if (IsAboutCall(question_)) {
      const CallDecision decision = Decide(*bound_, question_, now_);
      if (IsDecidedInSession(open, decision)) {
        SetDecision(decision, explanation_);
        AddChanges(decision);
        return std::move(explanation_);
      }
    }
    if (open.is_allowed() && !IsAboutCall(question_)) AddTerms(open);
    SetDecision(open, explanation_);
    AddChanges(open);
    return std::move(explanation_);
  }

 private:
  void AddPolicies() {
    for (const auto& policy : policies_->policies_) {
      if (!policy->CoversServer(server_)) continue;
      types::v1::PolicyExplanation& about = *explanation_.add_policies();
      about.set_name(policy->name);
      about.set_applies(bound_->Find(policy->name) != nullptr);
      about.set_why(WhyOf(*policy, about.applies()));
      if (!about.applies() || !IsAboutCall(question_)) continue;
      for (const CompiledRule& rule : policy->rules) {
        *about.add_rules() = ExplainRule(rule, question_);
      }
    }
  }

  std::string WhyOf(const CompiledPolicy& policy, bool applies) const {
    if (!applies) return WhyNotNamed(policy.spec, principal_);
    std::vector<std::string> why;
    if (policy.IsObserving(now_)) {
      why.push_back(absl::StrCat("it observes until ", TimeText(policy.observe_until)));
    }
    if (!policy.IsOpen(now_)) why.push_back("it is outside of its hours and grants nothing");
    return absl::StrJoin(why, "; ");
  }

  void AddTerms(const OpenDecision& open) {
    std::vector<const CompiledPolicy*> applying;
    for (const std::string& name : open.policies) applying.push_back(bound_->Find(name));
    for (types::v1::TermExplanation& term :
         ExplainTerms(open, applying, server_, policies_->FindServer(server_), now_)) {
      *explanation_.add_terms() = std::move(term);
    }
  }

  // What would change it, and the end of what lets it through.
  template <class Decision>
  void AddChanges(const Decision& decision) {
    const Asked asked{principal_, server_, agent_, question_, now_};
    for (std::string& change : ChangesOf(*policies_, asked, decision)) {
      *explanation_.add_changes() = std::move(change);
    }
    AddObservers();
  }

  void AddObservers() {
    if (explanation_.observed() == types::v1::DENIAL_REASON_UNSPECIFIED) return;
    *explanation_.add_changes() = absl::StrCat("the end of `observe_until`: then ",
                                               ToAbsl(ReasonName(explanation_.observed())));
  }

  const std::shared_ptr<const CompiledPolicies> policies_;
  const types::v1::Principal& principal_;
  const std::string_view server_;
  const std::string_view agent_;
  const Question& question_;
  const absl::Time now_;
  const std::shared_ptr<const SessionPolicy> bound_;
  types::v1::Explanation explanation_;
};

types::v1::Explanation Explain(std::shared_ptr<const CompiledPolicies> policies,
                               const types::v1::Principal& principal, std::string_view server,
                               std::string_view agent, const Question& question, absl::Time now) {
  return Explainer(std::move(policies), principal, server, agent, question, now).Run();
}

}  // namespace sallyport
