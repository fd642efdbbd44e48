#include "controlplane/access/read_approvals.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/policy/approvers.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "controlplane/access/page.h"
#include "controlplane/model/approval_texts.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/store/approvals.h"

namespace sallyport::controlplane {
namespace {

// A page is an answer that every gRPC client takes (4 MiB), ...
constexpr size_t kMaxPageBytes = 1 << 20;
// ... and is made by looking at so many: of most of them the caller may be none.
constexpr int kMostLookedAt = 10'000;

absl::StatusOr<types::v1::Approval> IfReadable(const Caller& caller, std::string_view id,
                                               const std::optional<Approval>& found) {
  if (!found.has_value() || !ReadApprovals::MayRead(caller, found->proto()))
    return absl::NotFoundError(absl::StrCat("there is no approval ", ToAbsl(id)));
  return found->proto();
}

}  // namespace

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
  ASSIGN_OR_RETURN(const PageStart start, ReadPageToken(request.page_token()));
  ASSIGN_OR_RETURN(const auto t, control_.Read());
  admin::v1::ListApprovalsResponse response;
  size_t bytes = 0;
  int looked_at = 0;
  const auto go_on_after = [&](const types::v1::Approval& last) {
    response.set_next_page_token(MakePageToken(last.created_at(), last.id()));
    return false;
  };
  RETURN_IF_ERROR(approvals::Walk(
      *t, request.all_states(), start.before, start.before_id, [&](const Approval& approval) {
        const bool is_last_look = ++looked_at == kMostLookedAt;
        if (MayRead(caller, approval.proto())) {
          types::v1::Approval shown = ShortForm(approval.proto());
          bytes += shown.ByteSizeLong();
          const bool is_full = response.items_size() == limit || bytes > kMaxPageBytes;
          if (is_full && !response.items().empty()) return go_on_after(*response.items().rbegin());
          *response.add_items() = std::move(shown);
        }
        return !is_last_look || go_on_after(approval.proto());
      }));
  return response;
}

absl::StatusOr<admin::v1::GetApprovalResponse> ReadApprovals::Run(
    const Caller& caller, const admin::v1::GetApprovalRequest& request) {
  ASSIGN_OR_RETURN(const auto t, control_.Read());
  ASSIGN_OR_RETURN(const std::optional<Approval> found, approvals::FindWhole(*t, request.id()));
  admin::v1::GetApprovalResponse response;
  ASSIGN_OR_RETURN(*response.mutable_approval(), IfReadable(caller, request.id(), found));
  return response;
}

absl::StatusOr<types::v1::Approval> ReadApprovals::Short(const Caller& caller,
                                                         std::string_view id) {
  ASSIGN_OR_RETURN(const auto t, control_.Read());
  ASSIGN_OR_RETURN(const std::optional<Approval> found, approvals::Find(*t, id));
  ASSIGN_OR_RETURN(const types::v1::Approval approval, IfReadable(caller, id, found));
  return ShortForm(approval);
}

}  // namespace sallyport::controlplane
