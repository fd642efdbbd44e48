#include "controlplane/access/notice_alarm.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "controlplane/store/approvals.h"
#include "controlplane/store/audit_log.h"
#include "controlplane/store/sessions.h"

namespace sallyport::controlplane {
namespace {

// Some fifteen seconds, as the waits between attempts grow.
constexpr int kAttemptsBeforeAlarm = 3;

// Empty: somebody has been told, or may soon be.
std::string WhyUnheard(const std::vector<outbox::Notice>& notices) {
  if (notices.empty()) return "no notifier is configured for its approvers";
  std::string why = "no notifier has taken it:";
  for (const outbox::Notice& notice : notices) {
    const bool has_failed = notice.state == admin::v1::NOTICE_STATE_DEAD ||
                            (notice.state == admin::v1::NOTICE_STATE_WAITING &&
                             notice.attempts >= kAttemptsBeforeAlarm);
    if (!has_failed) return {};
    absl::StrAppend(&why, " ", notice.last_error, ";");
  }
  why.pop_back();
  return why;
}

std::string WhyUnheard(const types::v1::BreakGlass& glass,
                       const std::vector<outbox::Notice>& notices) {
  if (glass.unaddressed_approvers().empty()) return WhyUnheard(notices);
  return absl::StrCat("no notifier is configured for ",
                      absl::StrJoin(glass.unaddressed_approvers(), ", "));
}

}  // namespace

absl::StatusOr<bool> UpdateNoticeAlarm(WriteTransaction& t, std::string_view approval_id) {
  if (approval_id.empty()) return false;
  ASSIGN_OR_RETURN(std::optional<Approval> approval, approvals::Find(t, approval_id));
  if (!approval.has_value() || approval->state() != types::v1::APPROVAL_STATE_PENDING) return false;
  ASSIGN_OR_RETURN(const std::vector<outbox::Notice> notices, outbox::OfApproval(t, approval_id));
  const std::string alarm = WhyUnheard(notices);
  const std::string before = approval->proto().notice_alarm();
  if (alarm.empty() == before.empty()) return false;
  approval->SetNoticeAlarm(alarm);
  RETURN_IF_ERROR(approvals::Update(t, *approval));
  if (alarm.empty()) return false;
  t.AfterCommit([id = approval->id(), alarm] {
    LogError("approval_unnotified", {{"approval", id}, {"why", alarm}});
  });
  return true;
}

void RaiseGlassAlarm(WriteTransaction& t, Session& session, std::string_view why) {
  session.SetNoticeAlarm(why);
  t.AfterCommit([id = session.id(), why = std::string(why)] {
    LogError("session_unnotified", {{"session", id}, {"why", why}});
  });
}

absl::StatusOr<bool> UpdateGlassAlarm(WriteTransaction& t, std::string_view session_id,
                                      absl::Time now) {
  ASSIGN_OR_RETURN(std::optional<Session> session, sessions::Find(t, session_id));
  if (!session.has_value() || !session->is_unreviewed()) return false;
  ASSIGN_OR_RETURN(const std::vector<outbox::Notice> notices, outbox::OfSession(t, session_id));
  const types::v1::BreakGlass& glass = session->proto().break_glass();
  const std::string alarm = WhyUnheard(glass, notices);
  if (alarm.empty() == glass.notice_alarm().empty()) return false;
  alarm.empty() ? session->SetNoticeAlarm("") : RaiseGlassAlarm(t, *session, alarm);
  RETURN_IF_ERROR(
      sessions::Update(t, *session,
                       audit_log::LineOf(Caller(SystemCaller{}, ""), now,
                                         alarm.empty() ? "session.notified" : "session.unnotified",
                                         session->id(), alarm)));
  return !alarm.empty();
}

absl::Status UpdateAlarmOf(WriteTransaction& t, const outbox::Notice& notice, absl::Time now) {
  return notice.session_id.empty() ? UpdateNoticeAlarm(t, notice.approval_id).status()
                                   : UpdateGlassAlarm(t, notice.session_id, now).status();
}

}  // namespace sallyport::controlplane
