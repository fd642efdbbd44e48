#include "controlplane/access/open_session.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_join.h"
#include "common/denial.h"
#include "common/ids.h"
#include "common/policy/approvers.h"
#include "common/policy/open_refusal.h"
#include "common/status_macros.h"
#include "controlplane/access/admission.h"
#include "controlplane/access/may_ask.h"
#include "controlplane/access/opening_answer.h"
#include "controlplane/access/pending_session.h"
#include "controlplane/identity/issuers.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/store/agents.h"
#include "controlplane/store/approvals.h"
#include "controlplane/store/audit_log.h"
#include "controlplane/store/records.h"
#include "controlplane/store/sessions.h"

namespace sallyport::controlplane {

using access::v1::OpenSessionRequest;
using access::v1::OpenSessionResponse;

namespace {

// Live sessions of one principal and server: they differ in agent or address, so there are never
// many.
constexpr size_t kMaxLiveSessions = 16;

// The command by which its caller asks for this session, and not for one that he has with another
// agent.
absl::StatusOr<std::string> HowToAsk(Transaction& t, const Opening& opening) {
  const std::string& server = opening.request.server();
  ASSIGN_OR_RETURN(const std::vector<Session> live, sessions::Live(t, opening.principal, server));
  const bool has_others = std::ranges::any_of(live, [&](const Session& session) {
    return !session.proto().agent().empty() && session.proto().agent() != opening.agent;
  });
  return "sallyport request " + server + (has_others ? " --agent " + opening.agent : "") +
         " --reason TEXT";
}

// A client that connects again and again must not ask again and again: while the time lasts that
// the question was given, a no stands, in these words, whatever else of the client's still waits.
// Empty: there is none, or a yes came after it. Who asks on the people's door asks deliberately.
absl::StatusOr<std::string> StandingNo(Transaction& t, const Opening& opening) {
  const std::string& server = opening.request.server();
  ASSIGN_OR_RETURN(const std::optional<Approval> decided,
                   approvals::LastDecidedForSession(t, opening.principal, server, opening.now));
  if (!decided.has_value() || decided->state() != types::v1::APPROVAL_STATE_DENIED) return "";
  ASSIGN_OR_RETURN(const std::string how, HowToAsk(t, opening));
  return "approval " + decided->id() + " was " + DenialWords(decided->proto()) +
         "; ask again with a reason: " + how;
}

}  // namespace

absl::StatusOr<OpenSessionResponse> OpenSession::Run(const Caller& caller,
                                                     const OpenSessionRequest& request) {
  // Before the transaction: it may wait for an issuer.
  ASSIGN_OR_RETURN(const auto read,
                   ReadOpening(caller, request, needs_.issuers, needs_.clock.Now()));
  if (const TokenRefusal* refusal = std::get_if<TokenRefusal>(&read))
    return Refusal(refusal->ToStatus());
  const Opening& opening = std::get<Opening>(read);

  ASSIGN_OR_RETURN(const auto t, needs_.control.Write());
  // Whatever was withdrawn since the token was read is known in here (WithdrawnKeys).
  if (needs_.issuers.StandingOf(opening.issuer_id, opening.signing_key) !=
      KeyStanding::kPublished) {
    return Refusal(types::v1::DENIAL_REASON_TOKEN_INVALID, "the token is not valid");
  }
  ASSIGN_OR_RETURN(const bool is_fronted, IsFronted(*t, opening));
  if (!is_fronted && !opening.agent.empty()) {
    return Denied(types::v1::DENIAL_REASON_SERVER_UNKNOWN,
                  "agent " + opening.agent + " does not front server " + request.server());
  }
  ASSIGN_OR_RETURN(const InForce in_force, needs_.policies.In(*t));
  OpenDecision decision = in_force.policies->EvaluateOpen(opening.principal, request.server(),
                                                          opening.for_agent, opening.now);
  // A server that does not exist and one that is not for this caller look the same.
  if (!is_fronted)
    decision = {.reason = types::v1::DENIAL_REASON_SERVER_UNKNOWN, .detail = "no agent fronts it"};
  if (!decision.is_allowed()) return RefuseByPolicy(*t, opening, decision);
  RETURN_IF_ERROR(CheckAgent(*t, opening));
  ASSIGN_OR_RETURN(std::optional<Session> before, FindExisting(*t, opening, decision, in_force));
  if (before.has_value() && before->is_pending())
    return AttachToPending(*t, opening, decision, in_force, *std::move(before));
  if (before.has_value()) return Attach(*t, opening, *std::move(before));
  return Start(*t, opening, decision, in_force.version);
}

absl::Status OpenSession::CheckAgent(Transaction& t, const Opening& opening) {
  if (opening.for_agent == opening.agent) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<std::string> agents,
                   agents::Fronting(t, opening.request.server()));
  if (std::ranges::find(agents, opening.for_agent) != agents.end()) return absl::OkStatus();
  return absl::NotFoundError("agent " + opening.for_agent + " does not front server " +
                             opening.request.server() + ": " + absl::StrJoin(agents, ", ") +
                             (agents.size() == 1 ? " does" : " do"));
}

