#include "agent/call/initialize.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/call/answer_server.h"
#include "agent/call/authenticate.h"
#include "agent/call/check_grant.h"
#include "agent/call/check_named.h"
#include "agent/call/check_start.h"
#include "agent/call/deliver_message.h"
#include "agent/call/drop_message.h"
#include "agent/call/end_session.h"
#include "agent/call/open_session.h"
#include "agent/call/record_call.h"
#include "agent/call/resumable_reply.h"
#include "agent/call/server_failure.h"
#include "agent/call/shown.h"
#include "agent/mcp/capabilities.h"
#include "agent/mcp/client_capabilities.h"
#include "agent/mcp/json_rpc.h"
#include "common/denial.h"
#include "common/log.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

// Of what the client declares, what policy lets it be asked for.
ClientCapabilities Declared(const ClientMessage& message, const UsableCapabilities& usable) {
  ClientCapabilities declared = DeclaredBy(message);
  if (!usable.sampling) declared.sampling = declared.sampling_tools = false;
  if (!usable.elicitation) declared.form = declared.url = false;
  if (!usable.roots) declared.roots = false;
  return declared;
}

// What the server says beside its answers, until it or the MCP session is gone.
Task<void> PumpUnrelated(Gateway& gateway, Held<ServedSession> session,
                         Held<McpConnection> connection, absl::Duration started_at) {
  for (;;) {
    auto message = co_await connection->upstream()->NextUnrelated();
    if (!message.ok()) break;
    if (!co_await JudgeServerMessage(gateway, session, connection, *message)) continue;
    const auto given_up = connection->Queue(*std::move(message));
    if (!given_up) continue;
    if (given_up->shape == Shape::kRequest) {
      co_await AnswerServer(
          gateway, session, connection,
          ErrorAnswer(given_up->id, rpc_code::kRefused, "the client cannot be asked now"));
    } else {
      co_await DropMessage(gateway, *session, *connection, types::v1::DENIAL_REASON_LIMIT_EXCEEDED,
                           given_up->method,
                           "the client does not take what the server says beside its answers");
    }
  }
  if (connection->is_over()) co_return;
  const absl::Duration now = gateway.clock.SinceBoot();
  session->starts.Ended(now, now - started_at);
  LogWarning("upstream_lost", {{"session", session->id()}, {"server", session->facts().server}});
  EndConnection(gateway, *session, *connection, "its server was lost");
}

absl::Status CannotStart(Gateway& gateway, ServedSession& session,
                         const StartingConnection& starting, absl::Status why) {
  const absl::Duration now = gateway.clock.SinceBoot();
  session.starts.Ended(now, now - starting.started_at);
  return why;
}

// Opens the upstream, forwards the initialize and waits for its response, whether or not anybody
// still waits for it here.
Task<absl::StatusOr<UpstreamMessage>> AskServer(Gateway& gateway, Held<ServedSession> session,
                                                StartingConnection& starting, ClientMessage request,
                                                std::shared_ptr<const Caller> caller,
                                                std::string client_address) {
  McpConnection& connection = *starting.connection;
  auto upstream = co_await gateway.upstreams.Open(session->facts().server, session->principal_key(),
                                                  session->credentials, Era::kLegacy);
  if (!upstream.ok()) {
    LogError("upstream_failed", {{"server", session->facts().server},
                                 {"error", Show(gateway, *session, upstream.status())}});
    co_return CannotStart(gateway, *session, starting,
                          Denied(types::v1::DENIAL_REASON_UPSTREAM_LOST,
                                 "upstream_lost: the server could not be started"));
  }
  connection.set_upstream(*std::move(upstream));
  if (session->live().is_ended()) {
    co_return session->live().end().Refusal();
  }
  auto outbound = co_await RecordOutbound(gateway, session, Held<McpConnection>(connection),
                                          std::make_shared<const ClientMessage>(std::move(request)),
                                          std::move(caller), {}, std::move(client_address));
  if (!outbound.ok()) co_return outbound.status();
  starting.request_n = outbound->record_n();
  starting.shown = outbound->shown();
  auto exchange = co_await connection.upstream()->Forward(*outbound);
  absl::Status lost = exchange.status();
  while (lost.ok()) {
    auto message = co_await (*exchange)->Next();
    if (!message.ok()) {
      lost = message.status();
      break;
    }
    if (message->shape == Shape::kResponse) co_return message;
    // Nothing but pings and logging may come before the response.
    if (co_await JudgeServerMessage(gateway, session, Held<McpConnection>(connection), *message)) {
      connection.Queue(*std::move(message));
    }
  }
  const absl::Status why = ServerFailure(lost, "initialize");
  EventFacts facts;
  facts.type = types::v1::RECORD_TYPE_OUTCOME;
  facts.request = &outbound->shown();
  facts.outcome = "unknown";
  facts.request_n = starting.request_n;
  facts.denial_reason = ReasonOf(why);
  facts.detail = Show(gateway, *session, ToStd(why.message()));
  (void)co_await gateway.recorder.RecordEvent(*session->chain, std::move(facts));
  LogError("upstream_failed",
           {{"server", session->facts().server}, {"error", Show(gateway, *session, lost)}});
  co_return CannotStart(gateway, *session, starting, why);
}

