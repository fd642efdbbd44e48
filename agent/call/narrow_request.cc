#include "agent/call/narrow_request.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/call/check_policy.h"
#include "agent/mcp/modern_request.h"
#include "common/denial.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

// What policy denies of the resources that a client asked to hear of. What it does not know, its
// client is not told of either.
class LeftOut {
 public:
  void Add(std::string_view uri, std::string_view detail) {
    if (++count_ > kNamed) return;
    absl::StrAppend(&words_, count_ == 1 ? "" : "; ", ToAbsl(uri.substr(0, kMaxBytes)),
                    detail.empty() ? "" : ": ", ToAbsl(detail));
  }
  // Null: nothing was left out.
  std::shared_ptr<const std::string> Words() && {
    if (count_ == 0) return nullptr;
    if (count_ > kNamed) absl::StrAppend(&words_, "; and ", count_ - kNamed, " more");
    return std::make_shared<const std::string>("policy does not allow to hear of " + words_);
  }

 private:
  static constexpr int kNamed = 8;
  static constexpr std::size_t kMaxBytes = 256;

  int count_ = 0;
  std::string words_;
};

// What the server's task asks for in what the client was told of it, the client may answer.
absl::Status CheckTaskAnswers(const McpSession& mcp, const ClientMessage& message) {
  if (message.method != "tasks/update" || !mcp.HasTask(message.task_id)) return absl::OkStatus();
  const auto was_asked = [&](std::string_view key) {
    return mcp.HasAskedInTask(message.task_id, key);
  };
  if (AnswersOnly(message, was_asked)) return absl::OkStatus();
  return Denied(types::v1::DENIAL_REASON_MESSAGE_INVALID,
                "Invalid inputResponses: the task has not asked for all of them; ask for the task "
                "by tasks/get, and answer what it asks for");
}

}  // namespace

absl::StatusOr<ClientMessage> NarrowRequest(Gateway& gateway, GrantedCall& call,
                                            ClientMessage message) {
  ASSIGN_OR_RETURN(const auto rules, RulesFor(gateway, *call.session, *call.authenticated->caller,
                                              call.authenticated->snapshot));
  const absl::Time now = gateway.clock.Now();
  const SessionPolicy& policy = *rules->policy;
  const UsableCapabilities& usable = policy.capabilities(now);
  const std::string method = message.method;
  const bool takes_tasks = message.modern.takes_tasks;
  // What a person is to be asked about stays, for that is what they approve.
  LeftOut left_out;
  const auto may_hear_of = [&](std::string_view uri) {
    const CallDecision decision = policy.EvaluateCall({.method = method, .target = uri}, now);
    if (decision.verdict == Verdict::kDeny) left_out.Add(uri, decision.detail);
    return MayPass(decision);
  };
  // Another's is as unknown as one that nobody has.
  const auto has_task = [&](std::string_view id) {
    return call.connection->mcp().HasTask(id) || call.session->tasks.Find(id) != nullptr;
  };
  ModernRequestTerms terms{.client = {.sampling = usable.sampling,
                                      .elicitation = usable.elicitation,
                                      .roots = usable.roots,
                                      .task_extension = usable.task_extension},
                           .may_hear_of = may_hear_of,
                           .has_task = has_task,
                           .request_state = std::nullopt};
  ASSIGN_OR_RETURN(ClientMessage narrowed, NarrowModernRequest(std::move(message), terms));
  RETURN_IF_ERROR(CheckTaskAnswers(call.connection->mcp(), narrowed));
  if (!narrowed.modern.request_state.empty()) {
    // It is bound to the call as its server was, or would have been, shown it.
    ASSIGN_OR_RETURN(Continuation before, OpenRequestState(*call.session, narrowed));
    if (before.is_counted) call.counted = std::make_shared<const CountedOperation>(call.session);
    call.continues = std::make_shared<const Continuation>(std::move(before));
    terms.request_state = call.continues->server_state;
    ASSIGN_OR_RETURN(narrowed, NarrowModernRequest(std::move(narrowed), terms));
  }
  call.left_out = std::move(left_out).Words();
  // We may answer with a task of our own, whatever its server may.
  narrowed.modern.takes_tasks = takes_tasks;
  if (const auto shared = call.session->shared; shared != nullptr) {
    narrowed.modern.param_fields = shared->tools.FieldsFor(narrowed);
  }
  return narrowed;
}

}  // namespace sallyport::agent
