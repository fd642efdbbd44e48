#include "controlplane/access/approval_notices.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/ids.h"
#include "common/status_macros.h"
#include "controlplane/access/notice_alarm.h"
#include "controlplane/access/notice_forms.h"
#include "controlplane/model/approval_texts.h"
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
  const types::v1::Approval shown = ShortForm(approval.proto());
  const auto& approvers = shown.approvers();
  RETURN_IF_ERROR(Tell(t,
                       {.type = kPending,
                        .approval_id = approval.id(),
                        .approvers = {approvers.begin(), approvers.end()},
                        .give_up_at = approval.expires_at(),
                        .body =
                            [&](config::v1::NoticeFormat format, const std::string& id) {
                              return NoticeBody(format, {.id = id, .type = kPending, .time = now},
                                                shown);
                            }},
                       now));
  return UpdateNoticeAlarm(t, approval.id()).status();
}

absl::Status ApprovalNotices::EnqueueBreakGlass(WriteTransaction& t, Session& session,
                                                absl::Time now) const {
  const auto& proto = session.proto().break_glass().skipped_approvers();
  const std::vector<std::string> skipped(proto.begin(), proto.end());
  std::vector<std::string> unaddressed;
  std::ranges::copy_if(skipped, std::back_inserter(unaddressed), [&](const std::string& approver) {
    return std::ranges::none_of(targets_,
                                [&](const Target& target) { return Concerns(target, {approver}); });
  });
  session.SetUnaddressed(unaddressed);
  if (!unaddressed.empty()) {
    RaiseGlassAlarm(
        t, session,
        absl::StrCat("no notifier is configured for ", absl::StrJoin(unaddressed, ", ")));
  }
  return Tell(t,
              {.type = kBreakGlass,
               .session_id = session.id(),
               .approvers = skipped,
               .give_up_at = now + kBreakGlassPatience,
               .body =
                   [&](config::v1::NoticeFormat format, const std::string& id) {
                     return NoticeBody(format, {.id = id, .type = kBreakGlass, .time = now},
                                       session.proto());
                   }},
              now);
}

bool ApprovalNotices::Concerns(const Target& target, const std::vector<std::string>& approvers) {
  return target.approvers.empty() ||
         std::ranges::find_first_of(target.approvers, approvers) != target.approvers.end();
}

absl::Status ApprovalNotices::Tell(WriteTransaction& t, const Notice& notice,
                                   absl::Time now) const {
  for (const Target& target : targets_) {
    if (!Concerns(target, notice.approvers)) continue;
    const std::string id = "evt_" + NewRequestId();
    RETURN_IF_ERROR(outbox::Enqueue(t, {.id = id,
                                        .approval_id = std::string(notice.approval_id),
                                        .session_id = std::string(notice.session_id),
                                        .notifier = target.name,
                                        .type = std::string(notice.type),
                                        .body = notice.body(target.format, id),
                                        .created_at = now,
                                        .next_attempt_at = now,
                                        .give_up_at = notice.give_up_at}));
  }
  return absl::OkStatus();
}

}  // namespace sallyport::controlplane
