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
namespace {

// Nothing expires by itself here: who was skipped is owed the news.
constexpr absl::Duration kBreakGlassPatience = absl::Hours(24);

}  // namespace

ApprovalNotices::ApprovalNotices(const config::v1::ControlPlaneConfig& config) {
  for (const config::v1::Notifier& notifier : config.notify()) {
    targets_.push_back(
        {notifier.name(), {notifier.approvers().begin(), notifier.approvers().end()}});
  }
}

absl::Status ApprovalNotices::Enqueue(WriteTransaction& t, const Approval& approval,
                                      absl::Time now) const {
  const auto& approvers = approval.proto().approvers();
  return Tell(t,
              {.type = "approval.pending",
               .member = "\"approval\":" + ToJson(approval.proto()),
               .about = approval.id(),
               .approvers = {approvers.begin(), approvers.end()},
               .give_up_at = approval.expires_at()},
              now);
}

absl::Status ApprovalNotices::EnqueueBreakGlass(WriteTransaction& t, const Session& session,
                                                absl::Time now) const {
  const auto& skipped = session.proto().break_glass().skipped_approvers();
  return Tell(t,
              {.type = "session.break_glass",
               .member = "\"session\":" + ToJson(session.proto()),
               .about = session.id(),
               .approvers = {skipped.begin(), skipped.end()},
               .give_up_at = now + kBreakGlassPatience},
              now);
}

absl::Status ApprovalNotices::Tell(WriteTransaction& t, const Notice& notice,
                                   absl::Time now) const {
  const auto concerns = [&](const Target& target) {
    return target.approvers.empty() ||
           std::ranges::find_first_of(target.approvers, notice.approvers) != target.approvers.end();
  };
  const std::string id = "evt_" + NewRequestId();
  const std::string body = "{\"id\":" + JsonString(id) + ",\"type\":" + JsonString(notice.type) +
                           ",\"time\":" + JsonString(TimeText(now)) + "," + notice.member + "}";
  if (std::ranges::none_of(targets_, concerns))
    LogWarning("notice_unaddressed", {{"type", notice.type}, {"about", notice.about}});
  for (const Target& target : targets_) {
    if (!concerns(target)) continue;
    RETURN_IF_ERROR(outbox::Enqueue(t, {.id = id,
                                        .notifier = target.name,
                                        .body = body,
                                        .created_at = now,
                                        .next_attempt_at = now,
                                        .give_up_at = notice.give_up_at}));
  }
  return absl::OkStatus();
}

}  // namespace sallyport::controlplane
