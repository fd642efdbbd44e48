#include "agent/call/session_updates.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/call/begin_session.h"
#include "agent/call/end_session.h"
#include "common/denial.h"
#include "common/json_printer.h"
#include "common/log.h"

namespace sallyport::agent {
namespace {

Task<void> OpenInBackground(Gateway& gateway, Held<ServedSession> session) {
  // Whoever uses the session sees to its OPEN record again, and to the refusal.
  if (absl::Status opened = co_await EnsureOpened(gateway, session); !opened.ok()) {
    LogError("record_failed", {{"session", session->id()}, {"error", opened}});
  }
}

Task<void> CloseLeftChain(Gateway& gateway, std::unique_ptr<RecordingChain> chain) {
  const std::string end_reason = EnumWord(types::v1::END_REASON_DISCONNECTED);
  EventFacts facts;
  facts.type = types::v1::RECORD_TYPE_END;
  facts.end_reason = end_reason;
  facts.calls = chain->calls();
  facts.detail = "the agent was restarted, and the session had ended meanwhile"_words;
  absl::Status recorded = co_await gateway.recorder.RecordEvent(*chain, std::move(facts));
  if (!recorded.ok())
    LogError("record_failed", {{"session", chain->session_id()}, {"error", recorded}});
}

// One that the control plane has lost, for it was restored, was taken back.
Task<void> AskAfterApprovals(Gateway& gateway, std::vector<types::v1::Approval> open) {
  for (types::v1::Approval& approval : open) {
    auto now = co_await gateway.approval_client.Find(approval.id(), approval.session_id());
    if (absl::IsNotFound(now.status())) {
      approval.set_state(types::v1::APPROVAL_STATE_WITHDRAWN);
      now = std::move(approval);
    }
    if (!now.ok()) {
      // The control plane is lost again: the next stream begins with the same questions.
      LogWarning("approval_not_learnt", {{"approval", approval.id()}, {"error", now.status()}});
      continue;
    }
    if (now->state() == types::v1::APPROVAL_STATE_PENDING) continue;
    gateway.approvals.Learn(*now, gateway.sessions);
  }
}

void TellOpenings(Gateway& gateway, const types::v1::Session& session,
                  const absl::Status& refusal) {
  for (auto& [key, opening] : gateway.openings.by_key) {
    if (opening->pending.id() == session.id()) opening->Decide(refusal);
  }
}

void JudgeSession(Gateway& gateway, ServedSession& session, const AgentSnapshot& snapshot) {
  const std::string_view lock = snapshot.policies()->LockOn(
      session.facts().principal, session.facts().server, gateway.agent, gateway.clock.Now());
  if (!lock.empty()) {
    EndSession(gateway, session,
               {types::v1::END_REASON_REVOKED, "the lock " + std::string(lock) + " shuts it"});
    return;
  }
  JudgeTerms(session, snapshot, gateway.clock.Now());
  (void)EndIfDue(gateway, session);
}

// One after the other, and others have their turns in between: it takes as long as there are
// sessions, and policies and locks for each. By what is in force when it is a session's turn.
Task<void> JudgeSessions(Gateway& gateway, std::vector<std::string> ids) {
  for (const std::string& id : ids) {
    ServedSession* session = gateway.sessions.FindById(id);
    if (session == nullptr || session->live().is_ended()) continue;
    JudgeSession(gateway, *session, *gateway.snapshots.current());
    co_await GiveWay(gateway.loop);
  }
}

absl::Status Refusal(const types::v1::Session& session) {
  using types::v1::DENIAL_REASON_SESSION_DENIED;
  using types::v1::DENIAL_REASON_SESSION_ENDED;
  if (session.state() == types::v1::SESSION_STATE_ENDED) {
    return Denied(DENIAL_REASON_SESSION_ENDED, session.detail());
  }
  if (session.denial_reason() == types::v1::DENIAL_REASON_APPROVAL_DENIED) {
    return Denied(session.denial_reason(),
                  absl::StrCat("approval ", session.approval_id(), " was ", session.detail(),
                               "; ask again with a reason: sallyport request ", session.server(),
                               " --reason TEXT"));
  }
  const bool has_reason = session.denial_reason() != types::v1::DENIAL_REASON_UNSPECIFIED;
  return Denied(has_reason ? session.denial_reason() : DENIAL_REASON_SESSION_DENIED,
                session.detail().empty() ? "the session was denied" : session.detail());
}

}  // namespace

void TakeSessionUpdate(Gateway& gateway, const v1::SessionUpdate& update) {
  const types::v1::Session& session = update.session();
  switch (session.state()) {
    case types::v1::SESSION_STATE_ACTIVE: {
      if (!update.has_grant()) return;
      const bool is_new = gateway.sessions.FindById(session.id()) == nullptr;
      auto begun = BeginSession(gateway, update.grant(), session);
      if (!begun.ok()) {
        LogWarning("session_refused", {{"session", session.id()}, {"error", begun.status()}});
      } else if (is_new) {
        gateway.loop.Spawn(OpenInBackground(gateway, Held<ServedSession>(**begun)));
      }
      TellOpenings(gateway, session, begun.status());
      return;
    }
    case types::v1::SESSION_STATE_ENDED:
      gateway.openings.told_ends.try_emplace(session.id(), gateway.clock.SinceBoot());
      if (ServedSession* served = gateway.sessions.FindById(session.id())) {
        EndSession(gateway, *served, {session.end_reason(), session.detail()});
      }
      // Who has revoked it waits for that; who has closed it, for nothing.
      if (session.end_reason() == types::v1::END_REASON_REVOKED)
        gateway.snapshots.ConfirmEnd(session.id());
      TellOpenings(gateway, session, Refusal(session));
      return;
    case types::v1::SESSION_STATE_DENIED:
      TellOpenings(gateway, session, Refusal(session));
      return;
    default:
      return;
  }
}

void TakeResync(Gateway& gateway, const absl::flat_hash_set<std::string>& active) {
  for (ServedSession* session : gateway.sessions.all()) {
    if (active.contains(session->id())) continue;
    EndSession(
        gateway, *session,
        {types::v1::END_REASON_REVOKED, "the control plane no longer knows the session as active"});
  }
  for (auto place = gateway.openings.open_chains.begin();
       place != gateway.openings.open_chains.end();) {
    if (active.contains(place->first)) {
      ++place;
      continue;
    }
    gateway.loop.Spawn(CloseLeftChain(gateway, std::move(place->second)));
    place = gateway.openings.open_chains.erase(place);
  }
  // What was decided while there was no stream, no stream tells.
  gateway.loop.Spawn(AskAfterApprovals(gateway, gateway.approvals.Open()));
}

void TakeRefusal(Gateway& gateway, const absl::Status& why) {
  for (ServedSession* session : gateway.sessions.all()) {
    EndSession(gateway, *session,
               {types::v1::END_REASON_REVOKED,
                absl::StrCat("the control plane refuses this agent: ", why.message())});
  }
  const absl::Status refusal = WithReason(why, types::v1::DENIAL_REASON_CONTROL_PLANE_UNAVAILABLE);
  for (auto& [key, opening] : gateway.openings.by_key) opening->Decide(refusal);
}

void TakeRefusedRecording(Gateway& gateway, const std::string& recording) {
  if (!gateway.recorder.GiveUp(recording)) return;
  gateway.openings.open_chains.erase(recording);
  if (ServedSession* session = gateway.sessions.FindById(recording)) {
    EndSession(gateway, *session,
               {types::v1::END_REASON_REVOKED,
                "the control plane does not take what is recorded of the session"});
  }
  gateway.session_client.EndDamaged(recording);
}

void TakeSnapshot(Gateway& gateway) {
  std::vector<std::string> ids;
  for (const ServedSession* session : gateway.sessions.all()) ids.push_back(session->id());
  gateway.loop.Spawn(JudgeSessions(gateway, std::move(ids)));
}

}  // namespace sallyport::agent
