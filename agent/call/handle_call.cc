#include "agent/call/handle_call.h"

#include <memory>
#include <utility>
#include <variant>

#include "agent/call/answer_request.h"
#include "agent/call/check_grant.h"
#include "agent/call/check_policy.h"
#include "agent/call/deliver_message.h"
#include "agent/call/end_session.h"
#include "agent/call/error_reply.h"
#include "agent/call/handle_batch.h"
#include "agent/call/initialize.h"
#include "agent/call/join_session.h"
#include "agent/call/narrow_request.h"
#include "agent/call/record_call.h"
#include "agent/call/resumable_reply.h"
#include "agent/call/settle_call.h"
#include "agent/call/shown.h"
#include "agent/mcp/dialect.h"
#include "agent/mcp/json_batch.h"
#include "agent/mcp/json_rpc.h"
#include "agent/mcp/json_scan.h"
#include "agent/mcp/modern_headers.h"
#include "common/denial.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

Task<void> Accept(Reply& reply) { co_await reply.Answer(OwnAnswer{.status = 202}); }

// A client's message that is forwarded without an answer.
Task<void> SendOn(Gateway& gateway, const GrantedCall& call,
                  std::shared_ptr<const ClientMessage> message, std::string policy) {
  auto outbound = co_await RecordOutbound(
      gateway, call.session, call.connection, std::move(message), call.authenticated->caller,
      std::move(policy), std::string(call.authenticated->incoming.client_address));
  if (!outbound.ok()) {
    gateway.metrics.Denied(ReasonOf(outbound.status()));
    co_return;
  }
  // A server that is lost says so where its messages are waited for.
  if (!call.connection->is_over()) (void)co_await call.connection->upstream()->Send(*outbound);
}

Task<void> HandleRequest(Gateway& gateway, GrantedCall call,
                         std::shared_ptr<const ClientMessage> message) {
  const Held<ServedSession> session = call.session;
  // A stream that only listens is no work in progress.
  std::optional<LiveSession::InFlight> in_flight;
  std::optional<LiveSession::Listening> listening;
  if (IsListening(*message)) {
    listening.emplace(session->live());
  } else {
    in_flight.emplace(session->live());
  }
  co_await AnswerRequest(gateway, std::move(call), std::move(message));
  // A retry that was refused has ended its operation, too.
  EndIfCompleted(gateway, *session);
}

// The arguments that a tool repeats in the headers must agree with them. message_invalid, with the
// code of the revision.
Task<absl::Status> CheckParamHeaders(Gateway& gateway, const GrantedCall& call,
                                     const ClientMessage& message) {
  co_await LearnTool(gateway, call, message.target);
  const std::shared_ptr<SharedConnection> shared = call.session->shared;
  if (shared == nullptr) co_return absl::OkStatus();  // its server is lost, and Forward says so
  const HttpFields& fields = *call.authenticated->incoming.fields;
  const auto disagreement =
      shared->tools.Disagreement(message, [&](std::string_view name) { return fields.Find(name); });
  if (!disagreement) co_return absl::OkStatus();
  co_return Denied(types::v1::DENIAL_REASON_MESSAGE_INVALID,
                   "the headers and the body disagree: " + *disagreement);
}

Task<void> RefuseMessage(Gateway& gateway, const AuthenticatedCall& call, std::string method,
                         absl::Status why, OwnAnswer answer) {
  RecordDenial(gateway, call.incoming, call.caller.get(), ReasonOf(why), method,
               ToStd(why.message()));
  co_await call.incoming.reply->Answer(std::move(answer));
}

// The answer to a notification that was refused: in the modern era an error of HTTP that says why,
// as the revision asks. Legacy clients take any such error for the end of their connection, so they
// are told nothing.
OwnAnswer RefusedNotification(const RefusedCall& refused) {
  if (refused.message->era == Era::kLegacy) return OwnAnswer{.status = 202};
  const UpstreamMessage error = RefuseRequest(*refused.message, refused.why, refused.details);
  const bool is_unknown = error.error_code == rpc_code::kMethodNotFound;
  return OwnAnswer{.status = is_unknown ? 404 : 403, .body = error.bytes};
}

Task<void> RefuseNotification(Gateway& gateway, RefusedCall refused) {
  const GrantedCall& granted = refused.granted;
  const ShownRequest shown = co_await Show(gateway, *granted.session, refused.message);
  EventFacts facts;
  facts.type = types::v1::RECORD_TYPE_DENIAL;
  facts.request = &shown;
  facts.policy = refused.details.policy;
  facts.denial_reason = ReasonOf(refused.why);
  facts.mcp_session = granted.connection->record_tag();
  facts.detail =
      ShowWhy(gateway, *granted.session, *refused.message, shown, ToStd(refused.why.message()));
  gateway.metrics.Denied(facts.denial_reason);
  (void)co_await gateway.recorder.RecordEvent(*granted.session->chain, std::move(facts));
  co_await granted.reply->Answer(RefusedNotification(refused));
}

