#include "controlplane/access/call_approvals.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/denial.h"
#include "common/ids.h"
#include "common/printable.h"
#include "common/status_macros.h"
#include "controlplane/access/agent_session.h"
#include "controlplane/access/approved_enough.h"
#include "controlplane/access/call_effects.h"
#include "controlplane/access/call_request.h"
#include "controlplane/access/doubtful_calls.h"
#include "controlplane/access/judge_call.h"
#include "controlplane/access/may_ask.h"
#include "controlplane/model/approval_texts.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/store/approvals.h"
#include "controlplane/store/audit_log.h"
#include "controlplane/store/history.h"

namespace sallyport::controlplane {

using agent::v1::RequestCallApprovalRequest;
using agent::v1::RequestCallApprovalResponse;
using agent::v1::WithdrawCallApprovalRequest;
using agent::v1::WithdrawCallApprovalResponse;

namespace {

// What a session can ask for at a time.
constexpr size_t kMaxOpenApprovals = 64;

absl::Status CheckRequest(const RequestCallApprovalRequest& request) {
  RETURN_IF_ERROR(CheckCallName(request.method(), request.target()));
  RETURN_IF_ERROR(CheckDigest("arguments_digest", request.arguments_digest()));
  RETURN_IF_ERROR(CheckShown("arguments", request.arguments()));
  RETURN_IF_ERROR(CheckShown("other_params", request.other_params()));
  RETURN_IF_ERROR(CheckShown("tool_definition", request.tool_definition()));
  if (!request.call_digest().empty())
    RETURN_IF_ERROR(CheckDigest("call_digest", request.call_digest()));
  if (request.definition_hash().empty() && request.tool_definition().empty())
    return absl::OkStatus();
  return CheckDigest("definition_hash", request.definition_hash());
}

// One request for an approval, and what the policies in force say of it.
struct Question {
  WriteTransaction& t;
  const Caller& caller;
  const RequestCallApprovalRequest& request;
  const Session& session;
  const InForce& in_force;
  const absl::Time now;
  CallDecision decision = {};
  // See DoubtfulCalls.
  std::vector<ReservedCall> repeats = {};
};

// Ok: somebody is to be asked.
absl::Status CheckAsked(const Question& question) {
  const CallDecision& decision = question.decision;
  if (MayPass(decision) && question.repeats.size() > kMaxRepeats &&
      OnUnknownOf(decision) == types::v1::ON_UNKNOWN_ASK) {
    return Denied(types::v1::DENIAL_REASON_OUTCOME_UNKNOWN,
                  absl::StrCat("nobody knows of more than ", kMaxRepeats,
                               " identical calls whether they were done, which is more than "
                               "anybody is asked about at once; the oldest is ",
                               NameOf(question.repeats.front()), "; ",
                               HowToSettle(question.repeats.front())));
  }
  if (decision.verdict == Verdict::kRequireApproval) return absl::OkStatus();
  if (decision.verdict != Verdict::kAllow)
    return Denied(decision.reason, decision.detail.empty()
                                       ? std::string("the policies in force deny the call")
                                       : std::string(decision.detail));
  if (question.repeats.empty()) {
    return Denied(types::v1::DENIAL_REASON_POLICY_CHANGED,
                  "the policies in force ask nobody about the call");
  }
  if (MayAskToRepeat(decision)) return absl::OkStatus();
  return Denied(types::v1::DENIAL_REASON_OUTCOME_UNKNOWN,
                "nobody knows whether the identical call " + NameOf(question.repeats.front()) +
                    " was done, and the policies name nobody to ask");
}

// Ok: what the call does, it may do now. Where it was judged by other policies than those in force,
// that is found out when it is reserved.
absl::Status CheckEffects(const Question& question) {
  const RequestCallApprovalRequest& request = question.request;
  if (request.once().empty() && request.touched().empty()) return absl::OkStatus();
  if (!CheckJudgedBy(question.in_force, request.judged_by()).ok()) return absl::OkStatus();
  const NamedEffects effects{
      .target = request.target(), .once = request.once(), .touched = request.touched()};
  const absl::Status held = HoldEffects(question.t, question.session, effects, question.decision,
                                        question.repeats, question.now)
                                .status();
  return ReasonOf(held) == types::v1::DENIAL_REASON_POLICY_CHANGED ? absl::OkStatus() : held;
}

bool Shows(const types::v1::Approval& approval, const ReservedCall& call) {
  return std::ranges::any_of(approval.repeats(), [&](const types::v1::Call& shown) {
    return shown.session_id() == call.session_id() && shown.call_id() == call.call_id();
  });
}

// Whether it is what would be asked for now: of the same people, as many of them, about the same
// definition, in view of the same calls in doubt.
bool IsStillAsked(const Question& question, const types::v1::Approval& approval) {
  const CallDecision& decision = question.decision;
  return approval.definition_hash() == question.request.definition_hash() &&
         approval.count() == decision.count &&
         std::ranges::equal(approval.approvers(), decision.approvers) &&
         std::ranges::all_of(question.repeats,
                             [&](const ReservedCall& call) { return Shows(approval, call); });
}

// The open approval that the call attaches to. One whose time is up, or that would be asked for
// otherwise now, is closed. nullopt: there is none.
absl::StatusOr<std::optional<Approval>> Attach(const Question& question) {
  const RequestCallApprovalRequest& request = question.request;
  WriteTransaction& t = question.t;
  ASSIGN_OR_RETURN(std::optional<Approval> same,
                   approvals::FindOpenCall(t, question.session.id(), request.method(),
                                           request.target(), request.arguments_digest()));
  if (!same.has_value()) return std::nullopt;
  const bool is_over = question.now >= same->expires_at();
  if (!is_over && IsStillAsked(question, same->proto()) &&
      !HasYesOfLockedOut(same->proto(), *question.in_force.policies, question.now))
    return same;
  RETURN_IF_ERROR(is_over ? same->Expire(question.now) : same->Withdraw());
  RETURN_IF_ERROR(approvals::Update(t, *same));
  RETURN_IF_ERROR(audit_log::Append(
      t, audit_log::LineOf(question.caller, question.now,
                           is_over ? "approval.expire" : "approval.withdraw", same->id(),
                           is_over ? "" : "it would be asked for otherwise now")));
  return std::nullopt;
}

// The no that stands: somebody has denied this client the identical call, in this or an earlier
// session with the server, and the time that the question was given is not over. nullopt: there is
// none, or it would be asked for otherwise now.
absl::StatusOr<std::optional<Approval>> StandingNo(const Question& question) {
  ASSIGN_OR_RETURN(
      std::vector<Approval> denied,
      approvals::DeniedCalls(question.t, question.request.call_digest(), question.now));
  const types::v1::Session& session = question.session.proto();
  for (Approval& approval : denied) {
    const types::v1::Approval& proto = approval.proto();
    if (proto.server() == session.server() &&
        IsSameClient(proto.principal(), session.principal()) && IsStillAsked(question, proto)) {
      return std::move(approval);
    }
  }
  return std::nullopt;
}

absl::StatusOr<Approval> NewApproval(const Question& question,
                                     const std::vector<std::string>& owners) {
  const RequestCallApprovalRequest& request = question.request;
  const types::v1::Session& session = question.session.proto();
  types::v1::Approval proto;
  proto.set_id(NewApprovalId());
  proto.set_session_id(session.id());
  proto.set_server(session.server());
  proto.set_method(request.method());
  proto.set_tool(request.target());
  proto.set_arguments(PrintableJson(request.arguments()));
  *proto.mutable_cut() = request.cut();
  proto.set_other_params(PrintableJson(request.other_params()));
  proto.set_arguments_digest(request.arguments_digest());
  proto.set_tool_definition(PrintableJson(request.tool_definition()));
  proto.set_definition_hash(request.definition_hash());
  *proto.mutable_principal() = session.principal();
  proto.set_reason(session.reason());
  for (const std::string& approver : question.decision.approvers) proto.add_approvers(approver);
  proto.mutable_owners()->Assign(owners.begin(), owners.end());
  proto.set_count(question.decision.count);
  *proto.mutable_created_at() = ToProto(question.now);
  *proto.mutable_expires_at() = ToProto(question.now + question.decision.expires_after);
  for (const ReservedCall& call : question.repeats) *proto.add_repeats() = call.proto();
  ASSIGN_OR_RETURN(*proto.mutable_history(), history::Of(question.t,
                                                         {.principal = session.principal(),
                                                          .server = session.server(),
                                                          .session_id = session.id()},
                                                         request.method(), request.target()));
  return Approval::Pending(std::move(proto), session.agent(), request.call_digest());
}

// The refusal as the response has it; what is no refusal stays a status.
absl::StatusOr<RequestCallApprovalResponse> Refused(const absl::Status& why) {
  RequestCallApprovalResponse response;
  response.set_denial_reason(ReasonOf(why));
  if (response.denial_reason() == types::v1::DENIAL_REASON_UNSPECIFIED) return why;
  response.set_detail(std::string(why.message()));
  return response;
}

}  // namespace

absl::StatusOr<RequestCallApprovalResponse> CallApprovals::Run(
    const Caller& caller, const RequestCallApprovalRequest& request) {
  RETURN_IF_ERROR(CheckRequest(request));
  const absl::Time now = needs_.clock.Now();
  ASSIGN_OR_RETURN(const auto t, needs_.control.Write());
  ASSIGN_OR_RETURN(const Session session, FindSessionOfAgent(*t, caller, request.session_id()));
  ASSIGN_OR_RETURN(const InForce in_force, needs_.policies.In(*t));
  if (const absl::Status goes_on = CheckGoesOn(session, *in_force.policies, now); !goes_on.ok())
    return Refused(goes_on);
  Question question{.t = *t,
                    .caller = caller,
                    .request = request,
                    .session = session,
                    .in_force = in_force,
                    .now = now};
  ASSIGN_OR_RETURN(const std::vector<ArgumentPlace> cut, PlacesOf(request.cut()));
  if (!cut.empty()) {
    if (const absl::Status judged = CheckJudgedBy(in_force, request.judged_by()); !judged.ok())
      return Refused(judged);
  }
  question.decision = JudgeCall(in_force, session,
                                {.method = request.method(),
                                 .target = request.target(),
                                 .arguments = request.arguments(),
                                 .cut = cut},
                                now);
  if (!request.call_digest().empty()) {
    ASSIGN_OR_RETURN(question.repeats,
                     DoubtfulCalls(*t, session, request.call_digest(), needs_.is_connected, now));
  }
  if (const absl::Status asked = CheckAsked(question); !asked.ok()) return Refused(asked);
  if (const absl::Status may_do = CheckEffects(question); !may_do.ok()) return Refused(may_do);
  RequestCallApprovalResponse response;
  ASSIGN_OR_RETURN(std::optional<Approval> attached, Attach(question));
  if (!attached.has_value()) {
    ASSIGN_OR_RETURN(attached, StandingNo(question));
    if (attached.has_value()) RETURN_IF_ERROR(t->Commit());
  }
  if (attached.has_value()) {
    *response.mutable_approval() = ShortForm(attached->proto());
    return response;
  }
  ASSIGN_OR_RETURN(const std::vector<Approval> open, approvals::OpenOfSession(*t, session.id()));
  if (open.size() >= kMaxOpenApprovals) {
    return Refused(Denied(types::v1::DENIAL_REASON_LIMIT_EXCEEDED,
                          "64 calls of the session wait for approval already"));
  }
  if (const absl::Status may_ask =
          CheckMayAsk(*t, session.proto().principal(), session.proto().server(), now);
      !may_ask.ok())
    return Refused(may_ask);
  ASSIGN_OR_RETURN(const Approval approval,
                   NewApproval(question, in_force.policies->OwnersOf(session.proto().principal())));
  if (const absl::Status has_room = CheckRoomFor(*t, approval.proto()); !has_room.ok())
    return Refused(has_room);
  RETURN_IF_ERROR(approvals::Insert(*t, approval));
  RETURN_IF_ERROR(needs_.notices.Enqueue(*t, approval, now));
  RETURN_IF_ERROR(audit_log::Append(
      *t, audit_log::LineOf(caller, now, "approval.request", approval.id(), request.method())));
  RETURN_IF_ERROR(t->Commit());
  *response.mutable_approval() = ShortForm(approval.proto());
  return response;
}

absl::StatusOr<WithdrawCallApprovalResponse> CallApprovals::Run(
    const Caller& caller, const WithdrawCallApprovalRequest& request) {
  const absl::Time now = needs_.clock.Now();
  RETURN_IF_ERROR(
      needs_.control.Write(WriteFor::kRevocation, [&](WriteTransaction& t) -> absl::Status {
        ASSIGN_OR_RETURN(const Session session,
                         FindSessionOfAgent(t, caller, request.session_id()));
        ASSIGN_OR_RETURN(Approval approval, FindCallApproval(t, session, request.approval_id()));
        if (!approval.is_open()) return absl::OkStatus();
        RETURN_IF_ERROR(approval.Withdraw());
        RETURN_IF_ERROR(approvals::Update(t, approval));
        RETURN_IF_ERROR(audit_log::Append(
            t, audit_log::LineOf(caller, now, "approval.withdraw", approval.id())));
        return t.Commit();
      }));
  return WithdrawCallApprovalResponse();
}

absl::StatusOr<agent::v1::GetCallApprovalResponse> CallApprovals::Run(
    const Caller& caller, const agent::v1::GetCallApprovalRequest& request) {
  ASSIGN_OR_RETURN(const auto t, needs_.control.Read());
  ASSIGN_OR_RETURN(const Session session, FindSessionOfAgent(*t, caller, request.session_id()));
  ASSIGN_OR_RETURN(const Approval approval, FindCallApproval(*t, session, request.approval_id()));
  agent::v1::GetCallApprovalResponse response;
  *response.mutable_approval() = ShortForm(approval.proto());
  return response;
}

}  // namespace sallyport::controlplane
