#include "controlplane/access/moot_notice.h"

#include "common/json_printer.h"
#include "common/status_macros.h"
#include "controlplane/store/approvals.h"

namespace sallyport::controlplane {

absl::StatusOr<std::optional<Moot>> MootOf(Transaction& t, std::string_view approval_id) {
  if (approval_id.empty()) return std::nullopt;
  ASSIGN_OR_RETURN(const std::optional<Approval> approval, approvals::Find(t, approval_id));
  if (!approval.has_value() || approval->state() == types::v1::APPROVAL_STATE_PENDING)
    return std::nullopt;
  return Moot{.why = "the approval is " + EnumWord(approval->state()),
              .is_lost = approval->state() == types::v1::APPROVAL_STATE_EXPIRED &&
                         approval->proto().decisions().empty()};
}

}  // namespace sallyport::controlplane
