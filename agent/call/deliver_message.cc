#include "agent/call/deliver_message.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "agent/call/answer_server.h"
#include "agent/call/check_policy.h"
#include "agent/call/drop_message.h"
#include "agent/call/narrow_entries.h"
#include "agent/call/record_call.h"
#include "agent/call/server_rights.h"
#include "agent/call/settle_call.h"
#include "agent/call/shown.h"
#include "agent/mcp/client_capabilities.h"
#include "agent/mcp/created_task.h"
#include "agent/mcp/dialect.h"
#include "agent/mcp/json_rpc.h"
#include "agent/mcp/methods.h"
#include "agent/mcp/modern_result.h"
#include "common/denial.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

using types::v1::DenialReason;

Task<void> WriteLast(Reply& reply, const RecordedMessage& message) {
  co_await reply.Event(message);
  co_await reply.End();
}

Task<void> Write(Gateway& gateway, Reply& reply, int status, const RecordedMessage& message) {
  ++gateway.metrics.messages_delivered;
  if (reply.has_begun()) return WriteLast(reply, message);
  return reply.Answer(message, {.status = status});
}

// What a server's message asks its client for, once its client is told.
struct Asks {
  // Of a task.
  std::string task_id;
  std::vector<std::string> keys;
  // What of it only policies on trial let through.
  std::optional<Observed> observed;
};

void NoteObserved(const std::optional<Observed>& observed, RecordFacts& facts) {
  if (!observed) return;
  facts.observed_reason = observed->reason;
  facts.observed_policy = observed->policy;
}

// What stands in a modern result for all to see, as this caller may see it. A server's input
// request opens a round, in which the retry of the call goes on with what is settled of it.
absl::StatusOr<UpstreamMessage> NarrowModern(Gateway& gateway, RecordedCall& call,
                                             UpstreamMessage response, Asks& asks) {
  ServedSession& session = *call.granted.session;
  const ClientMessage& request = call.outbound.message();
  const SessionPolicy& policy = *call.judgement->rules->policy;
  const absl::Time now = gateway.clock.Now();
  const UsableCapabilities& usable = policy.capabilities(now);
  if (request.method == "tools/list" && session.shared != nullptr) {
    std::string next_cursor;
    session.shared->tools.Learn(response, next_cursor);
  }
  const bool may_listen = MayPass(policy.EvaluateCall({.method = "subscriptions/listen"}, now));
  absl::Status sealed;
  const absl::Duration left = session.live().facts().expires_at - now;
  ASSIGN_OR_RETURN(ModernResult result,
                   NarrowModernResult(
                       std::move(response), request,
                       {.server = {.tools = usable.tools,
                                   .resources = usable.resources,
                                   .subscriptions = usable.resources && may_listen,
                                   .prompts = usable.prompts,
                                   .completions = usable.completions,
                                   .logging = usable.logging,
                                   .task_extension = usable.task_extension,
                                   .makes_tasks = usable.approved_tools},
                        .may_be_asked =
                            [&](ServerRequestKind kind) {
                              CallDecision decision =
                                  policy.EvaluateServerRequest(PolicyWord(kind), now);
                              if (decision.observed) asks.observed = std::move(decision.observed);
                              return decision.verdict == Verdict::kAllow;
                            },
                        .may_be_task = request.modern.takes_tasks && usable.task_extension,
                        .seal =
                            [&](std::string_view state, std::vector<std::string> asked) {
                              Continuation continuation = ContinuationOf(call);
                              continuation.server_state = std::string(state);
                              std::sort(asked.begin(), asked.end());
                              continuation.asked = std::move(asked);
                              auto text = SealRequestState(session, request, continuation,
                                                           gateway.clock.SinceBoot());
                              sealed = text.status();
                              return text.ok() ? *std::move(text) : std::string();
                            },
                        .max_ttl_ms = std::max<std::int64_t>(0, absl::ToInt64Milliseconds(left))}));
  RETURN_IF_ERROR(sealed);
  McpSession& mcp = call.granted.connection->mcp();
  if (!result.asked.empty()) {
    asks.task_id = !result.task_id.empty() ? result.task_id : request.task_id;
    asks.keys = std::move(result.asked);
  }
  if (!result.task_id.empty())
    mcp.AddTask(std::move(result.task_id), UntilTaskIsOver(std::move(call.place)));
  if (result.is_task_over) mcp.FinishTask(request.task_id);
  return std::move(result.message);
}