absl::StatusOr<bool> OpenSession::IsFronted(Transaction& t, const Opening& opening) {
  const std::string& server = opening.request.server();
  if (opening.agent.empty()) {
    ASSIGN_OR_RETURN(const std::vector<std::string> agents, agents::Fronting(t, server));
    return !agents.empty();
  }
  ASSIGN_OR_RETURN(const Agent agent, agents::FindInService(t, opening.agent));
  return agent.Fronts(server);
}

absl::StatusOr<OpenSessionResponse> OpenSession::RefuseByPolicy(WriteTransaction& t,
                                                                const Opening& opening,
                                                                const OpenDecision& decision) {
  // What agents are refused stands in their own recordings, with a quota.
  if (opening.agent.empty()) {
    audit_log::Line line = audit_log::LineOf(opening.caller, opening.now, "session.open",
                                             opening.request.server(), decision.detail);
    line.denial_reason = decision.reason;
    RETURN_IF_ERROR(audit_log::CommitRefusal(t, line));
  }
  OpenSessionResponse response =
      Refusal(decision.reason, WhyRefused(decision, opening.request.server()));
  for (const std::string& scope : decision.required_scopes) response.add_required_scopes(scope);
  return response;
}

absl::StatusOr<OpenSessionResponse> OpenSession::Start(WriteTransaction& t, const Opening& opening,
                                                       const OpenDecision& decision,
                                                       const meta::SnapshotVersion& version) {
  const OpenSessionRequest& request = opening.request;
  if (!opening.agent.empty() && decision.terms.has_approval()) {
    ASSIGN_OR_RETURN(const std::string no, StandingNo(t, opening));
    if (!no.empty()) return Refusal(types::v1::DENIAL_REASON_APPROVAL_DENIED, no);
  }
  if (!opening.agent.empty() && decision.terms.open() == types::v1::OPEN_MODE_REQUEST) {
    ASSIGN_OR_RETURN(const std::string how, HowToAsk(t, opening));
    return Refusal(types::v1::DENIAL_REASON_SESSION_REQUIRED, "ask for a session first: " + how);
  }
  ASSIGN_OR_RETURN(const std::vector<Session> live,
                   sessions::Live(t, opening.principal, request.server()));
  if (live.size() >= kMaxLiveSessions) {
    return Refusal(types::v1::DENIAL_REASON_LIMIT_EXCEEDED,
                   std::to_string(kMaxLiveSessions) +
                       " sessions of this principal are open on the server, one for each agent and "
                       "address: another one opens when one of them has ended");
  }
  const absl::Duration longest = FromProto(decision.terms.max_duration());
  const absl::Duration wanted = request.has_duration() ? FromProto(request.duration()) : longest;
  Session::Request session{.id = NewSessionId(),
                           .request_id = request.request_id(),
                           .principal = opening.principal,
                           .server = request.server(),
                           .agent = opening.for_agent,
                           .client_address = decision.terms.bind() == types::v1::BIND_MODE_ADDRESS
                                                 ? opening.address
                                                 : "",
                           .reason = request.reason(),
                           .terms = decision.terms,
                           .observed = ObservedIn(decision),
                           .duration = std::min(wanted, longest),
                           .issuer_id = opening.issuer_id,
                           .signing_key = opening.signing_key,
                           .policies = {version.epoch, version.version},
                           .created_at = opening.now};
  absl::StatusOr<OpenSessionResponse> response = [&] {
    if (!decision.terms.has_approval()) return StartActive(t, opening, std::move(session));
    if (request.break_glass())
      return BreakGlass(t, opening, decision, Session::Pending(std::move(session), ""));
    return StartPending(t, opening, std::move(session));
  }();
  if (response.ok() && wanted > longest) response->set_clamped(true);
  return response;
}

absl::StatusOr<OpenSessionResponse> OpenSession::StartActive(WriteTransaction& t,
                                                             const Opening& opening,
                                                             Session::Request request) {
  const absl::StatusOr<Admission> admission =
      Admit(t, request.principal, request.server, request.terms, request.duration, opening.now);
  if (ReasonOf(admission.status()) != types::v1::DENIAL_REASON_UNSPECIFIED)
    return Refusal(admission.status());
  RETURN_IF_ERROR(admission.status());
  const Session session = Session::Active(std::move(request), *admission);
  RETURN_IF_ERROR(
      sessions::Insert(t, session,
                       audit_log::LineOf(opening.caller, opening.now, "session.open", session.id(),
                                         PrincipalName(opening.principal) + " active")));
  return Answer(t, opening, session);
}