Task<void> Start(Gateway& gateway, Held<ServedSession> session,
                 std::shared_ptr<StartingConnection> starting, ClientMessage request,
                 std::shared_ptr<const Caller> caller, std::string client_address) {
  starting->response = co_await AskServer(gateway, session, *starting, std::move(request),
                                          std::move(caller), std::move(client_address));
  Upstream* upstream = starting->connection->upstream();
  if (upstream != nullptr && (!starting->response.ok() || session->live().is_ended()))
    co_await upstream->Close();
  starting->done.Set();
}

// The initialize that is under way for the identical request, or a new one.
absl::StatusOr<std::shared_ptr<StartingConnection>> Attach(
    Gateway& gateway, Held<ServedSession> session, const SessionRules& rules,
    const AuthenticatedCall& call, const ClientMessage& message, RefusalDetails& details) {
  for (const auto& starting : session->starting) {
    if (!starting->is_attended && starting->request == message.bytes) return starting;
  }
  if (gateway.sessions.connections_of(call.caller->key) >=
      gateway.limits.mcp_sessions_of_principal) {
    return Denied(types::v1::DENIAL_REASON_LIMIT_EXCEEDED, "too many MCP sessions are open");
  }
  if (absl::Status why = CheckStart(gateway, *session, details); !why.ok()) return why;
  const UsableCapabilities& usable = rules.policy->capabilities(gateway.clock.Now());
  auto narrowed = NarrowInitialize(message, ClientTerms{.sampling = usable.sampling,
                                                        .elicitation = usable.elicitation,
                                                        .roots = usable.roots});
  if (!narrowed.ok()) return narrowed.status();
  auto starting = std::make_shared<StartingConnection>(gateway.loop);
  starting->request = message.bytes;
  starting->started_at = gateway.clock.SinceBoot();
  starting->connection = std::make_unique<McpConnection>(gateway.loop, NewMcpSessionId(),
                                                         Declared(message, usable), Era::kLegacy);
  starting->connection->mcp().set_prefers_streams(PrefersStream(*call.incoming.fields));
  session->starting.push_back(starting);
  gateway.loop.Spawn(Start(gateway, session, starting, *std::move(narrowed), call.caller,
                           std::string(call.incoming.client_address)));
  return starting;
}

Task<void> CloseUpstream(std::shared_ptr<StartingConnection> starting) {
  if (Upstream* upstream = starting->connection->upstream()) co_await upstream->Close();
}