// An error that sends the client to an address is an elicitation, which nobody can refuse any more.
absl::Status CheckSendsAway(Gateway& gateway, const RecordedCall& call, Asks& asks) {
  constexpr ServerRequestKind kKind = ServerRequestKind::kElicitation;
  CallDecision decision =
      call.judgement->rules->policy->EvaluateServerRequest(PolicyWord(kKind), gateway.clock.Now());
  if (decision.verdict != Verdict::kAllow) return NotAllowed(kKind);
  asks.observed = std::move(decision.observed);
  const ClientMessage& request = call.outbound.message();
  const ClientCapabilities missing =
      Missing({.url = true}, request.era == Era::kModern ? DeclaredBy(request)
                                                         : call.granted.connection->capabilities());
  return missing.empty() ? absl::OkStatus() : NotDeclared(missing);
}

absl::StatusOr<UpstreamMessage> Narrow(Gateway& gateway, RecordedCall& call,
                                       UpstreamMessage response, Asks& asks, bool is_long) {
  if (response.error_code == rpc_code::kAddressRequired)
    RETURN_IF_ERROR(CheckSendsAway(gateway, call, asks));
  if (call.outbound.message().era == Era::kModern) {
    ASSIGN_OR_RETURN(response, NarrowModern(gateway, call, std::move(response), asks));
  }
  if (is_long) return response;
  return NarrowEntries(gateway, call, std::move(response));
}

MessageFacts ResponseFacts(const RecordedCall& call) {
  MessageFacts facts;
  const GrantedCall& granted = call.granted;
  const Judgement& judgement = *call.judgement;
  static_cast<RecordFacts&>(facts) = FactsOf(
      granted.authenticated->caller.get(), *granted.connection, judgement.rules.get(),
      judgement.decision.policy, call.approval_id, granted.authenticated->incoming.client_address);
  facts.answers = &call.outbound.shown();
  facts.request_n = call.outbound.record_n();
  return facts;
}

// Our own words in place of what cannot be delivered, and their DENIAL record. `facts` say how it
// shows the request.
Task<void> WriteRefusal(Gateway& gateway, const GrantedCall& granted, const ClientMessage& request,
                        MessageFacts facts, absl::Status why, UpstreamMessage own) {
  ServedSession& session = *granted.session;
  Reply& reply = *granted.reply;
  const DenialReason reason = ReasonOf(why);
  gateway.metrics.Denied(reason);
  facts.type = types::v1::RECORD_TYPE_DENIAL;
  facts.denial_reason = reason;
  facts.detail = ShowWhy(gateway, session, request, *facts.answers, ToStd(why.message()));
  const std::string bytes = own.bytes;
  const int status = HttpStatusOf(request.era, own);
  auto masked = co_await gateway.masker.Mask(session.principal_key(), own, session.mask);
  if (!masked.ok()) masked = Masker::Refusal(request.id, reason);
  auto recorded =
      co_await gateway.recorder.RecordMessage(*session.chain, facts, *std::move(masked));
  if (!recorded.ok()) recorded = gateway.recorder.RefuseUnrecorded(std::move(own));
  if (recorded.ok()) {
    co_await Write(gateway, reply, status, *recorded);
  } else if (reply.has_begun()) {
    co_await reply.End();
  } else {
    // The recording has its end record already.
    co_await reply.Answer(OwnAnswer{.status = status, .body = bytes});
  }
}

// What a server has shown of its tools holds until it says that they changed, and its tasks run
// until it says that they are over, whoever is told.
void NoteChange(McpConnection& connection, const UpstreamMessage& message) {
  if (message.method == "notifications/tools/list_changed") connection.tool_look().Forget();
  if (message.stray.empty() && IsTaskOver(message)) {
    connection.mcp().EndTask(message.target.text());
  }
}

// By the version that judged the call: another one may have bound the session to a newer version
// meanwhile.
Task<absl::StatusOr<MaskedMessage>> MaskResponse(Gateway& gateway, const RecordedCall& call,
                                                 UpstreamMessage response) {
  const ServedSession& session = *call.granted.session;
  const SessionMask& current = session.mask;
  const auto& plan = call.judgement->rules->mask_plan;
  if (plan == current.plan) {
    return gateway.masker.Mask(session.principal_key(), std::move(response), current);
  }
  SessionMask mask = current;
  mask.plan = plan;
  return gateway.masker.Mask(session.principal_key(), std::move(response), mask);
}

}  // namespace

