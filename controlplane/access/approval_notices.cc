#include "controlplane/access/approval_notices.h"

#include <algorithm>

#include "common/ids.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "controlplane/access/notice_alarm.h"
#include "controlplane/access/notice_forms.h"
#include "controlplane/store/outbox.h"

namespace sallyport::controlplane {
namespace {

constexpr char kPending[] = "approval.pending";
constexpr char kBreakGlass[] = "session.break_glass";
// Nothing expires by itself here: who was skipped is owed the news.
constexpr absl::Duration kBreakGlassPatience = absl::Hours(24);

}  // namespace

ApprovalNotices::ApprovalNotices(const config::v1::ControlPlaneConfig& config) {
  for (const config::v1::Notifier& notifier : config.notify()) {
    targets_.push_back({.name = notifier.name(),
                        .approvers = {notifier.approvers().begin(), notifier.approvers().end()},
                        .format = notifier.format()});
  }
}

absl::Status ApprovalNotices::Enqueue(WriteTransaction& t, const Approval& approval,
                                      absl::Time now) const {
  const auto& approvers = approval.proto().approvers();
  RETURN_IF_ERROR(Tell(t,
                       {.type = kPending,
                        .approval_id = approval.id(),
                        .approvers = {approvers.begin(), approvers.end()},
                        .give_up_at = approval.expires_at(),
                        .body =
                            [&](config::v1::NoticeFormat format, const std::string& id) {
                              return NoticeBody(format, {.id = id, .type = kPending, .time = now},
                                                approval.proto());
                            }},
                       now)
                      .status());
  return UpdateNoticeAlarm(t, approval.id()).status();
}

absl::Status ApprovalNotices::EnqueueBreakGlass(WriteTransaction& t, const Session& session,
                                                absl::Time now) const {
  const auto& skipped = session.proto().break_glass().skipped_approvers();
  ASSIGN_OR_RETURN(const int told,
                   Tell(t,
                        {.type = kBreakGlass,
                         .approval_id = {},
                         .approvers = {skipped.begin(), skipped.end()},
                         .give_up_at = now + kBreakGlassPatience,
                         .body =
                             [&](config::v1::NoticeFormat format, const std::string& id) {
                               return NoticeBody(format,
                                                 {.id = id, .type = kBreakGlass, .time = now},
                                                 session.proto());
                             }},
                        now));
  if (told == 0) {
    t.AfterCommit([id = session.id()] {
      LogError("notice_unaddressed", {{"type", kBreakGlass}, {"about", id}});
    });
  }
  return absl::OkStatus();
}

absl::StatusOr<int> ApprovalNotices::Tell(WriteTransaction& t, const Notice& notice,
                                          absl::Time now) const {
  int told = 0;
  for (const Target& target : targets_) {
    const bool concerns =
        target.approvers.empty() ||
        std::ranges::find_first_of(target.approvers, notice.approvers) != target.approvers.end();
    if (!concerns) continue;
    ++told;
    const std::string id = "evt_" + NewRequestId();
    RETURN_IF_ERROR(outbox::Enqueue(t, {.id = id,
                                        .approval_id = std::string(notice.approval_id),
                                        .notifier = target.name,
                                        .type = std::string(notice.type),
                                        .body = notice.body(target.format, id),
                                        .created_at = now,
                                        .next_attempt_at = now,
                                        .give_up_at = notice.give_up_at}));
  }
  return told;
}

}  // namespace sallyport::controlplane
