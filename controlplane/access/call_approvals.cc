#include "controlplane/access/call_approvals.h"

#include <optional>
#include <utility>
#include <vector>

#include "common/denial.h"
#include "common/ids.h"
#include "common/policy/session_policy.h"
#include "common/status_macros.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/store/approvals.h"
#include "controlplane/store/audit_log.h"
#include "controlplane/store/sessions.h"

namespace sallyport::controlplane {

using agent::v1::ConsumeCallApprovalRequest;
using agent::v1::ConsumeCallApprovalResponse;
using agent::v1::RequestCallApprovalRequest;
using agent::v1::RequestCallApprovalResponse;
using agent::v1::WithdrawCallApprovalRequest;
using agent::v1::WithdrawCallApprovalResponse;

namespace {

// What a person can be asked to read, and a session can ask for at a time.
constexpr size_t kMaxArgumentBytes = 1 << 20;
constexpr size_t kMaxDescriptionBytes = 64 << 10;
constexpr size_t kMaxNameBytes = 4096;
constexpr size_t kMaxOpenApprovals = 64;

absl::StatusOr<Session> FindOwn(Transaction& t, const Caller& caller, const std::string& id) {
  if (caller.agent() == nullptr)
    return Denied(types::v1::DENIAL_REASON_ROLE_MISSING, "approvals of calls are for agents");
  ASSIGN_OR_RETURN(std::optional<Session> session, sessions::Find(t, id));
  if (!session.has_value() || session->proto().agent() != caller.agent()->name) {
    return absl::NotFoundError("there is no session " + id);
  }
  return *std::move(session);
}

absl::StatusOr<Approval> FindOf(Transaction& t, const Session& session, const std::string& id) {
  ASSIGN_OR_RETURN(std::optional<Approval> approval, approvals::Find(t, id));
  if (!approval.has_value() || !approval->is_for_call() ||
      approval->proto().session_id() != session.id()) {
    return absl::NotFoundError("session " + session.id() + " has no approval " + id);
  }
  return *std::move(approval);
}

// UNSPECIFIED: the session may go on.
types::v1::DenialReason WhyNot(const Session& session, const CompiledPolicies& policies,
                               absl::Time now) {
  if (session.is_pending()) return types::v1::DENIAL_REASON_SESSION_PENDING;
  if (!session.IsActiveAt(now)) return types::v1::DENIAL_REASON_SESSION_ENDED;
  const types::v1::Session& proto = session.proto();
  if (!policies.LockOn(proto.principal(), proto.server(), proto.agent(), now).empty())
    return types::v1::DENIAL_REASON_LOCKED;
  return types::v1::DENIAL_REASON_UNSPECIFIED;
}

// The agent has judged the call with its true arguments; here they are masked, so a condition on
// one of them may read otherwise.
CallDecision Judge(const InForce& in_force, const Session& session, const std::string& method,
                   const std::string& target, const std::string& arguments, absl::Time now) {
  return SessionPolicy::Bind(in_force.policies, session.proto().principal(),
                             session.proto().server())
      ->EvaluateCall({.method = method, .target = target, .arguments = arguments}, now);
}

absl::Status CheckRequest(const RequestCallApprovalRequest& request) {
  if (request.method().empty()) return absl::InvalidArgumentError("method is missing");
  if (request.method().size() > kMaxNameBytes || request.target().size() > kMaxNameBytes) {
    return absl::InvalidArgumentError("method or target is longer than 4 KiB");
  }
  const std::string& digest = request.arguments_digest();
  if (digest.size() != 64 || digest.find_first_not_of("0123456789abcdef") != std::string::npos) {
    return absl::InvalidArgumentError("arguments_digest is not 64 hex digits");
  }
  if (request.arguments().size() > kMaxArgumentBytes)
    return absl::InvalidArgumentError("arguments are longer than 1 MiB");
  if (request.tool_description().size() > kMaxDescriptionBytes) {
    return absl::InvalidArgumentError("tool_description is longer than 64 KiB");
  }
  return absl::OkStatus();
}

types::v1::Approval NewApproval(const Session& session, const RequestCallApprovalRequest& request,
                                const CallDecision& decision, absl::Time now) {
  types::v1::Approval proto;
  proto.set_id(NewApprovalId());
  proto.set_session_id(session.id());
  proto.set_server(session.proto().server());
  proto.set_method(request.method());
  proto.set_tool(request.target());
  proto.set_arguments(request.arguments());
  proto.set_arguments_digest(request.arguments_digest());
  proto.set_tool_description(request.tool_description());
  *proto.mutable_principal() = session.proto().principal();
  proto.set_reason(session.proto().reason());
  for (const std::string& approver : decision.approvers) proto.add_approvers(approver);
  *proto.mutable_created_at() = ToProto(now);
  *proto.mutable_expires_at() = ToProto(now + decision.expires_after);
  return proto;
}

template <class Response>
Response Refusal(types::v1::DenialReason reason) {
  Response response;
  response.set_denial_reason(reason);
  return response;
}

}  // namespace

absl::StatusOr<RequestCallApprovalResponse> CallApprovals::Run(
    const Caller& caller, const RequestCallApprovalRequest& request) {
  RETURN_IF_ERROR(CheckRequest(request));
  const absl::Time now = needs_.clock.Now();
  ASSIGN_OR_RETURN(const auto t, needs_.control.Write());
  ASSIGN_OR_RETURN(const Session session, FindOwn(*t, caller, request.session_id()));
  ASSIGN_OR_RETURN(const InForce in_force, needs_.policies.In(*t));
  if (const auto why = WhyNot(session, *in_force.policies, now);
      why != types::v1::DENIAL_REASON_UNSPECIFIED) {
    return Refusal<RequestCallApprovalResponse>(why);
  }
  RequestCallApprovalResponse response;
  ASSIGN_OR_RETURN(const std::vector<Approval> open, approvals::OpenOfSession(*t, session.id()));
  ASSIGN_OR_RETURN(std::optional<Approval> same,
                   approvals::FindOpenCall(*t, session.id(), request.method(), request.target(),
                                           request.arguments_digest()));
  if (same.has_value() && now < same->expires_at()) {
    *response.mutable_approval() = same->proto();
    return response;
  }
  if (same.has_value()) {
    RETURN_IF_ERROR(same->Expire(now));
    RETURN_IF_ERROR(approvals::Update(*t, *same));
  }
  if (open.size() >= kMaxOpenApprovals)
    return Refusal<RequestCallApprovalResponse>(types::v1::DENIAL_REASON_LIMIT_EXCEEDED);
  const CallDecision decision =
      Judge(in_force, session, request.method(), request.target(), request.arguments(), now);
  if (decision.verdict != Verdict::kRequireApproval) {
    return Refusal<RequestCallApprovalResponse>(decision.verdict == Verdict::kAllow
                                                    ? types::v1::DENIAL_REASON_POLICY_CHANGED
                                                    : decision.reason);
  }
  const Approval approval =
      Approval::Pending(NewApproval(session, request, decision, now), session.proto().agent(),
                        in_force.policies->OwnersOf(session.proto().principal()));
  RETURN_IF_ERROR(approvals::Insert(*t, approval));
  RETURN_IF_ERROR(needs_.notices.Enqueue(*t, approval, now));
  RETURN_IF_ERROR(audit_log::Append(
      *t, audit_log::LineOf(caller, now, "approval.request", approval.id(), request.method())));
  RETURN_IF_ERROR(t->Commit());
  *response.mutable_approval() = approval.proto();
  return response;
}

absl::StatusOr<ConsumeCallApprovalResponse> CallApprovals::Run(
    const Caller& caller, const ConsumeCallApprovalRequest& request) {
  if (request.call_id().empty()) return absl::InvalidArgumentError("call_id is missing");
  const absl::Time now = needs_.clock.Now();
  ASSIGN_OR_RETURN(const auto t, needs_.control.Write());
  ASSIGN_OR_RETURN(const Session session, FindOwn(*t, caller, request.session_id()));
  ASSIGN_OR_RETURN(Approval approval, FindOf(*t, session, request.approval_id()));
  const types::v1::Approval& proto = approval.proto();
  if (proto.arguments_digest() != request.arguments_digest()) {
    return Refusal<ConsumeCallApprovalResponse>(types::v1::DENIAL_REASON_ARGUMENTS_CHANGED);
  }
  const bool is_repeated = approval.state() == types::v1::APPROVAL_STATE_CONSUMED;
  ASSIGN_OR_RETURN(const InForce in_force, needs_.policies.In(*t));
  if (const auto why = WhyNot(session, *in_force.policies, now);
      why != types::v1::DENIAL_REASON_UNSPECIFIED) {
    return Refusal<ConsumeCallApprovalResponse>(why);
  }
  const CallDecision decision =
      Judge(in_force, session, proto.method(), proto.tool(), proto.arguments(), now);
  if (decision.verdict == Verdict::kHidden ||
      decision.reason == types::v1::DENIAL_REASON_POLICY_DENIED) {
    return Refusal<ConsumeCallApprovalResponse>(types::v1::DENIAL_REASON_POLICY_CHANGED);
  }
  if (absl::Status consumed = approval.Consume(request.call_id(), now); !consumed.ok()) {
    if (ReasonOf(consumed) == types::v1::DENIAL_REASON_UNSPECIFIED) return consumed;
    return Refusal<ConsumeCallApprovalResponse>(ReasonOf(consumed));
  }
  if (is_repeated) return ConsumeCallApprovalResponse();
  RETURN_IF_ERROR(approvals::Update(*t, approval));
  RETURN_IF_ERROR(audit_log::Append(
      *t, audit_log::LineOf(caller, now, "approval.consume", approval.id(), request.call_id())));
  RETURN_IF_ERROR(t->Commit());
  return ConsumeCallApprovalResponse();
}

absl::StatusOr<WithdrawCallApprovalResponse> CallApprovals::Run(
    const Caller& caller, const WithdrawCallApprovalRequest& request) {
  const absl::Time now = needs_.clock.Now();
  ASSIGN_OR_RETURN(const auto t, needs_.control.Write());
  ASSIGN_OR_RETURN(const Session session, FindOwn(*t, caller, request.session_id()));
  ASSIGN_OR_RETURN(Approval approval, FindOf(*t, session, request.approval_id()));
  if (!approval.is_open()) return WithdrawCallApprovalResponse();
  RETURN_IF_ERROR(approval.Withdraw());
  RETURN_IF_ERROR(approvals::Update(*t, approval));
  RETURN_IF_ERROR(
      audit_log::Append(*t, audit_log::LineOf(caller, now, "approval.withdraw", approval.id())));
  RETURN_IF_ERROR(t->Commit());
  return WithdrawCallApprovalResponse();
}

}  // namespace sallyport::controlplane
