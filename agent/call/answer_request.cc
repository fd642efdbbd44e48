#include "agent/call/answer_request.h"

#include <utility>
#include <variant>

#include "agent/call/ask_approval.h"
#include "agent/call/await_approval.h"
#include "agent/call/check_definition.h"
#include "agent/call/check_policy.h"
#include "agent/call/deliver_message.h"
#include "agent/call/forward.h"
#include "agent/call/hold_as_task.h"
#include "agent/call/record_call.h"
#include "agent/call/reserve_call.h"
#include "agent/call/serve_task.h"
#include "agent/call/settle_call.h"
#include "agent/call/take_limits.h"
#include "common/denial.h"

namespace sallyport::agent {
namespace {

Task<void> EndAbandoned(Gateway& gateway, AbandonedCall abandoned) {
  SettleDropped(gateway, abandoned.granted);
  co_await abandoned.granted.reply->End();
}

// The stages from the tool's definition on.
Task<void> CheckAndPassOn(Gateway& gateway, JudgedCall call, OpenRequest& request) {
  auto defined = co_await CheckDefinition(gateway, std::move(call), request);
  if (auto* refused = std::get_if<RefusedCall>(&defined)) {
    co_await AnswerRefused(gateway, std::move(*refused));
    co_return;
  }
  if (auto* abandoned = std::get_if<AbandonedCall>(&defined)) {
    co_await EndAbandoned(gateway, std::move(*abandoned));
    co_return;
  }
  auto asked = co_await AskApproval(gateway, std::get<JudgedCall>(std::move(defined)));
  if (auto* refused = std::get_if<RefusedCall>(&asked)) {
    co_await AnswerRefused(gateway, std::move(*refused));
    co_return;
  }
  AskedCall& pending = std::get<AskedCall>(asked);
  if (MayWaitAsTask(pending)) {
    co_await HoldAsTask(gateway, std::move(pending));
  } else {
    co_await PassOn(gateway, std::move(pending), request);
  }
}

}  // namespace

Task<void> AnswerRequest(Gateway& gateway, GrantedCall call,
                         std::shared_ptr<const ClientMessage> message) {
  if (IsForHeldTasks(call, *message)) {
    co_await ServeTask(gateway, std::move(call), std::move(message));
    co_return;
  }
  const Held<McpConnection> connection = call.connection;
  OpenRequest request{.id = message->id};
  const RegisteredRequest registered(*connection, request);
  if (!registered.ok()) {
    absl::Status why =
        connection->mcp().in_flight() >= 128
            ? Denied(types::v1::DENIAL_REASON_LIMIT_EXCEEDED, "too many requests are in flight")
            : Denied(types::v1::DENIAL_REASON_MESSAGE_INVALID,
                     "a request with this id is in flight already");
    co_await AnswerRefused(gateway,
                           RefusedCall{std::move(call), std::move(message), std::move(why), {}});
    co_return;
  }
  co_await PassStages(gateway, std::move(call), std::move(message), request);
}

Task<void> PassStages(Gateway& gateway, GrantedCall call,
                      std::shared_ptr<const ClientMessage> message, OpenRequest& request) {
  // Its body, its session and its server may have been waited for.
  BringUpToDate(gateway, call);
  auto judged = CheckPolicy(gateway, std::move(call), std::move(message));
  if (auto* refused = std::get_if<RefusedCall>(&judged)) {
    co_await AnswerRefused(gateway, std::move(*refused));
    co_return;
  }
  co_await CheckAndPassOn(gateway, std::get<JudgedCall>(std::move(judged)), request);
}

Task<void> PassOn(Gateway& gateway, AskedCall call, OpenRequest& request) {
  auto approved = co_await AwaitApproval(gateway, std::move(call), request);
  if (auto* refused = std::get_if<RefusedCall>(&approved)) {
    co_await AnswerRefused(gateway, std::move(*refused));
    co_return;
  }
  if (auto* abandoned = std::get_if<AbandonedCall>(&approved)) {
    co_await EndAbandoned(gateway, std::move(*abandoned));
    co_return;
  }
  auto placed = TakeLimits(gateway, std::get<ApprovedCall>(std::move(approved)));
  if (auto* refused = std::get_if<RefusedCall>(&placed)) {
    co_await AnswerRefused(gateway, std::move(*refused));
    co_return;
  }
  auto permitted = co_await ReserveCall(gateway, std::get<ApprovedCall>(std::move(placed)));
  if (auto* refused = std::get_if<RefusedCall>(&permitted)) {
    co_await AnswerRefused(gateway, std::move(*refused));
    co_return;
  }
  if (auto* unapproved = std::get_if<JudgedCall>(&permitted)) {
    co_await CheckAndPassOn(gateway, std::move(*unapproved), request);
    co_return;
  }
  auto recorded = co_await RecordCall(gateway, std::get<PermittedCall>(std::move(permitted)));
  if (auto* refused = std::get_if<RefusedCall>(&recorded)) {
    co_await AnswerRefused(gateway, std::move(*refused));
    co_return;
  }
  co_await Forward(gateway, std::get<RecordedCall>(std::move(recorded)), request);
}

}  // namespace sallyport::agent
