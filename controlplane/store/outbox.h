#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controlplane/store/database.h"

// Notices that wait to be delivered to webhooks, in control.db. A notice is enqueued by the
// transaction that makes its approval, so that neither exists without the other; watchers of
// ChangeKind::kOutbox hear of it. Delivered at least once.
namespace sallyport::controlplane::outbox {

struct Notice {
  int64_t n = 0;         // set by the outbox; its key
  std::string id;        // what the receiver sees and can deduplicate by
  std::string notifier;  // the `name` of the configuration's entry
  std::string body;      // the exact bytes to sign and send
  absl::Time created_at;
  absl::Time next_attempt_at;  // not before then
  absl::Time give_up_at;       // not after then: nobody can act on it any more
  int attempts = 0;
  std::string last_error;
};

absl::Status Enqueue(WriteTransaction& t, const Notice& notice);

// Those whose next attempt is due, oldest first, at most `limit`.
absl::StatusOr<std::vector<Notice>> Due(Transaction& t, absl::Time now, int limit);

// When the next one becomes due; InfiniteFuture: nothing waits.
absl::StatusOr<absl::Time> NextDue(Transaction& t);

// It was delivered, or there is no use in trying again: it leaves the outbox.
absl::Status Remove(WriteTransaction& t, int64_t n);

// One attempt more; the next not before `next_attempt_at`.
absl::Status Postpone(WriteTransaction& t, int64_t n, absl::Time next_attempt_at,
                      std::string_view error);

}  // namespace sallyport::controlplane::outbox