Task<bool> DeliverResponse(Gateway& gateway, RecordedCall& call, UpstreamMessage response) {
  Asks asks;
  const bool is_long = response.bytes.size() > PacedMasker::kLongBytes;
  auto narrowed = Narrow(gateway, call, std::move(response), asks, is_long);
  if (is_long && narrowed.ok()) {
    narrowed = co_await NarrowLongEntries(gateway, call, *std::move(narrowed));
  }
  if (!narrowed.ok()) {
    co_await AnswerFailed(gateway, call, narrowed.status());
    co_return false;
  }
  ServedSession& session = *call.granted.session;
  const int status = HttpStatusOf(call.outbound.message().era, *narrowed);
  auto masked = co_await MaskResponse(gateway, call, *std::move(narrowed));
  if (!masked.ok()) {
    co_await AnswerFailed(gateway, call, masked.status());
    co_return false;
  }
  MessageFacts facts = ResponseFacts(call);
  NoteObserved(asks.observed, facts);
  auto recorded =
      co_await gateway.recorder.RecordMessage(*session.chain, facts, *std::move(masked));
  if (!recorded.ok()) {
    co_await AnswerFailed(gateway, call, recorded.status());
    co_return false;
  }
  if (!asks.keys.empty()) call.granted.connection->mcp().AskInTask(asks.task_id, asks.keys);
  co_await Write(gateway, *call.granted.reply, status, *recorded);
  co_return true;
}

Task<bool> JudgeServerMessage(Gateway& gateway, Held<ServedSession> session,
                              Held<McpConnection> connection, const UpstreamMessage& message) {
  NoteChange(*connection, message);
  if (!message.stray.empty()) {
    co_await DropMessage(gateway, *session, *connection, types::v1::DENIAL_REASON_UPSTREAM_INVALID,
                         message.method, std::string(message.stray));
    co_return false;
  }
  const bool is_request = message.shape == Shape::kRequest;
  const ServerMethod* method = FindServerMethod(message.method);
  const ServerRequestKind kind = method == nullptr ? ServerRequestKind::kNone : method->request;
  const bool has_method = method != nullptr && Has(method->eras, connection->era());
  if (has_method && is_request && kind == ServerRequestKind::kPing) {
    co_await AnswerServer(gateway, session, connection, ResultAnswer(message.id));
    co_return false;
  }
  const ServerRight right = has_method && method->is_notification != is_request
                                ? RightNow(gateway, *session, *connection, *method, message)
                                : ServerRight::kNone;
  if (right == ServerRight::kHas) co_return true;
  if (IsAllowedByName(gateway, *session, message)) co_return true;
  if (is_request && connection->era() == Era::kModern) {
    co_await DropMessage(gateway, *session, *connection, types::v1::DENIAL_REASON_UPSTREAM_INVALID,
                         message.method, "a server makes no requests in this version of MCP");
    co_return false;
  }
  co_await DropMessage(
      gateway, *session, *connection, types::v1::DENIAL_REASON_POLICY_DENIED, message.method,
      "the client has not asked for this message of the server, or may not have it");
  if (is_request) {
    const bool is_unfit = right == ServerRight::kUnfit;
    co_await AnswerServer(
        gateway, session, connection,
        ErrorAnswer(message.id, is_unfit ? rpc_code::kInvalidParams : rpc_code::kMethodNotFound,
                    is_unfit ? "the client has not declared that it can be asked in this way"
                             : "the client does not take this request"));
  }
  co_return false;
}

Task<void> DropUnasked(Gateway& gateway, const GrantedCall& call, const UpstreamMessage& message,
                       std::string_view why) {
  NoteChange(*call.connection, message);
  co_await DropMessage(gateway, *call.session, *call.connection,
                       types::v1::DENIAL_REASON_POLICY_DENIED, message.method, std::string(why));
}

