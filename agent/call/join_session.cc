#include "agent/call/join_session.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "agent/call/authenticate.h"
#include "agent/call/check_grant.h"
#include "agent/call/check_named.h"
#include "agent/call/check_policy.h"
#include "agent/call/check_start.h"
#include "agent/call/deliver_message.h"
#include "agent/call/end_session.h"
#include "agent/call/open_session.h"
#include "agent/call/own_request.h"
#include "agent/call/server_failure.h"
#include "agent/call/shown.h"
#include "agent/mcp/dialect.h"
#include "agent/mcp/era_bridge.h"
#include "agent/mcp/json_rpc.h"
#include "agent/upstream/upstream_error.h"
#include "common/denial.h"
#include "common/ids.h"
#include "common/json_string.h"
#include "common/log.h"
#include "common/status_macros.h"

namespace sallyport::agent {
namespace {

// A legacy server may say nothing at all to a method it does not know.
constexpr absl::Duration kDiscoverTimeout = absl::Seconds(6);
// Calls wait for the list: what of it has not come by then is done without.
constexpr absl::Duration kListTimeout = absl::Seconds(10);
constexpr int kMaxListPages = 50;
constexpr absl::Duration kLegacyOnlyHolds = absl::Minutes(1);
constexpr int kMaxLooks = 3;

// What the server says beside its answers, until it is gone. The modern era has no such messages:
// a request is refused, the rest has no reader.
Task<void> DrainUnrelated(Gateway& gateway, Held<ServedSession> session,
                          Held<McpConnection> connection, absl::Duration started_at) {
  for (;;) {
    auto message = co_await connection->upstream()->NextUnrelated();
    if (!message.ok()) break;
    (void)co_await JudgeServerMessage(gateway, session, connection, *message);
  }
  if (connection->is_over()) co_return;
  const absl::Duration now = gateway.clock.SinceBoot();
  session->starts.Ended(now, now - started_at);
  LogWarning("upstream_lost", {{"session", session->id()}, {"server", session->facts().server}});
  EndConnection(gateway, *session, *connection, "its server was lost");
}

enum class Discovered : std::uint8_t {
  kModern,
  kLegacyOnly,  // it said so
  kNothing,     // it may be a legacy server, or one that was not well at the time
};

// What we ask for ourselves, and nothing of it can be recorded.
bool IsUnrecorded(const absl::Status& status) {
  return ReasonOf(status) == types::v1::DENIAL_REASON_RECORDER_UNAVAILABLE;
}

// What a server says of its eras. An error: it could not be asked.
Task<absl::StatusOr<Discovered>> Discover(Gateway& gateway, Held<ServedSession> session,
                                          Held<McpConnection> connection) {
  auto discovered = co_await AskForOurselves(
      gateway, session, connection, DiscoverRequest(R"("sallyport-discover")"), kDiscoverTimeout);
  if (discovered.ok() && IsModernServer(*discovered)) co_return Discovered::kModern;
  if (discovered.ok()) {
    const bool says_so = !discovered->is_error || IsRefusalOfInitialize(*discovered);
    co_return says_so ? Discovered::kLegacyOnly : Discovered::kNothing;
  }
  // Silence is an answer, and so is another thing than a message. A redirect, or a credential that
  // is refused, says nothing of the era.
  const int http = HttpStatusOf(discovered.status());
  const bool has_answered = http == 0 || http == 400 || http == 404 || http == 405;
  if (absl::IsDeadlineExceeded(discovered.status()) ||
      (absl::IsInvalidArgument(discovered.status()) && has_answered)) {
    co_return Discovered::kNothing;
  }
  co_return discovered.status();
}

Task<absl::Status> Connect(Gateway& gateway, Held<ServedSession> session,
                           SharedConnection& shared) {
  const std::string server = session->facts().server;
  const absl::Duration started_at = gateway.clock.SinceBoot();
  const auto has_ended = [&] {
    const absl::Duration now = gateway.clock.SinceBoot();
    session->starts.Ended(now, now - started_at);
  };
  auto upstream = co_await gateway.upstreams.Open(server, session->principal_key(),
                                                  session->credentials, Era::kModern);
  if (!upstream.ok()) {
    LogError("upstream_failed",
             {{"server", server}, {"error", Show(gateway, *session, upstream.status())}});
    has_ended();
    co_return Denied(types::v1::DENIAL_REASON_UPSTREAM_LOST,
                     "upstream_lost: the server could not be started");
  }
  auto made = std::make_unique<McpConnection>(gateway.loop, NewMcpSessionId(), ClientCapabilities{},
                                              Era::kModern);
  made->set_upstream(*std::move(upstream));
  const Held<McpConnection> connection(*made);
  // From here on the session's end closes it.
  gateway.sessions.AddConnection(*session, std::move(made));
  if (session->live().is_ended()) {
    EndConnection(gateway, *session, *connection, session->live().end().detail);
    co_return session->live().end().Refusal();
  }
  const auto eras = co_await Discover(gateway, session, connection);
  if (eras.ok() && *eras == Discovered::kModern && !connection->is_over()) {
    shared.connection = &*connection;
    gateway.loop.Spawn(DrainUnrelated(gateway, session, connection, started_at));
    co_return absl::OkStatus();
  }
  if (!connection->is_over()) {
    EndConnection(gateway, *session, *connection, "the server is of another era");
  }
  if (session->live().is_ended()) {
    co_return session->live().end().Refusal();
  }
  if (!eras.ok()) {
    LogError("upstream_failed",
             {{"server", server}, {"error", Show(gateway, *session, eras.status())}});
    if (IsUnrecorded(eras.status())) co_return eras.status();
    has_ended();
    co_return ServerFailure(eras.status(), "server/discover");
  }
  if (*eras == Discovered::kLegacyOnly) gateway.upstreams.NoteLegacyOnly(server);
  shared.is_legacy_only = true;
  co_return Denied(types::v1::DENIAL_REASON_VERSION_UNSUPPORTED,
                   "the server speaks the legacy era of MCP alone");
}

// Of a server that has said nothing of its eras, only the session that asked goes by that, and for
// a while.
Task<void> AskAgainLater(Gateway& gateway, std::string session_id,
                         std::shared_ptr<SharedConnection> shared) {
  co_await Sleep(gateway.loop, kLegacyOnlyHolds);
  ServedSession* session = gateway.sessions.FindById(session_id);
  if (session != nullptr && session->shared == shared) session->shared = nullptr;
}

Task<void> Start(Gateway& gateway, Held<ServedSession> session,
                 std::shared_ptr<SharedConnection> shared) {
  shared->why = co_await Connect(gateway, session, *shared);
  // Whoever waits is told why; who comes later tries again.
  const bool is_kept = shared->is_legacy_only && !session->live().is_ended() &&
                       !gateway.upstreams.IsLegacyOnly(session->facts().server);
  if (!shared->why.ok() && !is_kept && session->shared == shared) session->shared = nullptr;
  if (is_kept) gateway.loop.Spawn(AskAgainLater(gateway, session->id(), shared));
  shared->ready.Set();
}

Task<void> AnswerLegacyOnly(Gateway& gateway, const AuthenticatedCall& call,
                            const ClientMessage& message) {
  constexpr auto kReason = types::v1::DENIAL_REASON_VERSION_UNSUPPORTED;
  RecordDenial(gateway, call.incoming, call.caller.get(), kReason, message.method,
               "a modern client before a server of the legacy era");
  const UpstreamMessage refusal = UnsupportedEra(message);
  co_await call.incoming.reply->Answer(
      OwnAnswer{.status = HttpStatusOf(Era::kModern, refusal), .body = refusal.bytes});
}

// The live session of the caller, or one that is opened now. Nothing: it has been answered.
Task<std::optional<Held<ServedSession>>> FindSession(Gateway& gateway,
                                                     const AuthenticatedCall& call,
                                                     const ClientMessage& message) {
  const std::string server(call.incoming.server);
  if (!gateway.upstreams.Has(server) || !call.snapshot->Fronts(server)) {
    const OpenRefusal refusal{
        .why = Denied(types::v1::DENIAL_REASON_SERVER_UNKNOWN, "no such server here")};
    co_await AnswerOpenRefusal(gateway, call, message, nullptr, refusal);
    co_return std::nullopt;
  }
  ServedSession* live = FindLive(gateway, call);
  if (live != nullptr && live->chain->n() > 0) co_return Held<ServedSession>(*live);
  auto opened = co_await OpenSession(gateway, call, std::string(BearerToken(call.incoming)));
  if (const auto* refusal = std::get_if<OpenRefusal>(&opened)) {
    co_await AnswerOpenRefusal(gateway, call, message, nullptr, *refusal);
    co_return std::nullopt;
  }
  co_return std::get<Held<ServedSession>>(std::move(opened));
}

// The connection that the session's calls share, in the making or ready; why it cannot be made.
absl::StatusOr<std::shared_ptr<SharedConnection>> AttachShared(Gateway& gateway,
                                                               Held<ServedSession> session,
                                                               RefusalDetails& details) {
  if (session->shared == nullptr) {
    RETURN_IF_ERROR(CheckStart(gateway, *session, details));
    session->shared = std::make_shared<SharedConnection>(gateway.loop);
    gateway.loop.Spawn(Start(gateway, session, session->shared));
  }
  return session->shared;
}

// Until it is there, or will not be. Ok: it is there.
Task<absl::Status> AwaitReady(Gateway& gateway, Held<ServedSession> session,
                              std::shared_ptr<SharedConnection> shared, absl::Duration until) {
  const absl::Duration left = std::max(until - gateway.clock.SinceBoot(), absl::ZeroDuration());
  if (!shared->ready.is_set() && !co_await shared->ready.Wait(left)) {
    co_return Denied(types::v1::DENIAL_REASON_SERVER_STARTING,
                     absl::StrCat("the server ", session->facts().server,
                                  " is starting; call again in a moment"));
  }
  if (!shared->why.ok()) co_return shared->why;
  if (session->shared != shared) {
    co_return Denied(types::v1::DENIAL_REASON_UPSTREAM_LOST,
                     "upstream_lost: the server was lost; call again");
  }
  co_return absl::OkStatus();
}

}  // namespace

Task<std::optional<GrantedCall>> JoinSession(Gateway& gateway, AuthenticatedCall call,
                                             const ClientMessage& message) {
  const absl::Duration until = gateway.clock.SinceBoot() + gateway.limits.start_hold;
  const auto found = co_await FindSession(gateway, call, message);
  if (!found) co_return std::nullopt;
  const Held<ServedSession> session = *found;
  const auto named = CheckNamed(gateway, *session, call, Era::kModern);
  if (const auto* unnamed = std::get_if<OpenRefusal>(&named)) {
    co_await AnswerOpenRefusal(gateway, call, message, &*session, *unnamed);
    co_return std::nullopt;
  }
  const LiveSession::InFlight in_flight(session->live());
  session->live().Touch();
  if (session->caller != call.caller) TakeToken(gateway, *session, call);
  if (session->shared == nullptr && gateway.upstreams.IsLegacyOnly(session->facts().server)) {
    co_await AnswerLegacyOnly(gateway, call, message);
    co_return std::nullopt;
  }
  OpenRefusal refusal;
  refusal.details.session_id = session->id();
  const auto shared = AttachShared(gateway, session, refusal.details);
  refusal.why =
      shared.ok() ? co_await AwaitReady(gateway, session, *shared, until) : shared.status();
  if (shared.ok() && (*shared)->is_legacy_only) {
    co_await AnswerLegacyOnly(gateway, call, message);
    co_return std::nullopt;
  }
  if (!refusal.why.ok()) {
    co_await AnswerOpenRefusal(gateway, call, message, &*session, refusal);
    co_return std::nullopt;
  }
  Reply* reply = call.incoming.reply;
  co_return GrantedCall{std::make_shared<const AuthenticatedCall>(std::move(call)), reply, session,
                        Held<McpConnection>(*(*shared)->connection)};
}

namespace {

// True: to the end of the list. An error: nothing can be recorded.
Task<absl::StatusOr<bool>> ReadTools(Gateway& gateway, Held<ServedSession> session,
                                     Held<McpConnection> connection, const LookFor& look_for,
                                     ToolLook::Found& found) {
  const bool is_modern = connection->era() == Era::kModern;
  std::string cursor;
  const absl::Duration until = gateway.clock.SinceBoot() + kListTimeout;
  for (int page = 0; page < kMaxListPages; ++page) {
    const absl::Duration left = until - gateway.clock.SinceBoot();
    if (left <= absl::ZeroDuration()) break;
    std::string params = "{";
    if (is_modern) params += R"("_meta":)" + ModernMeta();
    if (!cursor.empty()) params += (is_modern ? R"(,"cursor":)" : R"("cursor":)") + cursor;
    const auto list = co_await AskForOurselves(
        gateway, session, connection,
        OwnRequest(JsonString("sallyport-" + NewRequestId()), "tools/list", params + "}"), left);
    if (IsUnrecorded(list.status())) co_return list.status();
    if (!list.ok() || list->is_error) break;
    if (!SeeTools(gateway, look_for, *session, *connection, *list, found, cursor)) break;
    const auto shared = is_modern ? session->shared : nullptr;
    std::string same_cursor;
    if (shared != nullptr && !shared->tools.Learn(*list, same_cursor)) break;
    if (cursor.empty()) co_return true;
  }
  co_return false;
}

}  // namespace

Task<absl::Status> LearnTools(Gateway& gateway, Held<ServedSession> session,
                              Held<McpConnection> connection, LookFor look_for,
                              absl::Duration age) {
  ToolLook& look = connection->tool_look();
  while (look.is_asking) {
    co_await look.asked.Wait();
    if (connection->is_over() || !look.HasPassedOver(look_for.tool)) co_return look.unrecorded;
  }
  if (look.HasLooked(gateway.clock.SinceBoot(), age) && !look.HasPassedOver(look_for.tool))
    co_return absl::OkStatus();
  look.is_asking = true;
  look.asked.Reset();
  look.unrecorded = absl::OkStatus();
  // A server that never stops changing them is looked at no more often than that.
  for (int attempt = 0; attempt < kMaxLooks; ++attempt) {
    const std::uint64_t changes = look.changes();
    ToolLook::Found found;
    const auto is_all = co_await ReadTools(gateway, session, connection, look_for, found);
    if (!is_all.ok()) {
      look.unrecorded = is_all.status();
      break;
    }
    if (look.changes() != changes) continue;
    look.Take(found, *is_all, gateway.clock.SinceBoot());
    found.seen.insert(found.passed_over.begin(), found.passed_over.end());
    TakeToolList(gateway, *session, found.seen, *is_all);
    break;
  }
  look.is_asking = false;
  look.asked.Set();
  co_return look.unrecorded;
}

Task<void> LearnTool(Gateway& gateway, const GrantedCall& call, const std::string& tool) {
  const std::shared_ptr<SharedConnection> shared = call.session->shared;
  if (shared == nullptr || shared->tools.Knows(tool)) co_return;
  const AuthenticatedCall& authenticated = *call.authenticated;
  auto rules = RulesFor(gateway, *call.session, *authenticated.caller, authenticated.snapshot);
  // Why there are none, policy says when it judges the call.
  if (!rules.ok()) co_return;
  // What keeps the look from being recorded keeps the call from it, too.
  (void)co_await LearnTools(gateway, call.session, call.connection, {.rules = *std::move(rules)});
}

}  // namespace sallyport::agent
