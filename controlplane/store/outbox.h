#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controlplane/store/database.h"
#include "sallyport/admin/v1/notice_service.pb.h"

// Notices to webhooks, in control.db: those that wait, and for a while what became of the others. A
// notice is enqueued by the transaction that makes what it is about, so that neither exists without
// the other; watchers of ChangeKind::kOutbox hear of it. Delivered at least once.
namespace sallyport::controlplane::outbox {

struct Notice {
  int64_t n = 0;            // set by the outbox; its key
  std::string id;           // what the receiver sees and can deduplicate by
  std::string approval_id;  // what it is about; empty: no approval
  std::string session_id;   // the session that broke glass; empty: it is about an approval
  std::string notifier;     // the `name` of the configuration's entry
  std::string type;         // approval.pending, ...
  std::string body;         // the exact bytes to sign and send
  admin::v1::NoticeState state = admin::v1::NOTICE_STATE_WAITING;
  absl::Time created_at;
  absl::Time next_attempt_at;  // not before then
  absl::Time give_up_at;       // not after then: nobody can act on it any more
  int attempts = 0;
  std::string last_error;
};

absl::Status Enqueue(WriteTransaction& t, const Notice& notice);

// Those that wait and whose next attempt is due, oldest first, at most `limit`. Of one notifier;
// empty: of all.
absl::StatusOr<std::vector<Notice>> Due(Transaction& t, absl::Time now, int limit,
                                        std::string_view notifier = {});

// When the next one becomes due; InfiniteFuture: nothing waits. Of one notifier; empty: of all.
absl::StatusOr<absl::Time> NextDue(Transaction& t, std::string_view notifier = {});

// The notifiers of all that are due.
absl::StatusOr<std::vector<std::string>> NotifiersDue(Transaction& t, absl::Time now);

absl::StatusOr<std::optional<Notice>> Find(Transaction& t, std::string_view id);
absl::StatusOr<std::vector<Notice>> OfApproval(Transaction& t, std::string_view approval_id);
absl::StatusOr<std::vector<Notice>> OfSession(Transaction& t, std::string_view session_id);
// Newest first: those before `before`, of one state (UNSPECIFIED: of any), at most `limit`.
absl::StatusOr<std::vector<Notice>> List(Transaction& t, admin::v1::NoticeState state,
                                         int64_t before, int limit);
absl::StatusOr<int64_t> CountDead(Transaction& t);

// It was delivered: nothing of it is kept but that.
absl::Status SetDelivered(WriteTransaction& t, int64_t n);
// One attempt more; the next not before `next_attempt_at`.
absl::Status Postpone(WriteTransaction& t, int64_t n, absl::Time next_attempt_at,
                      std::string_view error);
// After so many attempts; nobody tries it again by himself.
absl::Status Bury(WriteTransaction& t, int64_t n, int attempts, std::string_view error);
// It was not sent, for a good reason: nothing of it is kept but that.
absl::Status Drop(WriteTransaction& t, int64_t n, std::string_view why);
// A dead one waits again, from now to `give_up_at`. False: it is not dead.
absl::StatusOr<bool> Revive(WriteTransaction& t, std::string_view id, absl::Time now,
                            absl::Time give_up_at);
// Whether Forget would find something.
absl::StatusOr<bool> HasOld(Transaction& t, absl::Time delivered, absl::Time dead);
// Forgets delivered and dropped ones made before `delivered`, and dead ones made before `dead`.
absl::Status Forget(WriteTransaction& t, absl::Time delivered, absl::Time dead);

}  // namespace sallyport::controlplane::outbox
