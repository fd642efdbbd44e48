#include "agent/call/reserve_call.h"

#include <string>
#include <utility>

#include "agent/call/about_approval.h"
#include "agent/call/check_policy.h"
#include "agent/call/check_shown.h"
#include "agent/call/effect_digest.h"
#include "agent/call/join_session.h"
#include "agent/call/see_tools.h"
#include "agent/call/settle_call.h"
#include "agent/call/take_limits.h"
#include "common/denial.h"
#include "common/ids.h"
#include "common/status_macros.h"

namespace sallyport::agent {
namespace {

using Outcome = std::variant<PermittedCall, RefusedCall, JudgedCall>;

// How often a call is judged again because other policies are in force at the control plane, and
// how long it waits for them.
constexpr int kMaxJudgements = 4;
constexpr absl::Duration kAwaitPolicies = absl::Seconds(5);

// The round before was let through, and this one is of the same call; unless it needed a person
// only now.
bool GoesOn(const ApprovedCall& call) {
  const Continuation* before = call.judged.granted.continues.get();
  return !call.approval && before != nullptr && !before->call_id.empty();
}

bool NeedsControlPlane(const ApprovedCall& call) {
  const CallDecision& decision = call.judged.judgement->decision;
  return call.approval || !decision.once.empty() || !decision.limits.empty() ||
         decision.on_unknown != types::v1::ON_UNKNOWN_ALLOW;
}

// What the control plane judges by. It sees the target masked, too; the digests bind what it is.
Task<absl::Status> Describe(Gateway& gateway, const ApprovedCall& call,
                            v1::ReserveCallRequest& request) {
  const ClientMessage& message = *call.judged.message;
  request.set_method(message.method);
  if (call.approval) {
    request.set_approval_id(call.approval->id());
    request.set_target(call.approval->tool());
    request.set_arguments_digest(call.arguments_digest);
    if (const SeenDefinition tool = DefinitionOf(*call.judged.granted.connection, message)) {
      request.set_definition_hash(tool->hash);
    }
    co_return absl::OkStatus();
  }
  const ServedSession& session = *call.judged.granted.session;
  auto shown = co_await gateway.masker.ShowToApprover(session.principal_key(), call.judged.message,
                                                      session.mask);
  if (!shown.ok()) {
    co_return Denied(types::v1::DENIAL_REASON_MASKER_BLOCKED,
                     "the call cannot be shown to the control plane");
  }
  CO_RETURN_IF_ERROR(CheckShown(*shown));
  request.set_target(std::move(shown->target));
  request.set_arguments(std::move(shown->arguments));
  co_return absl::OkStatus();
}

Task<absl::StatusOr<v1::ReserveCallRequest>> RequestFor(Gateway& gateway, const ApprovedCall& call,
                                                        const std::string& call_id) {
  const GrantedCall& granted = call.judged.granted;
  const std::string& server = granted.session->facts().server;
  const AgentSnapshot& snapshot = *granted.authenticated->snapshot;
  const CallDecision& decision = call.judged.judgement->decision;
  v1::ReserveCallRequest request;
  request.set_session_id(granted.session->id());
  request.set_call_id(call_id);
  request.mutable_judged_by()->set_epoch(snapshot.epoch());
  request.mutable_judged_by()->set_version(snapshot.version());
  CO_RETURN_IF_ERROR(co_await Describe(gateway, call, request));
  CO_ASSIGN_OR_RETURN(*request.mutable_call_digest(),
                      CallDigest(snapshot, server, *call.judged.message));
  CO_RETURN_IF_ERROR(NameEffects(snapshot, server, decision, request));
  co_return request;
}

RefusedCall Refuse(ApprovedCall call, absl::Status why) {
  return RefuseAbout(std::move(call.judged), std::move(why), call.approval.get());
}

// One try. The control plane's answer, or why there is none.
Task<absl::StatusOr<v1::ReserveCallResponse>> Try(Gateway& gateway, const ApprovedCall& call,
                                                  std::string call_id) {
  auto request = co_await RequestFor(gateway, call, call_id);
  if (!request.ok()) co_return request.status();
  gateway.settlements.Begin(request->session_id(), call_id);
  auto response = co_await gateway.approval_client.Reserve(*std::move(request));
  if (!response.ok()) {
    // Whether it was let through nobody knows; it is not sent.
    SettleUnsent(gateway, call.judged.granted, call_id);
  } else if (response->denial_reason() != types::v1::DENIAL_REASON_UNSPECIFIED) {
    gateway.settlements.Forget(call_id);
  }
  co_return response;
}

// A person can say yes to what the control plane has just refused.
bool IsForApprovers(const ApprovedCall& call, const v1::ReserveCallResponse& answer) {
  if (call.approval) return false;
  return answer.denial_reason() == types::v1::DENIAL_REASON_APPROVAL_PENDING ||
         (answer.denial_reason() == types::v1::DENIAL_REASON_OUTCOME_UNKNOWN &&
          answer.may_be_approved());
}

// By the policies that the control plane has in force, once they are here. Nothing where the call
// has been judged by them already, or they do not come.
Task<std::optional<Stage<JudgedCall>>> JudgeByThem(Gateway& gateway, const JudgedCall& call,
                                                   v1::JudgedBy in_force) {
  const bool are_here = co_await gateway.snapshots.WaitForVersion(
      in_force.epoch(), in_force.version(), kAwaitPolicies);
  if (!are_here || gateway.snapshots.current() == call.granted.authenticated->snapshot) {
    co_return std::nullopt;
  }
  co_return JudgeAgain(gateway, call);
}

Task<Outcome> Reserve(Gateway& gateway, ApprovedCall call) {
  if (call.approval && call.judged.message->method == "tools/call") {
    // As it is now, for that is what runs.
    const absl::Status looked =
        co_await LearnTools(gateway, call.judged.granted.session, call.judged.granted.connection,
                            LookOf(call.judged), kLookGoodFor);
    if (!looked.ok()) co_return Refuse(std::move(call), looked);
  }
  for (int judgement = 1;; ++judgement) {
    std::string call_id = NewRequestId();
    auto answer = co_await Try(gateway, call, call_id);
    if (!answer.ok()) co_return Refuse(std::move(call), answer.status());
    const types::v1::DenialReason reason = answer->denial_reason();
    if (reason == types::v1::DENIAL_REASON_UNSPECIFIED) {
      if (call.approval) {
        co_await RecordApproval(gateway, call.judged, *call.approval, "used"_words);
      }
      co_return PermittedCall{std::move(call.judged),
                              call.approval ? call.approval->id() : std::string(),
                              std::move(call_id), std::move(call.place)};
    }
    if (IsForApprovers(call, *answer)) {
      call.judged.needs_approval = true;
      co_return std::move(call.judged);
    }
    std::optional<Stage<JudgedCall>> judged;
    if (reason == types::v1::DENIAL_REASON_POLICY_CHANGED && judgement < kMaxJudgements) {
      judged = co_await JudgeByThem(gateway, call.judged, answer->in_force());
    }
    if (!judged) co_return Refuse(std::move(call), Denied(reason, answer->detail()));
    if (auto* refused = std::get_if<RefusedCall>(&*judged)) co_return std::move(*refused);
    call.judged = std::get<JudgedCall>(*std::move(judged));
    if (call.judged.needs_approval && !call.approval) co_return std::move(call.judged);
    // Under the limits that it is judged by now.
    call.place = LimitPlace();
    auto placed = TakeLimits(gateway, std::move(call));
    if (auto* refused = std::get_if<RefusedCall>(&placed)) co_return std::move(*refused);
    call = std::get<ApprovedCall>(std::move(placed));
  }
}

}  // namespace

Task<Outcome> ReserveCall(Gateway& gateway, ApprovedCall call) {
  if (GoesOn(call)) {
    std::string call_id = call.judged.granted.continues->call_id;
    return Task<Outcome>(PermittedCall{.judged = std::move(call.judged),
                                       .call_id = std::move(call_id),
                                       .place = std::move(call.place)});
  }
  if (NeedsControlPlane(call)) return Reserve(gateway, std::move(call));
  return Task<Outcome>(
      PermittedCall{.judged = std::move(call.judged), .place = std::move(call.place)});
}

}  // namespace sallyport::agent
