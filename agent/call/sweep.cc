#include "agent/call/sweep.h"

#include <utility>

#include "agent/call/end_session.h"
#include "agent/call/settle_call.h"

namespace sallyport::agent {
namespace {

Task<void> CloseStarted(std::shared_ptr<StartingConnection> starting) {
  if (Upstream* upstream = starting->connection->upstream()) co_await upstream->Close();
}

void DropStarted(Gateway& gateway, ServedSession& session) {
  const absl::Duration now = gateway.clock.SinceBoot();
  std::erase_if(session.starting, [&](const auto& starting) {
    const bool is_stale =
        !starting->is_attended && now - starting->started_at >= gateway.limits.start_kept;
    if (is_stale) gateway.loop.Spawn(CloseStarted(starting));
    return is_stale;
  });
}

}  // namespace

void Sweep(Gateway& gateway) {
  const absl::Time now = gateway.clock.Now();
  gateway.approvals.Sweep(now, gateway.sessions);
  gateway.tokens.Sweep(now);
  gateway.principals.Sweep();
  gateway.openings.Sweep(gateway.clock.SinceBoot() - gateway.limits.open_rest);
  gateway.call_counts.Sweep();
  for (ServedSession* session : gateway.sessions.all()) {
    if (EndIfDue(gateway, *session)) continue;
    DropStarted(gateway, *session);
    session->tasks.Sweep(now);
    SettleRounds(gateway, *session, gateway.clock.SinceBoot());
    // A round may have been all that it still waited for.
    EndIfCompleted(gateway, *session);
    if (session->live().is_ended()) continue;
    const bool is_token_over = now >= session->token_expires_at();
    for (auto& [id, connection] : session->connections) {
      if (is_token_over) connection->CloseStreams();
      connection->events().Sweep(gateway.clock.SinceBoot());
    }
  }
  gateway.sessions.Reap();
}

}  // namespace sallyport::agent
