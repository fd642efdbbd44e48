#include "controlplane/access/read_approvals.h"

#include <vector>

#include "common/policy/approvers.h"
#include "common/status_macros.h"
#include "controlplane/access/page.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/store/approvals.h"

namespace sallyport::controlplane {

bool ReadApprovals::MayRead(const Caller& caller, const types::v1::Approval& approval) {
  if (caller.local_admin() != nullptr) return true;
  const PersonCaller* person = caller.person();
  if (person == nullptr || !person->may_manage) return false;
  if (person->is_admin || person->is_approver || person->is_auditor) return true;
  return IsAmong(person->principal, std::vector<std::string>(approval.approvers().begin(),
                                                             approval.approvers().end()));
}

absl::StatusOr<admin::v1::ListApprovalsResponse> ReadApprovals::Run(
    const Caller& caller, const admin::v1::ListApprovalsRequest& request) {
  ASSIGN_OR_RETURN(const int limit, PageLimit(request.page_size()));
  ASSIGN_OR_RETURN(PageStart start, ReadPageToken(request.page_token()));
  ASSIGN_OR_RETURN(const auto t, control_.Read());
  admin::v1::ListApprovalsResponse response;
  // Pages are filled with what the caller may see, however much lies between.
  while (true) {
    ASSIGN_OR_RETURN(
        const std::vector<Approval> found,
        approvals::List(*t, request.all_states(), start.before, start.before_id, limit + 1));
    for (const Approval& approval : found) {
      start = {FromProto(approval.proto().created_at()), approval.id()};
      if (!MayRead(caller, approval.proto())) continue;
      if (response.items_size() == limit) {
        const types::v1::Approval& last = response.items(limit - 1);
        response.set_next_page_token(MakePageToken(last.created_at(), last.id()));
        return response;
      }
      *response.add_items() = approval.proto();
    }
    if (found.size() <= static_cast<size_t>(limit)) return response;
  }
}

absl::StatusOr<admin::v1::GetApprovalResponse> ReadApprovals::Run(
    const Caller& caller, const admin::v1::GetApprovalRequest& request) {
  ASSIGN_OR_RETURN(const auto t, control_.Read());
  ASSIGN_OR_RETURN(const std::optional<Approval> approval, approvals::Find(*t, request.id()));
  if (!approval.has_value() || !MayRead(caller, approval->proto())) {
    return absl::NotFoundError("there is no approval " + request.id());
  }
  admin::v1::GetApprovalResponse response;
  *response.mutable_approval() = approval->proto();
  return response;
}

}  // namespace sallyport::controlplane
