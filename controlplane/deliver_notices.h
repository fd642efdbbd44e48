#pragma once

#include <atomic>
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

// Carries notices from the outbox to their webhooks, on a thread for each of them, so that nobody
// waits behind a receiver that does not answer: at least once, retried with growing, jittered waits
// until the receiver has taken it, has refused it for good, or nobody could act on it any more. A
// notice that is given up stays as a dead letter and is a log line of its own (`notice_lost`), for
// somebody should have been asked and was not; an approval of which nobody at all was told carries
// an alarm. One whose approval was decided before it arrived asks for nothing any more, and is
// dropped.
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
  // One webhook's notices, on its own thread.
  struct Lane {
    // nullptr: those of notifiers that are not configured.
    const Webhook* webhook;
    // Taken by their receiver, which could not be written down yet: on a full disk nobody is told
    // the same again and again.
    std::set<std::string> taken = {};
  };

  void Run(Lane lane);
  absl::StatusOr<std::vector<outbox::Notice>> DueIn(const Lane& lane);
  absl::Status DeliverDue(Lane& lane);
  // True: the receiver took it, or it was given up or dropped. An error is the store's.
  absl::StatusOr<bool> Deliver(Lane& lane, const outbox::Notice& notice);
  // What its approval asks for is settled: it is dropped, or given up where nobody was told in
  // time. False: it is not.
  absl::StatusOr<bool> LeaveIfMoot(const outbox::Notice& notice);
  absl::Status NoteDelivered(const outbox::Notice& notice);
  absl::StatusOr<bool> GiveUp(const outbox::Notice& notice, std::string_view why);
  absl::Duration TimeToNextDue(const Lane& lane);

  Database& control_;
  const Clock& clock_;
  const std::vector<std::unique_ptr<Webhook>> webhooks_;
  std::atomic<bool> stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace sallyport::controlplane
