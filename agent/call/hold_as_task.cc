#include "agent/call/hold_as_task.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/call/about_approval.h"
#include "agent/call/answer_own.h"
#include "agent/call/answer_request.h"
#include "agent/call/check_policy.h"
#include "agent/call/deliver_message.h"
#include "agent/call/end_session.h"
#include "agent/call/held_task.h"
#include "agent/call/narrow_request.h"
#include "agent/mcp/modern_request.h"
#include "common/denial.h"
#include "common/ids.h"
#include "common/status_macros.h"

namespace sallyport::agent {
namespace {

constexpr absl::Duration kPollInterval = absl::Seconds(3);
// What a server asks to be called again with at once, as official clients do it.
constexpr absl::Duration kRetryPause = absl::Milliseconds(250);
constexpr int kMaxRounds = 10;

TaskState StateFor(const Gateway& gateway, const types::v1::Approval& approval) {
  const absl::Time now = gateway.clock.Now();
  return {.id = absl::StrCat("task_", NewRequestId()),
          .message = WaitingText(approval),
          .created_at = now,
          .updated_at = now,
          .ttl = std::max(ExpiresAt(approval) - now, absl::Seconds(1)),
          .poll_interval = kPollInterval};
}

// The call as its server shall see it: it may not answer with a task of its own, for there is one
// already.
absl::StatusOr<std::shared_ptr<const ClientMessage>> WithoutTasks(const ClientMessage& call) {
  ASSIGN_OR_RETURN(
      ClientMessage narrowed,
      NarrowModernRequest(call, {.client = {.sampling = true, .elicitation = true, .roots = true},
                                 .may_hear_of = [](std::string_view) { return true; },
                                 .has_task = [](std::string_view) { return true; },
                                 .request_state = std::nullopt}));
  narrowed.modern.param_fields = call.modern.param_fields;
  return std::make_shared<const ClientMessage>(std::move(narrowed));
}

// What keeps a call from going on with its next round. Ok: nothing.
absl::Status CheckGoesOn(const GrantedCall& call, absl::Time now) {
  const LiveSession& live = call.session->live();
  if (live.is_ended()) return live.end().Refusal();
  if (now >= call.session->token_expires_at()) {
    return Denied(types::v1::DENIAL_REASON_TOKEN_EXPIRED,
                  "the token expired between two rounds of the call");
  }
  if (call.connection->is_over()) {
    return Denied(types::v1::DENIAL_REASON_UPSTREAM_LOST,
                  "upstream_lost: the server was lost between two rounds of the call");
  }
  return absl::OkStatus();
}

// What the stages take for the call's request from now on.
std::shared_ptr<const AuthenticatedCall> HeadOf(HeldTask& task,
                                                std::shared_ptr<const Caller> caller,
                                                std::shared_ptr<const AgentSnapshot> snapshot) {
  return std::make_shared<const AuthenticatedCall>(
      AuthenticatedCall{task.Head(), std::move(caller), std::move(snapshot)});
}

// The next round of a call that its server has asked something about.
Task<void> PassAgain(Gateway& gateway, Held<ServedSession> session, Held<McpConnection> connection,
                     HeldTask& task) {
  const absl::Time now = gateway.clock.Now();
  GrantedCall granted{
      HeadOf(task, session->CallerFor(session->caller, now), gateway.snapshots.current()), &task,
      session, connection};
  absl::StatusOr<ClientMessage> retry = task.Retry();
  if (retry.ok()) {
    if (const absl::Status why = CheckGoesOn(granted, now); !why.ok()) retry = why;
  }
  if (retry.ok()) retry = NarrowRequest(gateway, granted, *std::move(retry));
  if (!retry.ok()) {
    co_await AnswerRefused(gateway,
                           RefusedCall{std::move(granted), task.message(), retry.status(), {}});
    co_return;
  }
  // Never to wait as a task, for it is one.
  (void)co_await PassStages(gateway, std::move(granted),
                            std::make_shared<const ClientMessage>(*std::move(retry)),
                            task.request());
}

// Whether the task has all that its server asked for. False: it will not have it, and the round is
// over.
Task<bool> AwaitInput(Gateway& gateway, ServedSession& session, HeldTask& task) {
  if (task.state().body == "{}") co_await Sleep(gateway.loop, kRetryPause);
  const absl::Duration left = task.state().created_at + task.state().ttl - gateway.clock.Now();
  if (co_await task.AwaitInput(
          std::max(std::min(left, session.live().idle_timeout()), kRetryPause)))
    co_return true;
  GiveUpRequestState(session, task.request_state());
  co_return false;
}

Task<void> Run(Gateway& gateway, HeldTask& task, AskedCall call) {
  const Held<ServedSession> session = call.judged.granted.session;
  const Held<McpConnection> connection = call.judged.granted.connection;
  {
    const LiveSession::InFlight in_flight(session->live());
    const RegisteredRequest registered(*session, *connection, task.request());
    co_await PassOn(gateway, std::move(call), task.request());
  }
  for (int round = 1; task.state().status == TaskStatus::kInputRequired && round < kMaxRounds;
       ++round) {
    const RegisteredRequest registered(*session, *connection, task.request());
    if (!co_await AwaitInput(gateway, *session, task)) break;
    const LiveSession::InFlight in_flight(session->live());
    co_await PassAgain(gateway, session, connection, task);
  }
  task.Finish();
  EndIfCompleted(gateway, *session);
}

}  // namespace

bool MayWaitAsTask(const AskedCall& call) {
  const GrantedCall& granted = call.judged.granted;
  return call.approval && call.approval->state() == types::v1::APPROVAL_STATE_PENDING &&
         call.judged.message->method == "tools/call" && call.judged.message->modern.takes_tasks &&
         granted.reply->takes_news();
}

Task<void> HoldAsTask(Gateway& gateway, AskedCall call) {
  const GrantedCall asking = call.judged.granted;
  const std::shared_ptr<const ClientMessage> request = call.judged.message;
  ServedSession& session = *asking.session;
  auto message = WithoutTasks(*request);
  const absl::Status why = session.tasks.HasRoom()
                               ? message.status()
                               : Denied(types::v1::DENIAL_REASON_LIMIT_EXCEEDED,
                                        "too many calls of this session wait as tasks already");
  if (!why.ok()) {
    LeaveApproval(gateway, *call.approval);
    co_await AnswerRefused(gateway, RefuseAbout(std::move(call.judged), why, call.approval.get()));
    co_return;
  }
  const std::string approval_id = call.approval->id();
  const TaskState state = StateFor(gateway, *call.approval);
  HeldTask& task = session.tasks.Add(std::make_unique<HeldTask>(
      gateway.loop, gateway.clock, session.tasks, state, asking.authenticated->incoming, *message));
  call.judged.message = *std::move(message);
  call.judged.granted.authenticated =
      HeadOf(task, asking.authenticated->caller, asking.authenticated->snapshot);
  call.judged.granted.reply = &task;
  call.hold = absl::InfiniteDuration();
  if (asking.reply->is_gone()) task.Cancel();
  gateway.loop.Spawn(Run(gateway, task, std::move(call)));
  const bool is_told =
      co_await AnswerOwn(gateway, asking, request, approval_id, TaskCreated(request->id, state));
  HeldTask* told = session.tasks.Find(state.id);
  if (!is_told && told != nullptr) {
    told->set_settled();
    told->Cancel();
  }
}

}  // namespace sallyport::agent