absl::StatusOr<OpenSessionResponse> OpenSession::BreakGlass(WriteTransaction& t,
                                                            const Opening& opening,
                                                            const OpenDecision& decision,
                                                            Session session) {
  const OpenSessionRequest& request = opening.request;
  if (!decision.break_glass.has_value()) {
    audit_log::Line refused = audit_log::LineOf(opening.caller, opening.now, "session.break_glass",
                                                request.server(), request.reason());
    refused.denial_reason = types::v1::DENIAL_REASON_POLICY_DENIED;
    RETURN_IF_ERROR(audit_log::CommitRefusal(t, refused));
    return Refusal(refused.denial_reason, "you may not break glass on server " + request.server() +
                                              "; ask for approval: sallyport request " +
                                              request.server() + " --reason TEXT");
  }
  const bool is_new = session.proto().approval_id().empty();
  const absl::Duration longest = std::min(session.duration(), *decision.break_glass);
  const absl::Duration wanted = request.has_duration() ? FromProto(request.duration()) : longest;
  const absl::StatusOr<Admission> admission =
      Admit(t, opening.principal, request.server(), session.proto().terms(),
            std::min(wanted, longest), opening.now);
  if (ReasonOf(admission.status()) != types::v1::DENIAL_REASON_UNSPECIFIED)
    return Refusal(admission.status());
  RETURN_IF_ERROR(admission.status());
  RETURN_IF_ERROR(
      session.BreakGlass(*admission, request.reason(), *decision.break_glass, opening.now));
  RETURN_IF_ERROR(needs_.notices.EnqueueBreakGlass(t, session, opening.now));
  const audit_log::Line line = audit_log::LineOf(opening.caller, opening.now, "session.break_glass",
                                                 session.id(), request.reason());
  RETURN_IF_ERROR(is_new ? sessions::Insert(t, session, line) : sessions::Update(t, session, line));
  RETURN_IF_ERROR(
      sessions::WithdrawApprovals(t, session, "glass was broken", opening.caller, opening.now));
  ASSIGN_OR_RETURN(OpenSessionResponse response, Answer(t, opening, session));
  response.set_clamped(wanted > longest);
  return response;
}

absl::StatusOr<OpenSessionResponse> OpenSession::StartPending(WriteTransaction& t,
                                                              const Opening& opening,
                                                              Session::Request request) {
  const absl::Status may_ask = CheckMayAsk(t, request.principal, request.server, opening.now);
  if (ReasonOf(may_ask) != types::v1::DENIAL_REASON_UNSPECIFIED) return Refusal(may_ask);
  RETURN_IF_ERROR(may_ask);
  const Session session = Session::Pending(std::move(request), NewApprovalId());
  RETURN_IF_ERROR(sessions::Insert(
      t, session,
      audit_log::LineOf(
          opening.caller, opening.now, "session.open", session.id(),
          PrincipalName(opening.principal) + " pending " + session.proto().approval_id())));
  RETURN_IF_ERROR(AskForSession(t, session, needs_.policies, needs_.notices, opening.now));
  return Answer(t, opening, session);
}

absl::StatusOr<OpenSessionResponse> OpenSession::Answer(WriteTransaction& t, const Opening& opening,
                                                        const Session& session) {
  OpenSessionResponse response;
  *response.mutable_session() = session.proto();
  if (session.is_pending()) {
    ASSIGN_OR_RETURN(const std::optional<Approval> approval,
                     approvals::Find(t, session.proto().approval_id()));
    if (approval.has_value()) {
      *response.mutable_approvers() = approval->proto().approvers();
      *response.mutable_approval_expires_at() = approval->proto().expires_at();
      *response.mutable_duration() = approval->proto().duration();
    }
    response.set_message("waiting for approval " + session.proto().approval_id());
  } else if (session.state() == types::v1::SESSION_STATE_DENIED) {
    response.set_denial_reason(session.proto().denial_reason());
    response.set_message("session " + session.id() + " was denied");
  } else if (!session.IsActiveAt(opening.now)) {
    response.set_denial_reason(types::v1::DENIAL_REASON_SESSION_ENDED);
    response.set_message("session " + session.id() + " has ended");
  }
  RETURN_IF_ERROR(t.Commit());
  // Signed when nobody waits for it any more: whoever hears of a failure here asks again by the
  // same request id.
  if (session.IsActiveAt(opening.now) && !opening.agent.empty()) {
    ASSIGN_OR_RETURN(*response.mutable_grant(), needs_.grants.For(session));
    // An agent that has lost the session goes on counting from there.
    ASSIGN_OR_RETURN(const auto recorded, needs_.recordings.Read());
    ASSIGN_OR_RETURN(*response.mutable_session(), records::WithCalls(*recorded, session));
  }
  return response;
}

}  // namespace sallyport::controlplane
