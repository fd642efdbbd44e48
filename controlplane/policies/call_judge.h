#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/policy/compiled_policies.h"
#include "common/policy/session_policy.h"
#include "controlplane/model/recorded_call.h"
#include "sallyport/admin/v1/policy_service.pb.h"
#include "sallyport/types/v1/policy.pb.h"

namespace sallyport::controlplane {

// The decision in the words of PolicyTest.
admin::v1::PolicyAnswer AnswerOf(const CallDecision& decision);
admin::v1::PolicyAnswer AnswerOf(const OpenDecision& decision);
// What was decided at the time; who was asked is not among it.
admin::v1::PolicyAnswer AnswerOf(const RecordedCall& call);

// As many of the same approvers.
bool AskTheSame(const admin::v1::PolicyAnswer& a, const admin::v1::PolicyAnswer& b);

// Whether policy has to speak for a method at all: initialize, ping and the lists come with the
// session.
bool NeedsRule(std::string_view method);

// Judges recorded calls by a set of documents, each as of its own time. Where a condition reads, or
// a rule names, what the recording does not show (masked, or not recorded at all) both outcomes are
// tried: only if they come to the same is there an answer. Nothing is guessed. Not thread-safe.
class CallJudge {
 public:
  struct Judgement {
    // nullopt: it cannot be decided, and `undecided` says why.
    std::optional<admin::v1::PolicyAnswer> answer;
    std::string undecided;
  };

  // kInvalidArgument for documents that do not compile.
  static absl::StatusOr<CallJudge> Create(std::vector<types::v1::Document> documents);

  // Cheapest when the calls of one session come one after the other.
  Judgement Judge(const types::v1::Session& session, const RecordedCall& call);

 private:
  // A rule that reads something that the recording does not show.
  struct UnsureRule {
    const types::v1::Document* document = nullptr;
    int rule = 0;
    // Whether it names the target is not known.
    bool names = false;
    // Those of a rule that names the tool.
    std::vector<int> conditions;
    // There are more than two outcomes, as with a limit or `once` that reads it.
    bool is_open = false;
    std::string why;
  };

  explicit CallJudge(std::vector<types::v1::Document> documents)
      : documents_(std::move(documents)) {}
  void Bind(const types::v1::Session& session);
  std::vector<UnsureRule> UnsureRulesFor(const RecordedCall& call) const;
  Judgement JudgeUnsure(const RecordedCall& call, const std::vector<UnsureRule>& unsure);
  Judgement JudgeCompletion(const RecordedCall& call) const;
  // Although all rules come to the same for a target that is not shown.
  bool IsStillOpen(const RecordedCall& call, const admin::v1::PolicyAnswer& answer) const;
  // Makes the rule hold for the call, or not, whatever was hidden.
  static void Settle(const RecordedCall& call, const UnsureRule& unsure, bool holds,
                     types::v1::RuleBody& body);
  // The policies of this session as they are if those rules hold whose bit is set. Null: without
  // the others they are none that could stand.
  std::shared_ptr<const SessionPolicy> Variant(const RecordedCall& call,
                                               const std::vector<UnsureRule>& unsure,
                                               unsigned holding);

  std::vector<types::v1::Document> documents_;
  std::shared_ptr<const CompiledPolicies> compiled_;
  // Of the session that was judged last.
  std::string session_id_;
  types::v1::Principal principal_;
  std::string server_;
  std::shared_ptr<const SessionPolicy> policy_;
  std::map<std::string, std::shared_ptr<const SessionPolicy>> variants_;
};

}  // namespace sallyport::controlplane
