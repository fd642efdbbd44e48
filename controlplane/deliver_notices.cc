#include "controlplane/deliver_notices.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/backoff.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "controlplane/access/moot_notice.h"
#include "controlplane/access/notice_alarm.h"

namespace sallyport::controlplane {
namespace {

constexpr int kBatch = 100;
constexpr absl::Duration kFirstWait = absl::Seconds(2);
constexpr absl::Duration kLongestWait = absl::Minutes(5);
constexpr absl::Duration kLongestSleep = absl::Seconds(1);

absl::Duration WaitAfter(int attempts) {
  const absl::Duration wait = kFirstWait * static_cast<double>(1 << std::min(attempts, 10));
  return Jittered(std::min(wait, kLongestWait), 0.25);
}

}  // namespace

DeliverNotices::DeliverNotices(Database& control, const Clock& clock,
                               std::vector<std::unique_ptr<Webhook>> webhooks)
    : control_(control), clock_(clock), webhooks_(std::move(webhooks)) {
  for (const auto& webhook : webhooks_)
    threads_.emplace_back([this, &webhook] { Run({.webhook = webhook.get()}); });
  threads_.emplace_back([this] { Run({.webhook = nullptr}); });
}

DeliverNotices::~DeliverNotices() {
  stopping_ = true;
  for (std::thread& thread : threads_) thread.join();
}

void DeliverNotices::Run(Lane lane) {
  while (!stopping_) {
    // The cursor before the table: what is enqueued from here on ends the wait.
    const uint64_t cursor = control_.changes().Now();
    const absl::Status status = DeliverDue(lane);
    if (!status.ok()) LogError("outbox_failed", {{"error", status}});
    // What is due stays due where it could not be written down.
    control_.changes().WaitSince(
        cursor, status.ok() ? std::min(TimeToNextDue(lane), kLongestSleep) : kLongestSleep);
  }
}

absl::StatusOr<std::vector<outbox::Notice>> DeliverNotices::DueIn(const Lane& lane) {
  ASSIGN_OR_RETURN(const auto t, control_.Read());
  const absl::Time now = clock_.Now();
  if (lane.webhook != nullptr) return outbox::Due(*t, now, kBatch, lane.webhook->name());
  std::vector<outbox::Notice> all;
  ASSIGN_OR_RETURN(const std::vector<std::string> notifiers, outbox::NotifiersDue(*t, now));
  for (const std::string& notifier : notifiers) {
    const auto is_its = [&](const auto& webhook) { return webhook->name() == notifier; };
    if (std::ranges::any_of(webhooks_, is_its)) continue;
    ASSIGN_OR_RETURN(const std::vector<outbox::Notice> due, outbox::Due(*t, now, kBatch, notifier));
    all.insert(all.end(), due.begin(), due.end());
  }
  return all;
}

absl::Status DeliverNotices::DeliverDue(Lane& lane) {
  ASSIGN_OR_RETURN(const std::vector<outbox::Notice> due, DueIn(lane));
  for (const outbox::Notice& notice : due) {
    if (stopping_) break;
    ASSIGN_OR_RETURN(const bool is_over, Deliver(lane, notice));
    // One attempt a round for a receiver that does not answer.
    if (!is_over) break;
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> DeliverNotices::Deliver(Lane& lane, const outbox::Notice& notice) {
  ASSIGN_OR_RETURN(const bool is_moot, LeaveIfMoot(notice));
  if (is_moot) return true;
  if (lane.webhook == nullptr) return GiveUp(notice, "no such notifier is configured");
  if (clock_.Now() >= notice.give_up_at) return GiveUp(notice, notice.last_error);

  const absl::Status sent = lane.taken.contains(notice.id)
                                ? absl::OkStatus()
                                : lane.webhook->Send(notice.body, clock_.Now(), stopping_);
  if (stopping_ && !sent.ok()) return false;
  if (absl::IsFailedPrecondition(sent)) {
    outbox::Notice tried = notice;
    ++tried.attempts;
    return GiveUp(tried, ToStd(sent.message()));
  }
  if (sent.ok()) {
    if (lane.taken.insert(notice.id).second)
      LogInfo("notice_delivered", {{"notice", notice.id}, {"notifier", notice.notifier}});
    RETURN_IF_ERROR(NoteDelivered(notice));
    lane.taken.erase(notice.id);
    return true;
  }
  LogWarning("notice_failed", {{"notice", notice.id},
                               {"notifier", notice.notifier},
                               {"attempts", notice.attempts + 1},
                               {"error", sent}});
  ASSIGN_OR_RETURN(const auto t, control_.Write(WriteFor::kOperators));
  RETURN_IF_ERROR(outbox::Postpone(*t, notice.n, clock_.Now() + WaitAfter(notice.attempts),
                                   ToStd(sent.message())));
  RETURN_IF_ERROR(UpdateAlarmOf(*t, notice, clock_.Now()));
  RETURN_IF_ERROR(t->Commit());
  return false;
}

absl::StatusOr<bool> DeliverNotices::LeaveIfMoot(const outbox::Notice& notice) {
  std::optional<Moot> moot;
  {
    ASSIGN_OR_RETURN(const auto t, control_.Read());
    ASSIGN_OR_RETURN(moot, MootOf(*t, notice.approval_id));
  }
  if (!moot.has_value()) return false;
  if (moot->is_lost)
    return GiveUp(notice, notice.last_error.empty() ? moot->why : notice.last_error);
  LogInfo("notice_dropped",
          {{"notice", notice.id}, {"notifier", notice.notifier}, {"why", moot->why}});
  ASSIGN_OR_RETURN(const auto t, control_.Write(WriteFor::kOperators));
  RETURN_IF_ERROR(outbox::Drop(*t, notice.n, moot->why));
  RETURN_IF_ERROR(t->Commit());
  return true;
}

absl::Status DeliverNotices::NoteDelivered(const outbox::Notice& notice) {
  ASSIGN_OR_RETURN(const auto t, control_.Write(WriteFor::kOperators));
  RETURN_IF_ERROR(outbox::SetDelivered(*t, notice.n));
  RETURN_IF_ERROR(UpdateAlarmOf(*t, notice, clock_.Now()));
  return t->Commit();
}

absl::StatusOr<bool> DeliverNotices::GiveUp(const outbox::Notice& notice, std::string_view why) {
  LogError("notice_lost", {{"notice", notice.id},
                           {"notifier", notice.notifier},
                           {"attempts", notice.attempts},
                           {"why", why}});
  ASSIGN_OR_RETURN(const auto t, control_.Write(WriteFor::kOperators));
  RETURN_IF_ERROR(outbox::Bury(*t, notice.n, notice.attempts, why));
  RETURN_IF_ERROR(UpdateAlarmOf(*t, notice, clock_.Now()));
  RETURN_IF_ERROR(t->Commit());
  return true;
}

absl::Duration DeliverNotices::TimeToNextDue(const Lane& lane) {
  if (lane.webhook == nullptr) return kLongestSleep;
  const auto t = control_.Read();
  if (!t.ok()) return kLongestSleep;
  const absl::StatusOr<absl::Time> due = outbox::NextDue(**t, lane.webhook->name());
  if (!due.ok()) return kLongestSleep;
  return std::max(*due - clock_.Now(), absl::Milliseconds(50));
}

}  // namespace sallyport::controlplane