// The server has answered: the MCP session begins, or the server's error is passed on.
Task<absl::Status> Finish(Gateway& gateway, const AuthenticatedCall& call,
                          Held<ServedSession> session, const SessionRules& rules,
                          StartingConnection& starting) {
  const UsableCapabilities& usable = rules.policy->capabilities(gateway.clock.Now());
  std::string negotiated;
  starting.connection->set_has_tasks(HasTasks(*starting.response));
  auto narrowed = NarrowInitializeResult(*std::move(starting.response),
                                         ServerTerms{.tools = usable.tools,
                                                     .resources = usable.resources,
                                                     .subscriptions = usable.subscriptions,
                                                     .prompts = usable.prompts,
                                                     .completions = usable.completions,
                                                     .logging = usable.logging,
                                                     .tasks = usable.tasks,
                                                     .task_list = usable.task_list,
                                                     .task_cancel = usable.task_cancel},
                                         negotiated);
  if (!narrowed.ok()) co_return narrowed.status();
  const bool is_error = narrowed->is_error;
  auto masked =
      co_await gateway.masker.Mask(session->principal_key(), *std::move(narrowed), session->mask);
  if (!masked.ok()) co_return masked.status();
  MessageFacts facts;
  static_cast<RecordFacts&>(facts) = FactsOf(call.caller.get(), *starting.connection, &rules, {},
                                             {}, call.incoming.client_address);
  facts.request_n = starting.request_n;
  facts.answers = &*starting.shown;
  auto recorded =
      co_await gateway.recorder.RecordMessage(*session->chain, facts, *std::move(masked));
  if (!recorded.ok()) co_return recorded.status();
  if (session->live().is_ended()) {
    co_return session->live().end().Refusal();
  }
  ++gateway.metrics.messages_delivered;
  std::string id;
  if (!is_error) {
    McpConnection& connection = *starting.connection;
    id = connection.mcp().id();
    connection.mcp().set_protocol_version(std::move(negotiated));
    gateway.sessions.AddConnection(*session, std::move(starting.connection));
    gateway.loop.Spawn(
        PumpUnrelated(gateway, session, Held<McpConnection>(connection), starting.started_at));
  }
  co_await call.incoming.reply->Answer(*recorded, {.mcp_session_id = id});
  co_return absl::OkStatus();
}

}  // namespace

Task<void> Initialize(Gateway& gateway, AuthenticatedCall call,
                      std::shared_ptr<const ClientMessage> message) {
  const absl::Duration arrived = gateway.clock.SinceBoot();
  const std::string server(call.incoming.server);
  if (!gateway.upstreams.Has(server) || !call.snapshot->Fronts(server)) {
    co_await AnswerOpenRefusal(
        gateway, call, *message, nullptr,
        OpenRefusal{.why = Denied(types::v1::DENIAL_REASON_SERVER_UNKNOWN, "no such server here")});
    co_return;
  }
  auto opened = co_await OpenSession(gateway, call, std::string(BearerToken(call.incoming)));
  if (const auto* refusal = std::get_if<OpenRefusal>(&opened)) {
    co_await AnswerOpenRefusal(gateway, call, *message, nullptr, *refusal);
    co_return;
  }
  const Held<ServedSession> session = std::get<Held<ServedSession>>(opened);
  const auto named = CheckNamed(gateway, *session, call, Era::kLegacy);
  if (const auto* refusal = std::get_if<OpenRefusal>(&named)) {
    co_await AnswerOpenRefusal(gateway, call, *message, &*session, *refusal);
    co_return;
  }
  const auto& rules = std::get<std::shared_ptr<const SessionRules>>(named);
  const LiveSession::InFlight in_flight(session->live());
  session->live().Touch();
  TakeToken(gateway, *session, call);
  OpenRefusal refusal;
  refusal.details.session_id = session->id();
  auto attached = Attach(gateway, session, *rules, call, *message, refusal.details);
  if (!attached.ok()) {
    refusal.why = attached.status();
    co_await AnswerOpenRefusal(gateway, call, *message, &*session, refusal);
    co_return;
  }
  const std::shared_ptr<StartingConnection> starting = *std::move(attached);
  starting->is_attended = true;
  const absl::Duration left = gateway.limits.start_hold - (gateway.clock.SinceBoot() - arrived);
  const bool is_done = co_await starting->done.Wait(std::max(left, absl::ZeroDuration()));
  starting->is_attended = false;
  if (!is_done) {
    refusal.why =
        Denied(types::v1::DENIAL_REASON_SERVER_STARTING,
               absl::StrCat("the server ", server, " is starting; connect again in a moment"));
    co_await AnswerOpenRefusal(gateway, call, *message, &*session, refusal);
    co_return;
  }
  std::erase(session->starting, starting);
  absl::Status finished = starting->response.status();
  if (finished.ok()) finished = co_await Finish(gateway, call, session, *rules, *starting);
  // What did not become an MCP session is closed again.
  if (starting->connection != nullptr) gateway.loop.Spawn(CloseUpstream(starting));
  if (!finished.ok()) {
    refusal.why = std::move(finished);
    co_await AnswerOpenRefusal(gateway, call, *message, &*session, refusal);
  }
}

}  // namespace sallyport::agent
