#include "agent/call/end_session.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/call/settle_call.h"
#include "agent/call/shown.h"
#include "common/json_printer.h"
#include "common/log.h"

namespace sallyport::agent {
namespace {

// What is in flight has been cut and only has to say so.
constexpr absl::Duration kQuietTimeout = absl::Seconds(5);

Task<void> CloseUpstream(Held<McpConnection> connection) {
  if (connection->upstream() != nullptr) co_await connection->upstream()->Close();
}

// An upstream that is still being opened is closed by who opens it.
Task<void> CloseStarting(std::shared_ptr<StartingConnection> starting) {
  if (starting->connection != nullptr && starting->connection->upstream() != nullptr) {
    co_await starting->connection->upstream()->Close();
  }
}

Task<void> CloseSession(Gateway& gateway, Held<ServedSession> session) {
  LiveSession& live = session->live();
  co_await live.WaitUntilQuiet(kQuietTimeout);
  if (session->chain->is_closed()) {  // it was given up
    session->is_closed = true;
    co_return;
  }
  const std::string end_reason = EnumWord(live.end().reason);
  EventFacts facts;
  facts.type = types::v1::RECORD_TYPE_END;
  facts.end_reason = end_reason;
  std::string detail = live.end().detail;
  if (session->unrecorded > 0) {
    absl::StrAppend(&detail, detail.empty() ? "" : "; ", session->unrecorded,
                    " messages that went to no client are counted and not recorded");
  }
  facts.detail = Show(gateway, *session, detail);
  facts.calls = live.calls();
  absl::Status recorded = co_await gateway.recorder.RecordEvent(*session->chain, std::move(facts));
  if (!recorded.ok()) LogError("record_failed", {{"session", session->id()}, {"error", recorded}});
  session->is_closed = true;
}

}  // namespace

void EndConnection(Gateway& gateway, ServedSession& session, McpConnection& connection,
                   const std::string& detail) {
  if (session.shared != nullptr && session.shared->connection == &connection) {
    session.shared = nullptr;
  }
  session.was_deleted = connection.is_deleted();
  session.unrecorded += connection.dropped().unrecorded() + connection.answered().unrecorded();
  gateway.loop.Spawn(CloseUpstream(Held<McpConnection>(connection)));
  gateway.sessions.EndConnection(session, connection, detail);
}

void EndSession(Gateway& gateway, ServedSession& session, SessionEnd end) {
  if (session.live().is_ended()) return;
  LogInfo("session_ended", {{"session", session.id()},
                            {"server", session.facts().server},
                            {"reason", EnumWord(end.reason)},
                            {"detail", end.detail},
                            {"calls", session.live().calls()}});
  ++gateway.metrics.sessions_ended;
  const std::string detail = end.detail;
  session.live().End(std::move(end));
  while (!session.connections.empty()) {
    EndConnection(gateway, session, *session.connections.begin()->second, detail);
  }
  SettleRounds(gateway, session, absl::InfiniteDuration());
  for (const auto& starting : session.starting) gateway.loop.Spawn(CloseStarting(starting));
  session.starting.clear();
  gateway.loop.Spawn(CloseSession(gateway, Held<ServedSession>(session)));
}

bool EndIfDue(Gateway& gateway, ServedSession& session) {
  if (auto end = session.live().Due(gateway.snapshots.SilentFor())) {
    EndSession(gateway, session, *std::move(end));
  }
  return session.live().is_ended();
}

void EndIfCompleted(Gateway& gateway, ServedSession& session) {
  if (session.live().is_ended()) return;
  const bool has_tasks =
      session.tasks.has_unsettled() ||
      std::any_of(session.connections.begin(), session.connections.end(),
                  [](const auto& entry) { return entry.second->mcp().has_unfinished_tasks(); });
  const bool is_answered = session.counted_in_flight == 0 && session.rounds.empty();
  if (session.live().is_used_up() && is_answered && !has_tasks) {
    EndSession(gateway, session, {types::v1::END_REASON_COMPLETED, "max_calls is used up"});
  } else if (session.was_deleted && session.connections.empty() && session.starting.empty()) {
    EndSession(gateway, session,
               {types::v1::END_REASON_COMPLETED, "the client ended its last MCP session"});
  }
}

Task<void> EndAllSessions(Gateway& gateway, SessionEnd end, absl::Duration timeout) {
  for (ServedSession* session : gateway.sessions.all()) EndSession(gateway, *session, end);
  const absl::Duration until = gateway.clock.SinceBoot() + timeout;
  while (gateway.clock.SinceBoot() < until) {
    gateway.sessions.Reap();
    if (gateway.sessions.empty()) co_return;
    co_await Sleep(gateway.loop, absl::Milliseconds(20));
  }
}

}  // namespace sallyport::agent
