#include "controlplane/access/settle_call.h"

#include <optional>
#include <string>
#include <utility>

#include "common/denial.h"
#include "common/policy/approvers.h"
#include "common/status_macros.h"
#include "controlplane/access/agent_session.h"
#include "controlplane/access/call_request.h"
#include "controlplane/store/audit_log.h"
#include "controlplane/store/calls.h"
#include "controlplane/store/locks.h"
#include "controlplane/store/sessions.h"

namespace sallyport::controlplane {

using agent::v1::SettleCallRequest;
using agent::v1::SettleCallResponse;

namespace {

constexpr size_t kMaxCallIdBytes = 128;
constexpr size_t kMaxReasonBytes = 1000;

absl::StatusOr<types::v1::CallState> StateAfter(agent::v1::CallOutcome outcome) {
  switch (outcome) {
    case agent::v1::CALL_OUTCOME_NOT_FORWARDED:
      return types::v1::CALL_STATE_RELEASED;
    case agent::v1::CALL_OUTCOME_ANSWERED:
      return types::v1::CALL_STATE_DONE;
    case agent::v1::CALL_OUTCOME_UNKNOWN:
      return types::v1::CALL_STATE_UNKNOWN;
    default:
      return absl::InvalidArgumentError("outcome is missing");
  }
}

std::string ActionOf(types::v1::CallState state) {
  switch (state) {
    case types::v1::CALL_STATE_RELEASED:
      return "call.release";
    case types::v1::CALL_STATE_DONE:
      return "call.done";
    default:
      return "call.unknown";
  }
}

// One that was never reserved, of which no answer will come.
absl::StatusOr<ReservedCall> Unreserved(const Session& session, const SettleCallRequest& request,
                                        absl::Time now) {
  if (request.outcome() != agent::v1::CALL_OUTCOME_UNKNOWN) {
    return absl::NotFoundError("session " + session.id() + " has no call " + request.call_id());
  }
  RETURN_IF_ERROR(CheckCallName(request.method(), request.target()));
  RETURN_IF_ERROR(CheckDigest("call_digest", request.call_digest()));
  return ReservedCall::Unknown(
      CallOf(session, request.call_id(), request.method(), request.target()), request.call_digest(),
      now);
}

}  // namespace

absl::StatusOr<SettleCallResponse> SettleCall::Run(const Caller& caller,
                                                   const SettleCallRequest& request) {
  if (request.call_id().empty() || request.call_id().size() > kMaxCallIdBytes)
    return absl::InvalidArgumentError("call_id is missing or longer than 128 bytes");
  ASSIGN_OR_RETURN(const types::v1::CallState to, StateAfter(request.outcome()));
  const absl::Time now = clock_.Now();
  ASSIGN_OR_RETURN(const auto t, control_.Write());
  ASSIGN_OR_RETURN(const Session session, FindSessionOfAgent(*t, caller, request.session_id()));
  ASSIGN_OR_RETURN(std::optional<calls::Found> found,
                   calls::Find(*t, session.id(), request.call_id(), now));
  if (found.has_value()) {
    ReservedCall& call = found->call;
    if (call.state() == to) return SettleCallResponse();
    RETURN_IF_ERROR(call.Settle(to, now));
    RETURN_IF_ERROR(calls::Update(*t, call));
  } else {
    ASSIGN_OR_RETURN(const ReservedCall call, Unreserved(session, request, now));
    RETURN_IF_ERROR(calls::Insert(*t, call, {}));
  }
  RETURN_IF_ERROR(audit_log::Append(
      *t, audit_log::LineOf(caller, now, ActionOf(to), session.id() + "/" + request.call_id())));
  RETURN_IF_ERROR(t->Commit());
  return SettleCallResponse();
}

absl::StatusOr<admin::v1::ResolveCallResponse> SettleCall::Run(
    const Caller& caller, const admin::v1::ResolveCallRequest& request) {
  if (!caller.is_admin())
    return Denied(types::v1::DENIAL_REASON_ROLE_MISSING, "calls are resolved by admins");
  if (!request.has_was_done()) return absl::InvalidArgumentError("was_done is missing");
  if (request.reason().size() > kMaxReasonBytes)
    return absl::InvalidArgumentError("reason is longer than 1,000 bytes");
  const absl::Time now = clock_.Now();
  ASSIGN_OR_RETURN(const auto t, control_.Write(WriteFor::kOperators));
  RETURN_IF_ERROR(
      locks::RefuseShutOut(*t,
                           audit_log::LineOf(caller, now, "call.resolve",
                                             request.session_id() + "/" + request.call_id()),
                           caller, now));
  ASSIGN_OR_RETURN(std::optional<calls::Found> found,
                   calls::Find(*t, request.session_id(), request.call_id(), now));
  if (!found.has_value()) {
    ASSIGN_OR_RETURN(const std::optional<Session> session,
                     sessions::Find(*t, request.session_id()));
    if (!session.has_value()) {
      return absl::NotFoundError("there is no session " + request.session_id());
    }
    return absl::NotFoundError("session " + request.session_id() + " has no unsettled call " +
                               request.call_id());
  }
  ReservedCall& call = found->call;
  if (caller.person() != nullptr &&
      IsSamePerson(caller.person()->principal, call.proto().principal())) {
    return Denied(types::v1::DENIAL_REASON_APPROVER_NOT_ELIGIBLE,
                  "nobody resolves a call of their own");
  }
  RETURN_IF_ERROR(call.Resolve(request.was_done(), found->session_is_over, ActorName(caller),
                               request.reason(), now));
  RETURN_IF_ERROR(calls::Update(*t, call));
  std::string detail = request.was_done() ? "done" : "not done";
  if (!request.reason().empty()) detail += ": " + request.reason();
  RETURN_IF_ERROR(audit_log::Append(
      *t, audit_log::LineOf(caller, now, "call.resolve", NameOf(call), std::move(detail))));
  RETURN_IF_ERROR(t->Commit());
  admin::v1::ResolveCallResponse response;
  *response.mutable_call() = call.proto();
  return response;
}

}  // namespace sallyport::controlplane
