// Openings for which there is a session already.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/denial.h"
#include "common/ids.h"
#include "common/status_macros.h"
#include "common/time_text.h"
#include "controlplane/access/admission.h"
#include "controlplane/access/may_ask.h"
#include "controlplane/access/open_session.h"
#include "controlplane/access/opening_answer.h"
#include "controlplane/access/pending_session.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/store/approvals.h"
#include "controlplane/store/audit_log.h"
#include "controlplane/store/sessions.h"

namespace sallyport::controlplane {

using access::v1::OpenSessionRequest;
using access::v1::OpenSessionResponse;

namespace {

// Nobody rides another's session: the agent and the address are part of whose it is.
bool Fits(const Session& session, const std::string& agent, const std::string& address) {
  const types::v1::Session& proto = session.proto();
  const bool is_agents = agent.empty() || proto.agent().empty() || proto.agent() == agent;
  return is_agents && (proto.client_address().empty() || proto.client_address() == address);
}

absl::StatusOr<bool> IsUsable(Transaction& t, const Session& session, absl::Time now) {
  if (!session.is_pending()) return session.IsActiveAt(now);
  ASSIGN_OR_RETURN(const std::optional<Approval> approval,
                   approvals::Find(t, session.proto().approval_id()));
  return approval.has_value() && now < approval->expires_at();
}

// Who needs nobody's approval does not wait for what people are asked about another token of the
// same client, unless it is to break that one's glass.
bool IsAnothersQuestion(const Opening& opening, const OpenDecision& decision,
                        const InForce& in_force, const Session& session) {
  if (!session.is_pending() || decision.terms.has_approval() || opening.request.break_glass())
    return false;
  const types::v1::Session& proto = session.proto();
  const OpenDecision own = in_force.policies->EvaluateOpen(proto.principal(), proto.server(),
                                                           proto.agent(), opening.now);
  return IsOpenedBy(own, session) && own.terms.has_approval();
}

// One that is open says how long it is.
bool IsClamped(const OpenSessionRequest& request, const Session& session) {
  return session.is_pending() && request.has_duration() &&
         FromProto(request.duration()) > session.duration();
}

}  // namespace

absl::StatusOr<std::optional<Session>> OpenSession::FindExisting(Transaction& t,
                                                                 const Opening& opening,
                                                                 const OpenDecision& decision,
                                                                 const InForce& in_force) {
  ASSIGN_OR_RETURN(std::optional<Session> same,
                   sessions::FindByRequest(t, opening.principal, opening.request.request_id()));
  if (same.has_value()) {
    if (same->proto().server() != opening.request.server() ||
        !Fits(*same, opening.for_agent, opening.address)) {
      return absl::InvalidArgumentError("request_id has been used for another session");
    }
    return same;
  }
  ASSIGN_OR_RETURN(const std::vector<Session> live,
                   sessions::Live(t, opening.principal, opening.request.server()));
  std::optional<Session> found;
  for (const Session& session : live) {
    if (!Fits(session, opening.for_agent, opening.address)) continue;
    ASSIGN_OR_RETURN(const bool is_usable, IsUsable(t, session, opening.now));
    if (!is_usable || IsAnothersQuestion(opening, decision, in_force, session)) continue;
    // What a caller says is about the one that waits, while he has another one with another agent.
    if (!opening.agent.empty() || session.is_pending()) return session;
    if (!found.has_value()) found = session;
  }
  return found;
}

absl::StatusOr<OpenSessionResponse> OpenSession::Attach(WriteTransaction& t, const Opening& opening,
                                                        Session session) {
  const bool is_live = session.is_pending() || session.IsActiveAt(opening.now);
  if (is_live && !opening.for_agent.empty() && session.proto().agent().empty()) {
    RETURN_IF_ERROR(session.FixAgent(opening.for_agent));
    RETURN_IF_ERROR(sessions::Update(
        t, session,
        audit_log::LineOf(opening.caller, opening.now, "session.attach", session.id())));
  }
  const OpenSessionRequest& request = opening.request;
  if (request.break_glass() && !session.is_pending() &&
      request.reason() != session.proto().reason()) {
    // It is open: nothing is broken, nobody told, and the reason is kept here alone.
    RETURN_IF_ERROR(
        audit_log::Append(t, audit_log::LineOf(opening.caller, opening.now, "session.break_glass",
                                               session.id(), "it was open: " + request.reason())));
  }
  ASSIGN_OR_RETURN(OpenSessionResponse response, Answer(t, opening, session));
  response.set_clamped(IsClamped(request, session));
  return response;
}

absl::StatusOr<OpenSessionResponse> OpenSession::TakeWishes(WriteTransaction& t,
                                                            const Opening& opening,
                                                            const OpenDecision& decision,
                                                            Session session) {
  const OpenSessionRequest& request = opening.request;
  ASSIGN_OR_RETURN(std::optional<Approval> approval,
                   approvals::Find(t, session.proto().approval_id()));
  if (!approval.has_value())
    return absl::DataLossError("session " + session.id() + " has no approval");
  Session wished = session;
  if (request.has_duration()) RETURN_IF_ERROR(wished.AskFor(FromProto(request.duration())));
  if (!request.reason().empty()) RETURN_IF_ERROR(wished.SayWhy(request.reason()));
  const bool is_told_anew =
      wished.proto().reason() != session.proto().reason() || wished.duration() > session.duration();
  if (is_told_anew && approval->proto().decisions().empty()) {
    const absl::Status may_ask =
        CheckMayAsk(t, session.proto().principal(), session.proto().server(), opening.now);
    if (ReasonOf(may_ask) != types::v1::DENIAL_REASON_UNSPECIFIED) return Refusal(may_ask);
    RETURN_IF_ERROR(may_ask);
    RETURN_IF_ERROR(sessions::WithdrawApprovals(t, session, "its caller asks for it otherwise",
                                                opening.caller, opening.now));
    ASSIGN_OR_RETURN(OpenSessionResponse response, AskAnew(t, opening, decision, wished));
    response.set_clamped(IsClamped(request, wished));
    return response;
  }
  if (approval->Shorten(wished.duration())) {
    RETURN_IF_ERROR(session.AskFor(wished.duration()));
    RETURN_IF_ERROR(approvals::Update(t, *approval));
    RETURN_IF_ERROR(
        sessions::Update(t, session,
                         audit_log::LineOf(opening.caller, opening.now, "session.ask", session.id(),
                                           "for " + DurationText(session.duration()))));
  }
  return Attach(t, opening, std::move(session));
}

absl::StatusOr<OpenSessionResponse> OpenSession::AttachToPending(WriteTransaction& t,
                                                                 const Opening& opening,
                                                                 const OpenDecision& decision,
                                                                 const InForce& in_force,
                                                                 Session session) {
  const types::v1::Session& proto = session.proto();
  const OpenDecision own = in_force.policies->EvaluateOpen(proto.principal(), proto.server(),
                                                           proto.agent(), opening.now);
  const PolicyVersion version{in_force.version.epoch, in_force.version.version};
  if (opening.request.break_glass() && (!own.is_allowed() || own.terms.has_approval())) {
    if (!own.is_allowed()) return RefuseByPolicy(t, opening, own);
    RETURN_IF_ERROR(session.TakeTerms(own.terms, version));
    return BreakGlass(t, opening, WithGlassOf(decision, own), std::move(session));
  }
  const bool is_opened = IsOpenedBy(own, session);
  ASSIGN_OR_RETURN(const bool is_still_asked, IsStillAsked(t, session, own));
  // What one token needs no approval for is not opened with another that does.
  const bool is_others = !own.terms.has_approval() && decision.terms.has_approval();
  if (is_opened && is_still_asked && opening.agent.empty())
    return TakeWishes(t, opening, own, std::move(session));
  if (is_opened && (is_still_asked || is_others)) return Attach(t, opening, std::move(session));
  RETURN_IF_ERROR(sessions::WithdrawApprovals(t, session, "it would be asked for otherwise now",
                                              opening.caller, opening.now));
  if (is_opened) {
    RETURN_IF_ERROR(session.TakeTerms(own.terms, version));
    return AskAnew(t, opening, own, std::move(session));
  }
  RETURN_IF_ERROR(
      session.Deny(own.is_allowed() ? types::v1::DENIAL_REASON_POLICY_CHANGED : own.reason,
                   "the policies in force do not open the session any more", opening.now));
  RETURN_IF_ERROR(sessions::Update(
      t, session,
      audit_log::LineOf(opening.caller, opening.now, "session.deny", session.id(), own.detail)));
  // The request that made it has its answer.
  if (session.stored().request_id == opening.request.request_id())
    return Answer(t, opening, session);
  return Start(t, opening, decision, in_force.version);
}

absl::StatusOr<OpenSessionResponse> OpenSession::AskAnew(WriteTransaction& t,
                                                         const Opening& opening,
                                                         const OpenDecision& decision,
                                                         Session session) {
  const bool asks = decision.terms.has_approval();
  RETURN_IF_ERROR(session.AskAnew(asks ? NewApprovalId() : "", ObservedIn(decision)));
  if (!opening.for_agent.empty() && session.proto().agent().empty())
    RETURN_IF_ERROR(session.FixAgent(opening.for_agent));
  if (!asks) {
    const absl::StatusOr<Admission> admission =
        Admit(t, session.proto().principal(), session.proto().server(), decision.terms,
              session.duration(), opening.now);
    if (ReasonOf(admission.status()) != types::v1::DENIAL_REASON_UNSPECIFIED)
      return Refusal(admission.status());
    RETURN_IF_ERROR(admission.status());
    RETURN_IF_ERROR(session.Activate(*admission, opening.now));
  }
  RETURN_IF_ERROR(sessions::Update(
      t, session,
      audit_log::LineOf(opening.caller, opening.now, asks ? "session.ask" : "session.activate",
                        session.id(), session.proto().approval_id())));
  if (asks)
    RETURN_IF_ERROR(AskForSession(t, session, needs_.policies, needs_.notices, opening.now));
  return Answer(t, opening, session);
}

}  // namespace sallyport::controlplane
