#include "controlplane/policies/asked_people.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/store/approvals.h"

namespace sallyport::controlplane {

absl::StatusOr<AskedPeople> ReadAskedPeople(Database& control, std::string_view approval_id) {
  if (approval_id.empty()) return AskedPeople();
  ASSIGN_OR_RETURN(const auto t, control.Read());
  ASSIGN_OR_RETURN(const std::optional<Approval> approval, approvals::Find(*t, approval_id));
  if (!approval.has_value()) {
    return absl::NotFoundError(absl::StrCat("approval ", ToAbsl(approval_id), " does not exist"));
  }
  const types::v1::Approval& proto = approval->proto();
  const absl::Duration had = FromProto(proto.expires_at()) - FromProto(proto.created_at());
  return AskedPeople{.approvers = {proto.approvers().begin(), proto.approvers().end()},
                     .count = std::max(proto.count(), 1U),
                     .expires_after_seconds = std::max<int64_t>(absl::ToInt64Seconds(had), 1)};
}

}  // namespace sallyport::controlplane
