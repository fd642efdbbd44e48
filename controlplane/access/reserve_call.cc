#include "controlplane/access/reserve_call.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/denial.h"
#include "common/status_macros.h"
#include "controlplane/access/agent_session.h"
#include "controlplane/access/approved_enough.h"
#include "controlplane/access/call_effects.h"
#include "controlplane/access/call_request.h"
#include "controlplane/access/doubtful_calls.h"
#include "controlplane/access/judge_call.h"
#include "controlplane/store/approvals.h"
#include "controlplane/store/audit_log.h"
#include "controlplane/store/calls.h"

namespace sallyport::controlplane {

using agent::v1::ReserveCallRequest;
using agent::v1::ReserveCallResponse;

namespace {

constexpr size_t kMaxCallIdBytes = 128;

// One attempt, and what is found out about it on the way.
struct Attempt {
  WriteTransaction& t;
  const ReserveCallRequest& request;
  const Session& session;
  const InForce& in_force;
  const IsConnected& is_connected;
  const absl::Time now;
  std::optional<Approval> approval = std::nullopt;
  CallDecision decision = {};
  // Doubtful calls that this one may repeat: what they hold does not stand in its way.
  std::vector<ReservedCall> repeated = {};
  calls::Holdings holdings = {};
};

absl::Status CheckRequest(const ReserveCallRequest& request) {
  if (request.call_id().empty()) return absl::InvalidArgumentError("call_id is missing");
  if (request.call_id().size() > kMaxCallIdBytes)
    return absl::InvalidArgumentError("call_id is longer than 128 bytes");
  if (!request.has_judged_by()) return absl::InvalidArgumentError("judged_by is missing");
  RETURN_IF_ERROR(CheckCallName(request.method(), request.target()));
  RETURN_IF_ERROR(CheckDigest("call_digest", request.call_digest()));
  if (request.approval_id().empty()) return CheckShown("arguments", request.arguments());
  return CheckDigest("arguments_digest", request.arguments_digest());
}

// The same call once more, whose answer was lost: OK, or why it is not that.
absl::Status CheckRepeated(const ReserveCallRequest& request, const ReservedCall& before) {
  if (before.stored().digest != request.call_digest() ||
      before.proto().approval_id() != request.approval_id()) {
    return absl::InvalidArgumentError("call_id " + request.call_id() + " is that of another call");
  }
  if (before.state() == types::v1::CALL_STATE_RESERVED) return absl::OkStatus();
  return Denied(types::v1::DENIAL_REASON_ALREADY_DONE, "the call has been settled");
}

// The agent's word, under the same policies, is that of the true arguments: a condition that fails
// here may have met a masked one.
absl::Status CheckVerdict(const Attempt& attempt) {
  const CallDecision& decision = attempt.decision;
  if (decision.verdict == Verdict::kHidden ||
      decision.reason == types::v1::DENIAL_REASON_POLICY_DENIED) {
    return Denied(types::v1::DENIAL_REASON_POLICY_CHANGED, "the policies in force deny the call");
  }
  if (decision.verdict == Verdict::kRequireApproval && !attempt.approval.has_value())
    return Denied(types::v1::DENIAL_REASON_APPROVAL_PENDING, "the call needs an approval");
  return absl::OkStatus();
}

absl::Status CheckBinding(const Approval& approval, const ReserveCallRequest& request) {
  const types::v1::Approval& proto = approval.proto();
  if (proto.method() != request.method() || proto.tool() != request.target() ||
      proto.arguments_digest() != request.arguments_digest()) {
    return Denied(types::v1::DENIAL_REASON_ARGUMENTS_CHANGED,
                  "approval " + approval.id() + " is of another call");
  }
  if (proto.definition_hash() != request.definition_hash()) {
    return Denied(types::v1::DENIAL_REASON_DEFINITION_CHANGED,
                  "the tool's definition is not the one that was approved");
  }
  return absl::OkStatus();
}

// Whether those who approved it would be enough today.
absl::Status CheckApprovers(const Attempt& attempt) {
  return CheckApprovedEnough(attempt.approval->proto(), attempt.decision.approvers,
                             attempt.decision.count, *attempt.in_force.policies, attempt.now);
}

// Uses the approval up, in memory.
absl::Status ConsumeApproval(Attempt& attempt) {
  if (!attempt.approval.has_value()) return absl::OkStatus();
  RETURN_IF_ERROR(CheckBinding(*attempt.approval, attempt.request));
  RETURN_IF_ERROR(attempt.approval->Consume(attempt.request.call_id(), attempt.now));
  if (attempt.decision.verdict != Verdict::kRequireApproval) return absl::OkStatus();
  return CheckApprovers(attempt);
}

bool IsRepeatedBy(const types::v1::Approval& approval, const ReservedCall& call) {
  return std::ranges::any_of(approval.repeats(), [&](const types::v1::Call& repeated) {
    return repeated.session_id() == call.session_id() && repeated.call_id() == call.call_id();
  });
}

// Judges the repetition of calls of which nobody knows whether they were done.
absl::Status CheckRepetition(Attempt& attempt) {
  ASSIGN_OR_RETURN(std::vector<ReservedCall> in_doubt,
                   DoubtfulCalls(attempt.t, attempt.session, attempt.request.call_digest(),
                                 attempt.is_connected, attempt.now));
  const auto is_allowed = [&](const ReservedCall& call) {
    switch (OnUnknownOf(attempt.decision)) {
      case types::v1::ON_UNKNOWN_ALLOW:
        return true;
      case types::v1::ON_UNKNOWN_ASK:
        return attempt.approval.has_value() && IsRepeatedBy(attempt.approval->proto(), call);
      default:
        return false;
    }
  };
  for (const ReservedCall& call : in_doubt) {
    if (is_allowed(call)) {
      if (OnUnknownOf(attempt.decision) == types::v1::ON_UNKNOWN_ASK)
        RETURN_IF_ERROR(CheckApprovers(attempt));
      continue;
    }
    return Denied(types::v1::DENIAL_REASON_OUTCOME_UNKNOWN,
                  absl::StrCat("nobody knows whether the identical call ", NameOf(call),
                               " was done; ", HowToSettle(call)));
  }
  attempt.repeated = std::move(in_doubt);
  return absl::OkStatus();
}

absl::Status Judge(Attempt& attempt) {
  RETURN_IF_ERROR(CheckJudgedBy(attempt.in_force, attempt.request.judged_by()));
  std::vector<ArgumentPlace> cut;
  if (attempt.approval.has_value()) {
    // Of a closed one not all that would be judged is kept.
    if (!attempt.approval->is_open()) {
      RETURN_IF_ERROR(CheckBinding(*attempt.approval, attempt.request));
      RETURN_IF_ERROR(attempt.approval->Consume(attempt.request.call_id(), attempt.now));
    }
    ASSIGN_OR_RETURN(cut, PlacesOf(attempt.approval->proto().cut()));
  }
  const std::string& arguments = attempt.approval.has_value()
                                     ? attempt.approval->proto().arguments()
                                     : attempt.request.arguments();
  attempt.decision = JudgeCall(attempt.in_force, attempt.session,
                               {.method = attempt.request.method(),
                                .target = attempt.request.target(),
                                .arguments = arguments,
                                .cut = cut},
                               attempt.now);
  RETURN_IF_ERROR(CheckVerdict(attempt));
  RETURN_IF_ERROR(ConsumeApproval(attempt));
  RETURN_IF_ERROR(CheckRepetition(attempt));
  const NamedEffects effects{.target = attempt.request.target(),
                             .once = attempt.request.once(),
                             .touched = attempt.request.touched()};
  ASSIGN_OR_RETURN(attempt.holdings, HoldEffects(attempt.t, attempt.session, effects,
                                                 attempt.decision, attempt.repeated, attempt.now));
  return absl::OkStatus();
}

absl::Status Write(Attempt& attempt, const Caller& caller) {
  const ReserveCallRequest& request = attempt.request;
  WriteTransaction& t = attempt.t;
  types::v1::Call proto =
      CallOf(attempt.session, request.call_id(), request.method(), request.target());
  proto.set_approval_id(request.approval_id());
  const ReservedCall call =
      ReservedCall::Reserved(std::move(proto), request.call_digest(), attempt.now);
  RETURN_IF_ERROR(calls::Insert(t, call, attempt.holdings));
  RETURN_IF_ERROR(calls::InsertRepetition(t, call, attempt.repeated));
  RETURN_IF_ERROR(audit_log::Append(
      t, audit_log::LineOf(caller, attempt.now, "call.reserve", NameOf(call), request.target())));
  if (attempt.approval.has_value()) {
    RETURN_IF_ERROR(approvals::Update(t, *attempt.approval));
    RETURN_IF_ERROR(
        audit_log::Append(t, audit_log::LineOf(caller, attempt.now, "approval.consume",
                                               attempt.approval->id(), request.call_id())));
  }
  return t.Commit();
}

// The refusal as the response has it; what is no refusal stays a status.
absl::StatusOr<ReserveCallResponse> Refused(Attempt& attempt, const Caller& caller,
                                            const absl::Status& why) {
  ReserveCallResponse response;
  response.set_denial_reason(ReasonOf(why));
  if (response.denial_reason() == types::v1::DENIAL_REASON_UNSPECIFIED) return why;
  response.set_detail(std::string(why.message()));
  if (response.denial_reason() == types::v1::DENIAL_REASON_POLICY_CHANGED) {
    response.mutable_in_force()->set_epoch(attempt.in_force.version.epoch);
    response.mutable_in_force()->set_version(attempt.in_force.version.version);
  }
  response.set_may_be_approved(response.denial_reason() ==
                                   types::v1::DENIAL_REASON_OUTCOME_UNKNOWN &&
                               MayAskToRepeat(attempt.decision));
  if (!attempt.approval.has_value()) return response;
  audit_log::Line line = audit_log::LineOf(caller, attempt.now, "approval.consume",
                                           attempt.approval->id(), attempt.request.call_id());
  line.denial_reason = response.denial_reason();
  RETURN_IF_ERROR(audit_log::CommitRefusal(attempt.t, line));
  return response;
}

}  // namespace

absl::StatusOr<ReserveCallResponse> ReserveCall::Run(const Caller& caller,
                                                     const ReserveCallRequest& request) {
  RETURN_IF_ERROR(CheckRequest(request));
  const absl::Time now = needs_.clock.Now();
  ASSIGN_OR_RETURN(const auto t, needs_.control.Write());
  ASSIGN_OR_RETURN(const Session session, FindSessionOfAgent(*t, caller, request.session_id()));
  ASSIGN_OR_RETURN(const InForce in_force, needs_.policies.In(*t));
  Attempt attempt{.t = *t,
                  .request = request,
                  .session = session,
                  .in_force = in_force,
                  .is_connected = needs_.is_connected,
                  .now = now};
  if (!request.approval_id().empty()) {
    ASSIGN_OR_RETURN(attempt.approval, FindCallApproval(*t, session, request.approval_id()));
  }
  if (const absl::Status goes_on = CheckGoesOn(session, *in_force.policies, now); !goes_on.ok())
    return Refused(attempt, caller, goes_on);
  ASSIGN_OR_RETURN(const std::optional<calls::Found> before,
                   calls::Find(*t, session.id(), request.call_id(), now));
  if (before.has_value()) {
    const absl::Status repeated = CheckRepeated(request, before->call);
    return repeated.ok() ? ReserveCallResponse() : Refused(attempt, caller, repeated);
  }
  if (const absl::Status judged = Judge(attempt); !judged.ok())
    return Refused(attempt, caller, judged);
  RETURN_IF_ERROR(Write(attempt, caller));
  return ReserveCallResponse();
}

}  // namespace sallyport::controlplane
