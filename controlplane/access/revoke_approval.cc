#include "controlplane/access/revoke_approval.h"

#include <optional>
#include <string_view>
#include <utility>

#include "common/denial.h"
#include "common/policy/approvers.h"
#include "common/status_macros.h"
#include "controlplane/store/approvals.h"
#include "controlplane/store/audit_log.h"
#include "controlplane/store/locks.h"

namespace sallyport::controlplane {
namespace {

constexpr size_t kMaxReasonBytes = 1000;

absl::Status CheckMayRevoke(const Caller& caller, const Approval& approval) {
  if (caller.is_admin()) return absl::OkStatus();
  const PersonCaller* person = caller.person();
  if (person == nullptr || !person->may_manage) {
    return Denied(types::v1::DENIAL_REASON_APPROVER_NOT_ELIGIBLE,
                  "approvals are taken back by people, each with a token of their own");
  }
  return CheckApprover(person->principal, approval.proto());
}

absl::Status TakeBack(Approval& approval, const Caller& caller, std::string_view reason,
                      absl::Time now) {
  if (!approval.is_for_call() && approval.state() == types::v1::APPROVAL_STATE_CONSUMED) {
    return Denied(types::v1::DENIAL_REASON_APPROVAL_CONSUMED,
                  "approval " + approval.id() + " is for session " + approval.proto().session_id() +
                      ": what it opened is ended, not taken back");
  }
  return approval.Revoke(ActorName(caller), reason, now);
}

absl::Status Revoke(WriteTransaction& t, const admin::v1::RevokeApprovalRequest& request,
                    const Caller& caller, absl::Time now, types::v1::Approval& revoked) {
  ASSIGN_OR_RETURN(std::optional<Approval> approval, approvals::Find(t, request.id()));
  if (!approval.has_value()) return absl::NotFoundError("there is no approval " + request.id());
  audit_log::Line line =
      audit_log::LineOf(caller, now, "approval.revoke", request.id(), request.reason());
  RETURN_IF_ERROR(locks::RefuseShutOut(t, line, caller, now));
  if (const absl::Status may = CheckMayRevoke(caller, *approval); !may.ok()) {
    return audit_log::Refuse(t, std::move(line), may);
  }
  if (const absl::Status taken = TakeBack(*approval, caller, request.reason(), now); !taken.ok())
    return audit_log::Refuse(t, std::move(line), taken);
  RETURN_IF_ERROR(approvals::Update(t, *approval));
  RETURN_IF_ERROR(audit_log::Append(t, line));
  revoked = approval->proto();
  return t.Commit();
}

}  // namespace

absl::StatusOr<admin::v1::RevokeApprovalResponse> RevokeApproval::Run(
    const Caller& caller, const admin::v1::RevokeApprovalRequest& request) {
  if (request.reason().size() > kMaxReasonBytes)
    return absl::InvalidArgumentError("reason is longer than 1,000 bytes");
  const absl::Time now = clock_.Now();
  admin::v1::RevokeApprovalResponse response;
  RETURN_IF_ERROR(control_.Write(WriteFor::kRevocation, [&](WriteTransaction& t) {
    return Revoke(t, request, caller, now, *response.mutable_approval());
  }));
  return response;
}

}  // namespace sallyport::controlplane
