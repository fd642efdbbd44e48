#include "controlplane/store/outbox.h"

#include <utility>

#include "common/status_macros.h"

namespace sallyport::controlplane::outbox {
namespace {

// What NoticeOf reads, in its order.
#define NOTICE_COLUMNS                                                                         \
  "n, id, approval_id, notifier, type, body, state, created_at, next_attempt_at, give_up_at, " \
  "attempts, last_error, session_id"

Notice NoticeOf(const Statement& row) {
  return {.n = row.integer(0),
          .id = std::string(row.text(1)),
          .approval_id = std::string(row.text(2)),
          .session_id = std::string(row.text(12)),
          .notifier = std::string(row.text(3)),
          .type = std::string(row.text(4)),
          .body = std::string(row.text(5)),
          .state = static_cast<admin::v1::NoticeState>(row.integer(6)),
          .created_at = row.time(7),
          .next_attempt_at = row.time(8),
          .give_up_at = row.time(9),
          .attempts = static_cast<int>(row.integer(10)),
          .last_error = std::string(row.text(11))};
}

absl::StatusOr<std::vector<Notice>> Every(Statement& list) {
  std::vector<Notice> notices;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, list.Step());
    if (!row) return notices;
    notices.push_back(NoticeOf(list));
  }
}

}  // namespace

absl::Status Enqueue(WriteTransaction& t, const Notice& notice) {
  RETURN_IF_ERROR(
      t.Prepare("insert into outbox (id, approval_id, session_id, notifier, type, body, "
                "state, created_at, next_attempt_at, give_up_at, attempts, last_error)"
                " values (?, ?, ?, ?, ?, ?, 1, ?, ?, ?, 0, '')")
          .Text(notice.id)
          .Text(notice.approval_id)
          .Text(notice.session_id)
          .Text(notice.notifier)
          .Text(notice.type)
          .Text(notice.body)
          .Time(notice.created_at)
          .Time(notice.next_attempt_at)
          .Time(notice.give_up_at)
          .Run());
  t.Changed(ChangeKind::kOutbox, notice.id);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Notice>> Due(Transaction& t, absl::Time now, int limit,
                                        std::string_view notifier) {
  Statement due = t.Prepare("select " NOTICE_COLUMNS
                            " from outbox where state = 1 and next_attempt_at <= ?1"
                            " and (?2 = '' or notifier = ?2)"
                            " order by next_attempt_at, n limit ?3");
  due.Time(now).Text(notifier).Int(limit);
  return Every(due);
}

absl::StatusOr<absl::Time> NextDue(Transaction& t, std::string_view notifier) {
  Statement next = t.Prepare(
      "select min(next_attempt_at) from outbox where state = 1 and (?1 = '' or notifier = ?1)");
  next.Text(notifier);
  RETURN_IF_ERROR(next.Step().status());
  return next.is_null(0) ? absl::InfiniteFuture() : next.time(0);
}

absl::StatusOr<std::vector<std::string>> NotifiersDue(Transaction& t, absl::Time now) {
  Statement list =
      t.Prepare("select distinct notifier from outbox where state = 1 and next_attempt_at <= ?");
  list.Time(now);
  std::vector<std::string> notifiers;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, list.Step());
    if (!row) return notifiers;
    notifiers.emplace_back(list.text(0));
  }
}

absl::StatusOr<std::optional<Notice>> Find(Transaction& t, std::string_view id) {
  Statement find = t.Prepare("select " NOTICE_COLUMNS " from outbox where id = ?");
  find.Text(id);
  ASSIGN_OR_RETURN(const bool row, find.Step());
  if (!row) return std::nullopt;
  return NoticeOf(find);
}

absl::StatusOr<std::vector<Notice>> OfApproval(Transaction& t, std::string_view approval_id) {
  Statement list =
      t.Prepare("select " NOTICE_COLUMNS " from outbox where approval_id = ? order by n");
  list.Text(approval_id);
  return Every(list);
}

absl::StatusOr<std::vector<Notice>> OfSession(Transaction& t, std::string_view session_id) {
  Statement list =
      t.Prepare("select " NOTICE_COLUMNS " from outbox where session_id = ? order by n");
  list.Text(session_id);
  return Every(list);
}

absl::StatusOr<std::vector<Notice>> List(Transaction& t, admin::v1::NoticeState state,
                                         int64_t before, int limit) {
  Statement list = t.Prepare("select " NOTICE_COLUMNS
                             " from outbox where (?1 = 0 or state = ?1) and n < ?2"
                             " order by n desc limit ?3");
  list.Int(state).Int(before).Int(limit);
  return Every(list);
}

absl::StatusOr<int64_t> CountDead(Transaction& t) {
  Statement count = t.Prepare("select count(*) from outbox where state = 3");
  RETURN_IF_ERROR(count.Step().status());
  return count.integer(0);
}

absl::Status SetDelivered(WriteTransaction& t, int64_t n) {
  return t
      .Prepare(
          "update outbox set state = 2, body = '', last_error = '', attempts = attempts + 1 "
          "where n = ?")
      .Int(n)
      .Run();
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

absl::Status Bury(WriteTransaction& t, int64_t n, int attempts, std::string_view error) {
  return t.Prepare("update outbox set state = 3, attempts = ?, last_error = ? where n = ?")
      .Int(attempts)
      .Text(error)
      .Int(n)
      .Run();
}

absl::Status Drop(WriteTransaction& t, int64_t n, std::string_view why) {
  return t.Prepare("update outbox set state = 4, body = '', last_error = ? where n = ?")
      .Text(why)
      .Int(n)
      .Run();
}

absl::StatusOr<bool> Revive(WriteTransaction& t, std::string_view id, absl::Time now,
                            absl::Time give_up_at) {
  ASSIGN_OR_RETURN(const int64_t revived,
                   t.Prepare("update outbox set state = 1, next_attempt_at = ?, give_up_at = ? "
                             "where id = ? and state = 3")
                       .Time(now)
                       .Time(give_up_at)
                       .Text(id)
                       .RunCounted());
  if (revived == 0) return false;
  t.Changed(ChangeKind::kOutbox, std::string(id));
  return true;
}

// What is old enough to be forgotten.
#define OLD_NOTICES                            \
  " from outbox where state in (2, 3, 4) and " \
  "created_at < case state when 3 then ?2 else ?1 end"

absl::StatusOr<bool> HasOld(Transaction& t, absl::Time delivered, absl::Time dead) {
  Statement any = t.Prepare("select 1" OLD_NOTICES " limit 1");
  any.Time(delivered).Time(dead);
  return any.Step();
}

absl::Status Forget(WriteTransaction& t, absl::Time delivered, absl::Time dead) {
  return t.Prepare("delete" OLD_NOTICES).Time(delivered).Time(dead).Run();
}

}  // namespace sallyport::controlplane::outbox
