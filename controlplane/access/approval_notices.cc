#include "controlplane/access/approval_notices.h"

#include <algorithm>

#include "common/ids.h"
#include "common/json_printer.h"
#include "common/json_string.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "common/time_text.h"
#include "controlplane/store/outbox.h"

namespace sallyport::controlplane {

ApprovalNotices::ApprovalNotices(const config::v1::ControlPlaneConfig& config) {
  for (const config::v1::Notifier& notifier : config.notify()) {
    targets_.push_back(
        {notifier.name(), {notifier.approvers().begin(), notifier.approvers().end()}});
  }
}

absl::Status ApprovalNotices::Enqueue(WriteTransaction& t, const Approval& approval,
                                      absl::Time now) const {
  const auto& approvers = approval.proto().approvers();
  const auto concerns = [&](const Target& target) {
    return target.approvers.empty() ||
           std::find_first_of(target.approvers.begin(), target.approvers.end(), approvers.begin(),
                              approvers.end()) != target.approvers.end();
  };
  const std::string id = "evt_" + NewRequestId();
  const std::string body =
      "{\"id\":" + JsonString(id) +
      ",\"type\":\"approval.pending\",\"time\":" + JsonString(TimeText(now)) +
      ",\"approval\":" + ToJson(approval.proto()) + "}";
  if (std::none_of(targets_.begin(), targets_.end(), concerns)) {
    LogWarning("notice_unaddressed", {{"approval", approval.id()}});
  }
  for (const Target& target : targets_) {
    if (!concerns(target)) continue;
    RETURN_IF_ERROR(outbox::Enqueue(t, {.id = id,
                                        .notifier = target.name,
                                        .body = body,
                                        .created_at = now,
                                        .next_attempt_at = now,
                                        .give_up_at = approval.expires_at()}));
  }
  return absl::OkStatus();
}

}  // namespace sallyport::controlplane
