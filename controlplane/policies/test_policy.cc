#include "controlplane/policies/test_policy.h"

#include <algorithm>
#include <deque>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

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
#include "common/time_text.h"
#include "common/yaml_tree.h"
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
  const PolicyCall policy_call = PolicyCallOf(call);
  if (policy_call.method.empty() && call.server_request().empty()) return AnswerOf(open);
  const auto session = SessionPolicy::Bind(policies, principal, call.server());
  const CallDecision decision = call.server_request().empty()
                                    ? session->EvaluateCall(policy_call, now)
                                    : session->EvaluateServerRequest(call.server_request(), now);
  return IsDecidedInSession(open, decision) ? AnswerOf(decision) : AnswerOf(open);
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

// When a case that says no time is asked besides now: `hours` begin and end at quarters of an hour,
// and what a document says of a day holds on one side of it.
struct Moments {
  bool has_hours = false;
  // What comes to an end, and when.
  std::vector<std::pair<absl::Time, std::string>> ends;
};

Moments MomentsOf(const std::vector<types::v1::Document>& documents, absl::Time now) {
  Moments moments;
  const auto add = [&](bool is_set, const google::protobuf::Timestamp& end, std::string what) {
    const absl::Time at = absl::FromUnixSeconds(end.seconds()) + absl::Nanoseconds(end.nanos());
    if (is_set && at > now) moments.ends.emplace_back(at, std::move(what));
  };
  for (const types::v1::Document& document : documents) {
    const types::v1::PolicySpec& policy = document.policy();
    moments.has_hours = moments.has_hours || !policy.hours().empty();
    add(policy.has_observe_until(), policy.observe_until(),
        absl::StrCat("`observe_until` of policy ", document.name()));
    add(document.lock().has_expires(), document.lock().expires(),
        absl::StrCat("`expires` of lock ", document.name()));
  }
  std::ranges::sort(moments.ends);
  return moments;
}

// The case says no time, and passes at one time and fails at another: as what has it. Empty: it
// does not.
std::string TimeItGoesBy(const std::shared_ptr<const CompiledPolicies>& policies,
                         const types::v1::PolicyTestCase& test, const Moments& moments,
                         absl::Time now) {
  if (test.has_at()) return {};
  const auto passes = [&](absl::Time at) {
    return Meets(Decide(policies, test, at), test.expect());
  };
  const bool passes_now = passes(now);
  const auto goes_by_the_hour = [&](absl::Time from) {
    if (!moments.has_hours) return false;
    const absl::Time quarter = absl::FromUnixSeconds(absl::ToUnixSeconds(from) / 900 * 900);
    for (absl::Time at = quarter; at < quarter + absl::Hours(7 * 24); at += absl::Minutes(15)) {
      if (at >= from && passes(at) != passes_now) return true;
    }
    return false;
  };
  constexpr std::string_view kHours =
      "it passes at one time of the week and fails at another, as `hours` have it: say `at`";
  if (goes_by_the_hour(now)) return std::string(kHours);
  for (const auto& [end, what] : moments.ends) {
    if (passes(end) != passes_now) {
      return absl::StrCat("it ", passes_now ? "passes" : "fails", " until ", TimeText(end), " and ",
                          passes_now ? "fails" : "passes", " from then on, as ", what,
                          " has it: say `at`");
    }
    if (goes_by_the_hour(end)) return std::string(kHours);
  }
  return {};
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

// A file that the test names and that cannot be read: said at the place that names it.
absl::Status AtItsName(const absl::Status& why, std::size_t index, std::string_view text,
                       std::string_view file) {
  const absl::StatusOr<YamlNode> tree = ParseYaml(text, file);
  const YamlNode* names = tree.ok() ? tree->Find("policies") : nullptr;
  const bool is_there = names != nullptr && index < names->items.size();
  return YamlError(file, is_there ? names->items[index].line : 1,
                   absl::StrCat("policies: ", why.message()));
}

struct LoadedPolicies {
  std::shared_ptr<const CompiledPolicies> compiled;
  Moments moments;
};

// Of the test that stands in that text of `path`.
absl::StatusOr<LoadedPolicies> LoadPolicies(const types::v1::PolicyTestDocument& test,
                                            std::string_view test_text, const std::string& path,
                                            absl::Time now) {
  std::vector<types::v1::Document> documents;
  std::set<std::string> profiles;
  std::set<std::pair<int, std::string>> seen;
  // Its elements stay where they are.
  std::deque<std::pair<std::string, std::string>> read;
  std::vector<NamedText> texts;
  for (int i = 0; i < test.policies_size(); ++i) {
    std::string file = (std::filesystem::path(path).parent_path() / test.policies(i)).string();
    absl::StatusOr<std::string> text = ReadFile(file, kMaxYamlBytes);
    if (!text.ok()) return AtItsName(text.status(), i, test_text, path);
    const auto& [name, yaml] = read.emplace_back(std::move(file), *std::move(text));
    texts.push_back({name, yaml});
    ASSIGN_OR_RETURN(std::vector<types::v1::Document> parsed, ParseDocuments(yaml, name));
    for (types::v1::Document& document : parsed) {
      if (!seen.emplace(document.kind(), document.name()).second) {
        return absl::InvalidArgumentError(
            absl::StrCat(name, ": ", ToAbsl(DocumentKindName(document.kind())), " ",
                         document.name(), ": is in another file too"));
      }
      if (document.has_mask_profile()) profiles.insert(document.name());
      documents.push_back(std::move(document));
    }
  }
  RETURN_IF_ERROR(CheckMaskNames(documents, profiles, texts));
  LoadedPolicies loaded;
  ASSIGN_OR_RETURN(loaded.compiled, CompiledPolicies::Compile(documents));
  loaded.moments = MomentsOf(documents, now);
  return loaded;
}

}  // namespace

absl::StatusOr<std::vector<PolicyTestResult>> TestPolicy(const std::string& path, absl::Time now) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxYamlBytes));
  ASSIGN_OR_RETURN(const types::v1::PolicyTestDocument test, ParsePolicyTest(text, path));
  ASSIGN_OR_RETURN(const LoadedPolicies policies, LoadPolicies(test, text, path, now));
  std::vector<PolicyTestResult> results;
  for (const types::v1::PolicyTestCase& test_case : test.cases()) {
    const Answer answer = Decide(policies.compiled, test_case, now);
    PolicyTestResult& result = results.emplace_back();
    result.name = test_case.name();
    result.has_passed = Meets(answer, test_case.expect());
    if (std::string goes_by = TimeItGoesBy(policies.compiled, test_case, policies.moments, now);
        !goes_by.empty()) {
      result.has_passed = false;
      result.explanation = std::move(goes_by);
    } else if (!result.has_passed) {
      result.explanation = absl::StrCat("expected ", DescribeExpected(test_case.expect()), ", got ",
                                        Describe(answer));
    }
  }
  return results;
}

}  // namespace sallyport::controlplane
