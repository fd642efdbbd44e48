#include "agent/call/answer_request.h"

#include <optional>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
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

constexpr std::size_t kMaxOpenRequests = 128;

Task<void> EndAbandoned(Gateway& gateway, AbandonedCall abandoned) {
  SettleDropped(gateway, abandoned.granted);
  co_await abandoned.granted.reply->End();
}

// The stages from the tool's definition on.
Task<std::optional<AskedCall>> CheckAndPassOn(Gateway& gateway, JudgedCall call,
                                              OpenRequest& request) {
  auto defined = co_await CheckDefinition(gateway, std::move(call), request);
  if (auto* refused = std::get_if<RefusedCall>(&defined)) {
    co_await AnswerRefused(gateway, std::move(*refused));
    co_return std::nullopt;
  }
  if (auto* abandoned = std::get_if<AbandonedCall>(&defined)) {
    co_await EndAbandoned(gateway, std::move(*abandoned));
    co_return std::nullopt;
  }
  auto asked = co_await AskApproval(gateway, std::get<JudgedCall>(std::move(defined)));
  if (auto* refused = std::get_if<RefusedCall>(&asked)) {
    co_await AnswerRefused(gateway, std::move(*refused));
    co_return std::nullopt;
  }
  AskedCall& pending = std::get<AskedCall>(asked);
  if (MayWaitAsTask(pending)) co_return std::move(pending);
  co_await PassOn(gateway, std::move(pending), request);
  co_return std::nullopt;
}

}  // namespace

RegisteredRequest::RegisteredRequest(ServedSession& session, McpConnection& connection,
                                     OpenRequest& request)
    : session_(session), connection_(connection), request_(request) {
  if (session.open_requests >= kMaxOpenRequests) {
    status_ = Denied(types::v1::DENIAL_REASON_LIMIT_EXCEEDED,
                     absl::StrCat("the session has ", kMaxOpenRequests,
                                  " requests in flight, and may have no more"));
  } else if (!connection.Begin(request)) {
    status_ = Denied(types::v1::DENIAL_REASON_MESSAGE_INVALID,
                     "a request with this id is in flight already");
  } else {
    ++session.open_requests;
  }
}

RegisteredRequest::~RegisteredRequest() {
  if (!status_.ok()) return;
  connection_.Finish(request_);
  --session_.open_requests;
}

Task<void> AnswerRequest(Gateway& gateway, GrantedCall call,
                         std::shared_ptr<const ClientMessage> message) {
  if (IsForHeldTasks(call, *message)) {
    co_await ServeTask(gateway, std::move(call), std::move(message));
    co_return;
  }
  const Held<ServedSession> session = call.session;
  const Held<McpConnection> connection = call.connection;
  std::optional<AskedCall> waits;
  {
    OpenRequest request{.id = message->id};
    const RegisteredRequest registered(*session, *connection, request);
    if (!registered.status().ok()) {
      co_await AnswerRefused(
          gateway, RefusedCall{std::move(call), std::move(message), registered.status(), {}});
      co_return;
    }
    waits = co_await PassStages(gateway, std::move(call), std::move(message), request);
  }
  // The task takes over the place that the request has just left.
  if (waits) co_await HoldAsTask(gateway, *std::move(waits));
}

Task<std::optional<AskedCall>> PassStages(Gateway& gateway, GrantedCall call,
                                          std::shared_ptr<const ClientMessage> message,
                                          OpenRequest& request) {
  // Its body, its session and its server may have been waited for.
  BringUpToDate(gateway, call);
  auto judged = CheckPolicy(gateway, std::move(call), std::move(message));
  if (auto* refused = std::get_if<RefusedCall>(&judged)) {
    co_await AnswerRefused(gateway, std::move(*refused));
    co_return std::nullopt;
  }
  co_return co_await CheckAndPassOn(gateway, std::get<JudgedCall>(std::move(judged)), request);
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
