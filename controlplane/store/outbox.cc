#include "controlplane/store/outbox.h"

#include "common/status_macros.h"

namespace sallyport::controlplane::outbox {

absl::Status Enqueue(WriteTransaction& t, const Notice& notice) {
  RETURN_IF_ERROR(t.Prepare("insert into outbox (id, notifier, body, created_at, next_attempt_at, "
                            "give_up_at, attempts, last_error)"
                            " values (?, ?, ?, ?, ?, ?, 0, '')")
                      .Text(notice.id)
                      .Text(notice.notifier)
                      .Text(notice.body)
                      .Time(notice.created_at)
                      .Time(notice.next_attempt_at)
                      .Time(notice.give_up_at)
                      .Run());
  t.Changed(ChangeKind::kOutbox, notice.id);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Notice>> Due(Transaction& t, absl::Time now, int limit) {
  Statement due = t.Prepare(
      "select n, id, notifier, body, created_at, next_attempt_at, give_up_at, attempts, last_error "
      "from outbox"
      " where next_attempt_at <= ? order by next_attempt_at, n limit ?");
  due.Time(now).Int(limit);
  std::vector<Notice> notices;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, due.Step());
    if (!row) return notices;
    notices.push_back({.n = due.integer(0),
                       .id = std::string(due.text(1)),
                       .notifier = std::string(due.text(2)),
                       .body = std::string(due.text(3)),
                       .created_at = due.time(4),
                       .next_attempt_at = due.time(5),
                       .give_up_at = due.time(6),
                       .attempts = static_cast<int>(due.integer(7)),
                       .last_error = std::string(due.text(8))});
  }
}

absl::StatusOr<absl::Time> NextDue(Transaction& t) {
  Statement next = t.Prepare("select min(next_attempt_at) from outbox");
  RETURN_IF_ERROR(next.Step().status());
  return next.is_null(0) ? absl::InfiniteFuture() : next.time(0);
}

absl::Status Remove(WriteTransaction& t, int64_t n) {
  return t.Prepare("delete from outbox where n = ?").Int(n).Run();
}

absl::Status Postpone(WriteTransaction& t, int64_t n, absl::Time next_attempt_at,
                      std::string_view error) {
  return t
      .Prepare(
          "update outbox set attempts = attempts + 1, next_attempt_at = ?, last_error = ? where n "
          "= ?")
      .Time(next_attempt_at)
      .Text(error)
      .Int(n)
      .Run();
}

}  // namespace sallyport::controlplane::outbox