Task<void> HandleNotification(Gateway& gateway, GrantedCall call,
                              std::shared_ptr<const ClientMessage> message) {
  Reply& reply = *call.reply;
  BringUpToDate(gateway, call);
  auto judged = CheckPolicy(gateway, std::move(call), std::move(message));
  if (auto* refused = std::get_if<RefusedCall>(&judged)) {
    co_await RefuseNotification(gateway, std::move(*refused));
    co_return;
  }
  JudgedCall& passed = std::get<JudgedCall>(judged);
  if (passed.needs_approval) {
    RefusalDetails details;
    details.policy = passed.judgement->decision.policy;
    co_await RefuseNotification(gateway,
                                RefusedCall{std::move(passed.granted), std::move(passed.message),
                                            Denied(types::v1::DENIAL_REASON_POLICY_DENIED,
                                                   "nobody can be asked about a notification"),
                                            std::move(details)});
    co_return;
  }
  const bool is_cancel = passed.message->method == "notifications/cancelled";
  // What the server has not got it need not forget.
  const bool goes_on =
      !is_cancel || passed.granted.connection->CancelRequest(passed.message->cancelled_id);
  if (goes_on) {
    co_await SendOn(gateway, passed.granted, std::move(passed.message),
                    passed.judgement->decision.policy);
  }
  co_await Accept(reply);
}

// A client's answer to a request of the server that it was given.
Task<void> HandleAnswer(Gateway& gateway, GrantedCall call,
                        std::shared_ptr<const ClientMessage> message) {
  Reply& reply = *call.reply;
  if (!call.connection->mcp().TakeServerRequest(message->id)) {
    const absl::Status why = Denied(types::v1::DENIAL_REASON_MESSAGE_INVALID,
                                    "no request of the server waits for this answer");
    gateway.metrics.Denied(types::v1::DENIAL_REASON_MESSAGE_INVALID);
    const ShownRequest shown = co_await Show(gateway, *call.session, std::move(message));
    EventFacts facts;
    facts.type = types::v1::RECORD_TYPE_DENIAL;
    facts.request = &shown;
    facts.denial_reason = types::v1::DENIAL_REASON_MESSAGE_INVALID;
    facts.mcp_session = call.connection->record_tag();
    facts.detail = "no request of the server waits for this answer"_words;
    (void)co_await gateway.recorder.RecordEvent(*call.session->chain, std::move(facts));
    co_await reply.Answer(UnreadableMessage(why, rpc_code::kInvalidRequest));
    co_return;
  }
  co_await SendOn(gateway, call, std::move(message), {});
  co_await Accept(reply);
}

Task<void> RefuseModern(Gateway& gateway, const AuthenticatedCall& call,
                        const ClientMessage& message, const ModernRefusal& refusal) {
  const bool is_version = refusal.code == rpc_code::kUnsupportedVersion;
  const std::string requested = message.modern.version.empty()
                                    ? std::string(call.incoming.protocol_version.value_or(""))
                                    : message.modern.version;
  const UpstreamMessage error = is_version
                                    ? UnsupportedVersion(message, requested)
                                    : ErrorResponse(message.id, refusal.code, refusal.message);
  absl::Status why = Denied(is_version ? types::v1::DENIAL_REASON_VERSION_UNSUPPORTED
                                       : types::v1::DENIAL_REASON_MESSAGE_INVALID,
                            refusal.message);
  return RefuseMessage(gateway, call, message.method, std::move(why),
                       OwnAnswer{.status = 400, .body = error.bytes});
}

// A message of the modern era. Its headers, its envelope and its era come before anything it asks
// for.
Task<void> HandleModern(Gateway& gateway, AuthenticatedCall call, ClientMessage message) {
  const HttpFields& fields = *call.incoming.fields;
  const auto refusal =
      CheckModernMessage(message, {.protocol_version = call.incoming.protocol_version,
                                   .method = fields.Find("mcp-method"),
                                   .name = fields.Find("mcp-name")});
  if (refusal) {
    co_await RefuseModern(gateway, call, message, *refusal);
    co_return;
  }
  // A client cancels by closing its stream; ids of the modern era say nothing to others.
  if (message.method == "notifications/cancelled") {
    co_await Accept(*call.incoming.reply);
    co_return;
  }
  // From here on it is seen when the client goes, which takes its call back: Forward looks whether
  // it has.
  call.incoming.reply->TellWhenGone([] {});
  auto joined = co_await JoinSession(gateway, std::move(call), message);
  if (!joined) co_return;
  GrantedCall& granted = *joined;
  const auto refuse = [&](absl::Status why, ClientMessage refused, int code) {
    RefusalDetails details;
    details.rpc_code = code;
    return RefusedCall{std::move(granted),
                       std::make_shared<const ClientMessage>(std::move(refused)), std::move(why),
                       std::move(details)};
  };
  if (message.method == "tools/call") {
    absl::Status agree = co_await CheckParamHeaders(gateway, granted, message);
    if (!agree.ok()) {
      co_await AnswerRefused(
          gateway, refuse(std::move(agree), std::move(message), rpc_code::kHeaderMismatch));
      co_return;
    }
  }
  auto narrowed = NarrowRequest(gateway, granted, message);
  if (!narrowed.ok()) {
    const bool is_invalid = ReasonOf(narrowed.status()) == types::v1::DENIAL_REASON_MESSAGE_INVALID;
    co_await AnswerRefused(gateway, refuse(narrowed.status(), std::move(message),
                                           is_invalid ? rpc_code::kInvalidParams : 0));
    co_return;
  }
  auto judged = std::make_shared<const ClientMessage>(*std::move(narrowed));
  if (judged->shape == Shape::kNotification) {
    // It is no round of a call, whatever state it brings back.
    SettleDropped(gateway, granted);
    co_await HandleNotification(gateway, std::move(granted), std::move(judged));
  } else {
    co_await HandleRequest(gateway, std::move(granted), std::move(judged));
  }
}

}  // namespace