Task<std::optional<RecordedMessage>> AdmitMessage(Gateway& gateway, const GrantedCall& call,
                                                  bool reachable, UpstreamMessage message) {
  if (!co_await JudgeServerMessage(gateway, call.session, call.connection, message)) {
    co_return std::nullopt;
  }
  ServedSession& session = *call.session;
  McpConnection& connection = *call.connection;
  const bool is_request = message.shape == Shape::kRequest;
  const ClientMessage unanswered =
      ErrorAnswer(message.id, rpc_code::kRefused, "the client cannot be asked now");
  if (is_request && (!reachable || !connection.mcp().DeliverServerRequest(message.id))) {
    co_await AnswerServer(gateway, call.session, call.connection, unanswered);
    co_return std::nullopt;
  }
  if (message.method == "notifications/cancelled")
    connection.mcp().TakeServerRequest(message.cancelled_id);

  const std::string id = message.id;
  const std::string method = message.method;
  const Asks asks{.task_id = message.target,
                  .keys = AskedInTaskNews(message),
                  .observed = is_request ? ObservedOf(gateway, session, message) : std::nullopt};
  MessageFacts facts;
  const std::string address(call.authenticated->incoming.client_address);
  static_cast<RecordFacts&>(facts) =
      FactsOf(call.authenticated->caller.get(), connection, session.rules.get(), {}, {}, address);
  NoteObserved(asks.observed, facts);
  auto masked =
      co_await gateway.masker.Mask(session.principal_key(), std::move(message), session.mask);
  absl::StatusOr<RecordedMessage> recorded =
      masked.ok()
          ? co_await gateway.recorder.RecordMessage(*session.chain, facts, *std::move(masked))
          : absl::StatusOr<RecordedMessage>(masked.status());
  if (!recorded.ok()) {
    co_await DropMessage(gateway, session, connection, ReasonOf(recorded.status()), method,
                         std::string(recorded.status().message()));
    if (is_request && connection.mcp().TakeServerRequest(id)) {
      co_await AnswerServer(gateway, call.session, call.connection, unanswered);
    }
    co_return std::nullopt;
  }
  if (!asks.keys.empty()) connection.mcp().AskInTask(asks.task_id, asks.keys);
  ++gateway.metrics.messages_delivered;
  co_return *std::move(recorded);
}

Task<void> DeliverMessage(Gateway& gateway, const GrantedCall& call, UpstreamMessage message) {
  Reply& reply = *call.reply;
  if (!reply.takes_news()) co_return;
  const auto admitted = co_await AdmitMessage(gateway, call, !reply.is_gone() || reply.may_return(),
                                              std::move(message));
  if (!admitted) co_return;
  if (!reply.has_begun()) co_await reply.Begin({});
  co_await reply.Event(*admitted);
}

Task<void> DeliverNotice(Gateway& gateway, const GrantedCall& call, std::string_view approval_id,
                         UpstreamMessage notice) {
  ServedSession& session = *call.session;
  Reply& reply = *call.reply;
  MessageFacts facts;
  static_cast<RecordFacts&>(facts) =
      FactsOf(call.authenticated->caller.get(), *call.connection, session.rules.get(), {},
              approval_id, call.authenticated->incoming.client_address);
  auto masked =
      co_await gateway.masker.Mask(session.principal_key(), std::move(notice), session.mask);
  if (!masked.ok()) co_return;
  auto recorded =
      co_await gateway.recorder.RecordMessage(*session.chain, facts, *std::move(masked));
  if (recorded.ok()) co_await reply.Event(*recorded);
}

Task<void> AnswerRefused(Gateway& gateway, RefusedCall refused) {
  ServedSession& session = *refused.granted.session;
  const bool may_return = refused.details.is_round_open || !refused.details.request_state.empty();
  if (!may_return) SettleDropped(gateway, refused.granted);
  MessageFacts facts;
  static_cast<RecordFacts&>(facts) =
      FactsOf(refused.granted.authenticated->caller.get(), *refused.granted.connection,
              session.rules.get(), refused.details.policy, refused.details.approval_id,
              refused.granted.authenticated->incoming.client_address);
  const ShownRequest shown = co_await Show(gateway, session, refused.message);
  facts.answers = &shown;
  UpstreamMessage own = RefuseRequest(*refused.message, refused.why, refused.details);
  co_await WriteRefusal(gateway, refused.granted, *refused.message, facts, refused.why,
                        std::move(own));
}

Task<void> AnswerFailed(Gateway& gateway, const RecordedCall& call, const absl::Status& why) {
  const ClientMessage& request = call.outbound.message();
  // The masker blocks before the model reads a word, so it gets no words in the result's place
  // either.
  UpstreamMessage own = ReasonOf(why) == types::v1::DENIAL_REASON_MASKER_BLOCKED
                            ? Masker::Refusal(request.id, ReasonOf(why)).message()
                            : RefuseRequest(request, why);
  MessageFacts facts = ResponseFacts(call);
  facts.outcome = "error";
  co_await WriteRefusal(gateway, call.granted, request, facts, why, std::move(own));
}

}  // namespace sallyport::agent
