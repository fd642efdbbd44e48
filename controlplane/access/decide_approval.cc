#include "controlplane/access/decide_approval.h"

#include <vector>

#include "common/denial.h"
#include "common/policy/approvers.h"
#include "common/status_macros.h"
#include "controlplane/access/admission.h"
#include "controlplane/store/approvals.h"
#include "controlplane/store/audit_log.h"
#include "controlplane/store/sessions.h"

namespace sallyport::controlplane {
namespace {

constexpr size_t kMaxReasonBytes = 1000;

absl::Status CheckEligible(const Caller& caller, const Approval& approval) {
  const PersonCaller* person = caller.person();
  if (person == nullptr || !person->may_manage) {
    return Denied(types::v1::DENIAL_REASON_APPROVER_NOT_ELIGIBLE,
                  "approvals are decided by people, each with a token of their own");
  }
  const types::v1::Approval& proto = approval.proto();
  const std::vector<std::string> approvers(proto.approvers().begin(), proto.approvers().end());
  return CheckApprover(person->principal, proto.principal(), approvers, approval.owners());
}

absl::Status DecideSession(WriteTransaction& t, Approval& approval, const Caller& caller,
                           const std::string& reason, absl::Time now) {
  ASSIGN_OR_RETURN(std::optional<Session> session,
                   sessions::Find(t, approval.proto().session_id()));
  if (!session.has_value())
    return absl::DataLossError("approval " + approval.id() + " has no session");
  if (approval.state() == types::v1::APPROVAL_STATE_DENIED) {
    RETURN_IF_ERROR(session->Deny(types::v1::DENIAL_REASON_APPROVAL_DENIED, reason, now));
    return sessions::Update(
        t, *session, audit_log::LineOf(caller, now, "session.deny", session->id(), approval.id()));
  }
  const types::v1::Session& proto = session->proto();
  ASSIGN_OR_RETURN(const Admission admission,
                   AdmitToNewWindow(t, proto.principal(), proto.server(), proto.terms(),
                                    session->duration(), now));
  RETURN_IF_ERROR(session->Activate(admission, now));
  RETURN_IF_ERROR(sessions::Update(
      t, *session,
      audit_log::LineOf(caller, now, "session.activate", session->id(), approval.id())));
  return approval.Consume(session->id(), now);
}

}  // namespace

absl::StatusOr<types::v1::Approval> DecideApproval::Decide(const Caller& caller,
                                                           const std::string& id, bool approve,
                                                           const std::string& reason) {
  if (reason.size() > kMaxReasonBytes)
    return absl::InvalidArgumentError("reason is longer than 1,000 bytes");
  const absl::Time now = clock_.Now();
  ASSIGN_OR_RETURN(const auto t, control_.Write());
  ASSIGN_OR_RETURN(std::optional<Approval> approval, approvals::Find(*t, id));
  if (!approval.has_value()) return absl::NotFoundError("there is no approval " + id);
  audit_log::Line line =
      audit_log::LineOf(caller, now, approve ? "approval.approve" : "approval.deny", id, reason);
  if (absl::Status eligible = CheckEligible(caller, *approval); !eligible.ok()) {
    line.denial_reason = ReasonOf(eligible);
    line.detail = std::string(eligible.message());
    RETURN_IF_ERROR(audit_log::Append(*t, line));
    RETURN_IF_ERROR(t->Commit());
    return eligible;
  }
  RETURN_IF_ERROR(approval->Decide(caller.person()->principal, approve, reason, now));
  // One yes of several decides nothing yet.
  if (!approval->is_for_call() && approval->state() != types::v1::APPROVAL_STATE_PENDING)
    RETURN_IF_ERROR(DecideSession(*t, *approval, caller, reason, now));
  RETURN_IF_ERROR(approvals::Update(*t, *approval));
  RETURN_IF_ERROR(audit_log::Append(*t, line));
  RETURN_IF_ERROR(t->Commit());
  return approval->proto();
}

absl::StatusOr<admin::v1::ApproveApprovalResponse> DecideApproval::Run(
    const Caller& caller, const admin::v1::ApproveApprovalRequest& request) {
  admin::v1::ApproveApprovalResponse response;
  ASSIGN_OR_RETURN(*response.mutable_approval(),
                   Decide(caller, request.id(), true, request.reason()));
  return response;
}

absl::StatusOr<admin::v1::DenyApprovalResponse> DecideApproval::Run(
    const Caller& caller, const admin::v1::DenyApprovalRequest& request) {
  if (request.reason().empty()) return absl::InvalidArgumentError("a denial needs a reason");
  admin::v1::DenyApprovalResponse response;
  ASSIGN_OR_RETURN(*response.mutable_approval(),
                   Decide(caller, request.id(), false, request.reason()));
  return response;
}

}  // namespace sallyport::controlplane