StreamHabits HabitsOf(const GrantedCall& call) {
  const IncomingCall& incoming = call.authenticated->incoming;
  const McpSession& mcp = call.connection->mcp();
  const bool prefers_stream = PrefersStream(*incoming.fields);
  return {.prefers_stream = prefers_stream,
          .is_chosen = prefers_stream && !mcp.prefers_streams(),
          .can_be_primed = CanBePrimed(incoming.protocol_version.value_or(mcp.protocol_version()))};
}

Task<void> RefuseUnread(Gateway& gateway, const AuthenticatedCall& call, const absl::Status& why,
                        std::string_view id) {
  co_await RefuseMessage(gateway, call, {}, why, UnreadableMessage(why, JsonRpcCodeOf(why), id));
}

Task<void> HandleMessage(Gateway& gateway, GrantedCall call,
                         std::shared_ptr<const ClientMessage> message) {
  switch (message->shape) {
    case Shape::kRequest:
      co_await HandleRequest(gateway, std::move(call), std::move(message));
      break;
    case Shape::kNotification:
      co_await HandleNotification(gateway, std::move(call), std::move(message));
      break;
    case Shape::kResponse:
      co_await HandleAnswer(gateway, std::move(call), std::move(message));
      break;
  }
}

Task<void> HandlePost(Gateway& gateway, AuthenticatedCall call, std::string body) {
  if (IsBatch(body)) {
    co_await HandleBatch(gateway, std::move(call), std::move(body));
    co_return;
  }
  ScanLimits limits;
  limits.max_bytes = gateway.limits.message_bytes;
  auto scanned = ScanClientMessage(std::move(body), limits);
  if (!scanned.ok()) {
    const std::string id = JsonRpcIdOf(scanned.status());
    co_await RefuseUnread(gateway, call, scanned.status(), id);
    co_return;
  }
  if (IsModernByHeader(*scanned, call.incoming.protocol_version)) scanned->era = Era::kModern;
  if (scanned->era == Era::kModern) {
    co_await HandleModern(gateway, std::move(call), *std::move(scanned));
    co_return;
  }
  auto message = std::make_shared<const ClientMessage>(*std::move(scanned));
  if (message->method == "initialize" && message->shape == Shape::kRequest &&
      !call.incoming.mcp_session_id) {
    co_await Initialize(gateway, std::move(call), std::move(message));
    co_return;
  }
  Reply& reply = *call.incoming.reply;
  auto granted = CheckGrant(gateway, std::move(call));
  if (auto* refusal = std::get_if<OwnAnswer>(&granted)) {
    co_await reply.Answer(std::move(*refusal));
    co_return;
  }
  GrantedCall& live = std::get<GrantedCall>(granted);
  if (message->method == "initialize") {
    absl::Status why =
        Denied(types::v1::DENIAL_REASON_MESSAGE_INVALID, "this MCP session is initialized already");
    co_await AnswerRefused(gateway,
                           RefusedCall{std::move(live), std::move(message), std::move(why), {}});
    co_return;
  }
  const Held<McpConnection> connection = live.connection;
  std::optional<ResumableReply> resumable;
  if (message->shape == Shape::kRequest) {
    resumable.emplace(*connection, reply, HabitsOf(live));
    live.reply = &*resumable;
  }
  co_await HandleMessage(gateway, std::move(live), std::move(message));
}

Task<void> HandleDelete(Gateway& gateway, AuthenticatedCall call) {
  Reply& reply = *call.incoming.reply;
  auto checked = CheckGrant(gateway, std::move(call));
  if (auto* refusal = std::get_if<OwnAnswer>(&checked)) {
    co_await reply.Answer(std::move(*refusal));
    co_return;
  }
  const GrantedCall granted = std::get<GrantedCall>(std::move(checked));
  ServedSession& session = *granted.session;
  granted.connection->set_deleted();
  EndConnection(gateway, session, *granted.connection, "its client deleted it");
  EndIfCompleted(gateway, session);
  co_await reply.Answer(OwnAnswer{.status = 204});
}

}  // namespace sallyport::agent
