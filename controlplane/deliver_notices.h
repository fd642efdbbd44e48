#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "controlplane/notify/webhook.h"
#include "controlplane/store/database.h"
#include "controlplane/store/outbox.h"

namespace sallyport::controlplane {

// Carries notices from the outbox to their webhooks, on a thread of its own: at least once, retried
// with growing, jittered waits until the receiver has taken it, has refused it for good, or nobody
// could act on it any more. A notice that is given up stays as a dead letter and is a log line of
// its own (`notice_lost`), for somebody should have been asked and was not; an approval of which
// nobody at all was told carries an alarm. One whose approval was decided before it arrived asks
// for nothing any more, and is dropped.
class DeliverNotices {
 public:
  // `control` and `clock` outlive it.
  DeliverNotices(Database& control, const Clock& clock,
                 std::vector<std::unique_ptr<Webhook>> webhooks);
  // Stops; a notice that was under way is sent again after the next start.
  ~DeliverNotices();
  DeliverNotices(const DeliverNotices&) = delete;
  DeliverNotices& operator=(const DeliverNotices&) = delete;

 private:
  void Run();
  absl::Status DeliverDue();
  // True: the receiver took it, or it was given up or dropped. An error is the store's.
  absl::StatusOr<bool> Deliver(const outbox::Notice& notice);
  // What its approval asks for is settled: it is dropped, or given up where nobody was told in
  // time. False: it is not.
  absl::StatusOr<bool> LeaveIfMoot(const outbox::Notice& notice);
  absl::Status NoteDelivered(const outbox::Notice& notice);
  absl::StatusOr<bool> GiveUp(const outbox::Notice& notice, std::string_view why);
  absl::Duration TimeToNextDue();

  Database& control_;
  const Clock& clock_;
  std::map<std::string, std::unique_ptr<Webhook>> webhooks_;
  // Taken by their receivers, which could not be written down yet: on a full disk nobody is told
  // the same again and again.
  std::set<std::string> taken_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace sallyport::controlplane
