#include "controlplane/access/notice_alarm.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "controlplane/store/approvals.h"
#include "controlplane/store/outbox.h"

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

}  // namespace sallyport::controlplane
