#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "common/policy/compiled_policies.h"
#include "common/policy/decision.h"

namespace sallyport {

struct RuleTable;

// The policies in force for one principal on one server, chosen once, for judging each message of a
// session. Make a new one when the snapshot or the caller's token changes. Immutable, thread-safe;
// a judgement costs well under a microsecond.
class SessionPolicy {
 public:
  // Where no policy names the principal for the server it hides and denies everything, methods that
  // need no rule included.
  static std::shared_ptr<const SessionPolicy> Bind(std::shared_ptr<const CompiledPolicies> policies,
                                                   const types::v1::Principal& principal,
                                                   std::string_view server);
  // The same for the principal of a later token of the session, which was opened as `opened_as`. A
  // policy gives rights only where it names both, so that no token widens what was opened. Of one
  // that names either, all that restricts holds, and what it would ask a person about it denies.
  static std::shared_ptr<const SessionPolicy> Bind(std::shared_ptr<const CompiledPolicies> policies,
                                                   const types::v1::Principal& principal,
                                                   const types::v1::Principal& opened_as,
                                                   std::string_view server);

  ~SessionPolicy();
  SessionPolicy(const SessionPolicy&) = delete;
  SessionPolicy& operator=(const SessionPolicy&) = delete;

  // A request or a notification of the client. Locks are not asked: CompiledPolicies::LockOn.
  CallDecision EvaluateCall(const PolicyCall& call, absl::Time now) const;

  // A request of the server to the client, by policy's word for it: sampling, elicitation, roots.
  // kAllow, kDeny or kHidden.
  CallDecision EvaluateServerRequest(std::string_view word, absl::Time now) const;

  // Whether the caller could use it, with the right arguments and approvals and within the hours.
  // For the lists.
  bool ShowsTool(std::string_view name, absl::Time now) const;
  bool ShowsPrompt(std::string_view name, absl::Time now) const;
  bool ShowsResource(std::string_view uri, absl::Time now) const;
  // An expansion of the template could be readable.
  bool ShowsResourceTemplate(std::string_view uri_template, absl::Time now) const;

  // What is not usable is taken out of `initialize`, both ways.
  const UsableCapabilities& capabilities(absl::Time now) const;

  // No policy names the principal for the server (any more).
  bool is_empty() const { return policy_names_.empty(); }
  const std::vector<std::string>& policy_names() const { return policy_names_; }
  // For agent/mask: groups, detectors and profiles, each once, sorted.
  const std::vector<std::string>& mask_names() const { return mask_names_; }
  // Of policies and of the server's document, as EffectiveTerms has them.
  const std::vector<types::v1::SessionLimit>& limits() const { return limits_; }
  // Which of them one of these limits is from: a policy's name, or `server/` and the server's.
  std::string DocumentOf(const types::v1::SessionLimit& limit) const;
  // MASKED or NONE.
  types::v1::RecordingContent recording_content() const { return recording_content_; }

 private:
  struct Phase {
    absl::Time end;
    UsableCapabilities usable;
  };

  friend class Explainer;

  SessionPolicy(std::shared_ptr<const CompiledPolicies> policies,
                std::vector<const CompiledPolicy*> matching,
                std::vector<const CompiledPolicy*> others, std::string_view server);
  void AddRules();
  void AddTerms();
  void AddPhases() const;

  // Null: it is none of these.
  const CompiledPolicy* Find(std::string_view name) const;

  const std::shared_ptr<const CompiledPolicies> policies_;  // keeps what the next two point into
  const std::vector<const CompiledPolicy*> matching_;
  const std::vector<const CompiledPolicy*> others_;  // they restrict, and give nothing
  std::unique_ptr<const RuleTable> rules_;
  const std::string server_;
  std::vector<std::string> policy_names_;
  std::vector<std::string> mask_names_;
  std::vector<types::v1::SessionLimit> limits_;
  types::v1::RecordingContent recording_content_ = types::v1::RECORDING_CONTENT_MASKED;
  // Made when somebody first asks: most decisions need none.
  mutable std::once_flag has_phases_;
  mutable std::vector<Phase> phases_;  // by end; never empty
};

}  // namespace sallyport
