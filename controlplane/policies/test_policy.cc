#include "controlplane/policies/test_policy.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/config_file.h"
#include "common/denial.h"
#include "common/file.h"
#include "common/policy/approvers.h"
#include "common/policy/compiled_policies.h"
#include "common/policy/documents.h"
#include "common/policy/session_policy.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "controlplane/policies/policy_call.h"

namespace sallyport::controlplane {
namespace {

// What came, in the words of `expect`.
struct Answer {
  std::string decision;
  types::v1::DenialReason reason = types::v1::DENIAL_REASON_UNSPECIFIED;
  std::vector<std::string> approvers = {};
  std::uint32_t count = 0;
  std::string policy = {};
  int rule = kNoRule;
  bool is_observed = false;
};

types::v1::Principal PrincipalOf(const types::v1::PolicyTestPrincipal& test) {
  types::v1::Principal principal;
  principal.set_realm(test.realm());
  principal.set_kind(test.kind());
  principal.set_subject(test.subject().empty() ? test.client_id() : test.subject());
  principal.set_client_id(test.client_id());
  *principal.mutable_scopes() = test.scopes();
  for (const std::string& group : test.groups()) {
    principal.add_groups(RealmOf(group) == test.realm() ? group
                                                        : absl::StrCat(test.realm(), ":", group));
  }
  for (const auto& [name, values] : test.claims()) {
    types::v1::Claim& claim = *principal.add_claims();
    claim.set_name(name);
    *claim.mutable_values() = values.values();
  }
  return principal;
}

Answer AnswerOf(const CallDecision& decision) {
  Answer answer{.decision = "deny",
                .policy = decision.policy,
                .rule = decision.rule,
                .is_observed = decision.observed.has_value()};
  if (decision.verdict == Verdict::kAllow) {
    answer.decision = "allow";
  } else if (decision.verdict == Verdict::kRequireApproval) {
    answer.decision = "require_approval";
    answer.approvers = decision.approvers;
    answer.count = decision.count;
  } else {
    answer.reason = decision.reason;
  }
  return answer;
}

Answer AnswerOf(const OpenDecision& open) {
  if (!open.is_allowed()) return {.decision = "deny", .reason = open.reason};
  Answer answer{.decision = "allow", .is_observed = open.observed.has_value()};
  if (open.terms.has_approval()) {
    answer.decision = "require_approval";
    answer.approvers.assign(open.terms.approval().approvers().begin(),
                            open.terms.approval().approvers().end());
    answer.count = open.terms.approval().count();
  }
  return answer;
}

Answer Decide(const std::shared_ptr<const CompiledPolicies>& policies,
              const types::v1::PolicyTestCase& test, absl::Time now) {
  if (test.has_at()) {
    now = absl::FromUnixSeconds(test.at().seconds()) + absl::Nanoseconds(test.at().nanos());
  }
  const types::v1::Principal principal = PrincipalOf(test.principal());
  const types::v1::PolicyTestCall& call = test.call();
  const OpenDecision open = policies->EvaluateOpen(principal, call.server(), "", now);
  if (!open.is_allowed()) return AnswerOf(open);
  const auto session = SessionPolicy::Bind(policies, principal, call.server());
  if (!call.server_request().empty()) {
    return AnswerOf(session->EvaluateServerRequest(call.server_request(), now));
  }
  const PolicyCall policy_call = PolicyCallOf(call);
  if (policy_call.method.empty()) return AnswerOf(open);
  return AnswerOf(session->EvaluateCall(policy_call, now));
}

bool Meets(const Answer& answer, const types::v1::PolicyTestExpectation& expected) {
  if (answer.decision != expected.decision()) return false;
  if (!expected.reason().empty() && ReasonName(answer.reason) != expected.reason()) return false;
  if (expected.count() != 0 && answer.count != expected.count()) return false;
  if (!expected.policy().empty() && answer.policy != expected.policy()) return false;
  if (expected.has_rule() && answer.rule != static_cast<int>(expected.rule())) return false;
  if (expected.has_observed() && answer.is_observed != expected.observed()) return false;
  return expected.approvers().empty() ||
         std::set<std::string>(expected.approvers().begin(), expected.approvers().end()) ==
             std::set<std::string>(answer.approvers.begin(), answer.approvers.end());
}

// The case says no time, and passes at one time of the week and fails at another: asked every
// quarter of an hour, which `hours` begin and end at.
bool GoesByTheHour(const std::shared_ptr<const CompiledPolicies>& policies,
                   const types::v1::PolicyTestCase& test, absl::Time now) {
  if (test.has_at()) return false;
  const bool passes_now = Meets(Decide(policies, test, now), test.expect());
  const absl::Time quarter = absl::FromUnixSeconds(absl::ToUnixSeconds(now) / 900 * 900);
  for (absl::Time at = quarter; at < quarter + absl::Hours(7 * 24); at += absl::Minutes(15)) {
    if (Meets(Decide(policies, test, at), test.expect()) != passes_now) return true;
  }
  return false;
}

std::string Describe(const Answer& answer) {
  std::string text = answer.decision;
  if (answer.reason != types::v1::DENIAL_REASON_UNSPECIFIED) {
    absl::StrAppend(&text, " (", ToAbsl(ReasonName(answer.reason)), ")");
  }
  if (!answer.approvers.empty() || answer.count != 0) {
    absl::StrAppend(&text, " by ");
    if (answer.count != 0) absl::StrAppend(&text, answer.count, " of ");
    absl::StrAppend(&text,
                    answer.approvers.empty() ? "any" : absl::StrJoin(answer.approvers, ", "));
  }
  if (!answer.policy.empty()) absl::StrAppend(&text, ", decided by ", answer.policy);
  if (answer.rule != kNoRule) absl::StrAppend(&text, " rules[", answer.rule, "]");
  if (answer.is_observed) absl::StrAppend(&text, ", observed");
  return text;
}

std::string DescribeExpected(const types::v1::PolicyTestExpectation& expected) {
  return Describe({.decision = expected.decision(),
                   .reason = ReasonFromName(expected.reason()),
                   .approvers = {expected.approvers().begin(), expected.approvers().end()},
                   .count = expected.count(),
                   .policy = expected.policy(),
                   .rule = expected.has_rule() ? static_cast<int>(expected.rule()) : kNoRule,
                   .is_observed = expected.observed()});
}

struct LoadedPolicies {
  std::shared_ptr<const CompiledPolicies> compiled;
  bool has_hours = false;
};

absl::StatusOr<LoadedPolicies> LoadPolicies(const types::v1::PolicyTestDocument& test,
                                            const std::filesystem::path& directory) {
  std::vector<types::v1::Document> documents;
  std::set<std::string> profiles;
  std::set<std::pair<int, std::string>> seen;
  for (const std::string& name : test.policies()) {
    const std::string path = (directory / name).string();
    ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxYamlBytes));
    ASSIGN_OR_RETURN(std::vector<types::v1::Document> parsed, ParseDocuments(text, path));
    for (types::v1::Document& document : parsed) {
      if (!seen.emplace(document.kind(), document.name()).second) {
        return absl::InvalidArgumentError(
            absl::StrCat(path, ": ", ToAbsl(DocumentKindName(document.kind())), " ",
                         document.name(), ": is in another file too"));
      }
      if (document.has_mask_profile()) profiles.insert(document.name());
      documents.push_back(std::move(document));
    }
  }
  RETURN_IF_ERROR(CheckMaskNames(documents, profiles));
  LoadedPolicies loaded;
  ASSIGN_OR_RETURN(loaded.compiled, CompiledPolicies::Compile(documents));
  loaded.has_hours = std::ranges::any_of(documents, [](const types::v1::Document& document) {
    return !document.policy().hours().empty();
  });
  return loaded;
}

}  // namespace

absl::StatusOr<std::vector<PolicyTestResult>> TestPolicy(const std::string& path, absl::Time now) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxYamlBytes));
  ASSIGN_OR_RETURN(const types::v1::PolicyTestDocument test, ParsePolicyTest(text, path));
  ASSIGN_OR_RETURN(const LoadedPolicies policies,
                   LoadPolicies(test, std::filesystem::path(path).parent_path()));
  std::vector<PolicyTestResult> results;
  for (const types::v1::PolicyTestCase& test_case : test.cases()) {
    const Answer answer = Decide(policies.compiled, test_case, now);
    PolicyTestResult& result = results.emplace_back();
    result.name = test_case.name();
    result.has_passed = Meets(answer, test_case.expect());
    if (policies.has_hours && GoesByTheHour(policies.compiled, test_case, now)) {
      result.has_passed = false;
      result.explanation =
          "it passes at one time of the week and fails at another, as `hours` have it: say `at`";
    } else if (!result.has_passed) {
      result.explanation = absl::StrCat("expected ", DescribeExpected(test_case.expect()), ", got ",
                                        Describe(answer));
    }
  }
  return results;
}

}  // namespace sallyport::controlplane
