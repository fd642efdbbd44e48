#include "controlplane/store/sessions.h"

#include "common/json_printer.h"
#include "common/status_macros.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/store/approvals.h"

namespace sallyport::controlplane::sessions {
namespace {

// What SessionOf reads, in its order.
#define SESSION_COLUMNS                                                                       \
  "session, request_id, window_id, duration, call_budget, is_reported, revision, issuer_id, " \
  "policy_epoch, policy_version, signing_key"

absl::StatusOr<Session> SessionOf(const Statement& row) {
  Session::Stored stored;
  RETURN_IF_ERROR(row.Read(0, &stored.proto));
  stored.request_id = std::string(row.text(1));
  stored.window_id = std::string(row.text(2));
  stored.duration = absl::Microseconds(row.integer(3));
  stored.call_budget = static_cast<uint64_t>(row.integer(4));
  stored.is_reported = row.boolean(5);
  stored.revision = row.integer(6);
  stored.issuer_id = std::string(row.text(7));
  stored.policies = {static_cast<uint64_t>(row.integer(8)), static_cast<uint64_t>(row.integer(9))};
  stored.signing_key = std::string(row.text(10));
  return Session(std::move(stored));
}

absl::StatusOr<std::optional<Session>> One(Statement& find) {
  ASSIGN_OR_RETURN(const bool row, find.Step());
  if (!row) return std::nullopt;
  return SessionOf(find);
}

absl::StatusOr<std::vector<Session>> Every(Statement& list) {
  std::vector<Session> found;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, list.Step());
    if (!row) return found;
    ASSIGN_OR_RETURN(Session session, SessionOf(list));
    found.push_back(std::move(session));
  }
}

// The columns that change, in the order that Insert and Update name them.
void BindChanging(Statement& statement, const Session& session) {
  const Session::Stored& stored = session.stored();
  statement.Int(stored.proto.state()).Text(stored.proto.agent()).Time(session.expires_at());
  stored.window_id.empty() ? statement.Null() : statement.Text(stored.window_id);
  statement.Int(absl::ToInt64Microseconds(stored.duration))
      .Int(static_cast<int64_t>(stored.policies.epoch))
      .Int(static_cast<int64_t>(stored.policies.version))
      .Int(static_cast<int64_t>(stored.call_budget))
      .Int(static_cast<int64_t>(stored.proto.calls()))
      .Bool(stored.is_reported)
      .Text(stored.issuer_id)
      .Text(stored.signing_key)
      .Bool(session.is_unreviewed())
      .Bool(session.is_unnotified())
      .Proto(stored.proto)
      .Int(stored.revision + 1);
}

}  // namespace

absl::StatusOr<std::optional<Session>> Find(Transaction& t, std::string_view id) {
  Statement find = t.Prepare("select " SESSION_COLUMNS " from sessions where id = ?");
  find.Text(id);
  return One(find);
}

absl::StatusOr<std::optional<Session>> FindByRequest(Transaction& t,
                                                     const types::v1::Principal& principal,
                                                     std::string_view request_id) {
  Statement find = t.Prepare("select " SESSION_COLUMNS
                             " from sessions where realm = ? and kind = ? and subject = ? and "
                             "client_id = ? and request_id = ?");
  find.Text(principal.realm())
      .Int(principal.kind())
      .Text(principal.subject())
      .Text(principal.client_id())
      .Text(request_id);
  return One(find);
}

absl::StatusOr<std::vector<Session>> Live(Transaction& t, const types::v1::Principal& principal,
                                          std::string_view server) {
  Statement list = t.Prepare("select " SESSION_COLUMNS
                             " from sessions where state in (1, 2) and realm = ? and kind = ? and "
                             "subject = ? and client_id = ?"
                             " and server = ? order by created_at desc, id desc");
  list.Text(principal.realm())
      .Int(principal.kind())
      .Text(principal.subject())
      .Text(principal.client_id())
      .Text(server);
  return Every(list);
}

absl::StatusOr<std::vector<Session>> AllLive(Transaction& t) {
  Statement list = t.Prepare("select " SESSION_COLUMNS
                             " from sessions where state in (1, 2) order by created_at, id");
  return Every(list);
}

absl::StatusOr<bool> KnowsName(Transaction& t, std::string_view realm, std::string_view name) {
  Statement any = t.Prepare(
      "select 1 from sessions where realm = ?1 and (subject = ?2 or client_id = ?2) limit 1");
  any.Text(realm).Text(name);
  return any.Step();
}

absl::StatusOr<std::vector<types::v1::Principal>> PrincipalsNamed(Transaction& t,
                                                                  std::string_view realm,
                                                                  std::string_view name,
                                                                  std::size_t most) {
  std::vector<types::v1::Principal> found;
  const auto add = [&](const Statement& row) {
    types::v1::Principal& principal = found.emplace_back();
    principal.set_realm(std::string(realm));
    principal.set_kind(static_cast<types::v1::PrincipalKind>(row.integer(0)));
    principal.set_subject(std::string(row.text(1)));
  };
  Statement subjects = t.Prepare(
      "select column1, ?2 from (values (1), (2)) where exists (select 1 from sessions where "
      "realm = ?1 and kind = column1 and subject = ?2)");
  subjects.Text(realm).Text(name);
  while (found.size() < most) {
    ASSIGN_OR_RETURN(const bool row, subjects.Step());
    if (!row) break;
    add(subjects);
  }
  // From one principal to the next: each may have had any number of sessions.
  int64_t kind = 0;
  std::string subject;
  while (found.size() < most) {
    Statement next = t.Prepare(
        "select kind, subject from sessions where realm = ? and client_id = ? and (kind, subject) "
        "> (?, ?) order by kind, subject limit 1");
    next.Text(realm).Text(name).Int(kind).Text(subject);
    ASSIGN_OR_RETURN(const bool row, next.Step());
    if (!row) break;
    kind = next.integer(0);
    subject = std::string(next.text(1));
    if (subject != name) add(next);
  }
  return found;
}

absl::StatusOr<std::vector<Session>> LiveOfAgent(Transaction& t, std::string_view agent) {
  Statement list =
      t.Prepare("select " SESSION_COLUMNS
                " from sessions where state in (1, 2) and agent = ? order by created_at, id");
  list.Text(agent);
  return Every(list);
}

absl::StatusOr<std::vector<Session>> EndedUnheard(Transaction& t, std::string_view agent,
                                                  absl::Time now) {
  Statement list = t.Prepare(
      "select " SESSION_COLUMNS
      " from sessions where state = 3 and agent = ? and not is_reported and expires_at > ? "
      "order by created_at, id");
  list.Text(agent).Time(now);
  return Every(list);
}

absl::StatusOr<std::vector<Session>> PastEnd(Transaction& t, absl::Time now) {
  Statement list =
      t.Prepare("select " SESSION_COLUMNS
                " from sessions where state = 2 and expires_at < ? order by expires_at");
  list.Time(now);
  return Every(list);
}

absl::StatusOr<std::vector<Session>> List(Transaction& t, const Filter& filter, absl::Time before,
                                          std::string_view before_id, int limit) {
  Statement list = t.Prepare("select " SESSION_COLUMNS
                             " from sessions where (created_at, id) < (?, ?) and (?3 = 0 or state "
                             "= ?3) and (?4 = '' or server = ?4) and (?5 = 0 or is_unreviewed)"
                             " and (?6 = '' or (realm = ?6 and (subject = ?7 or client_id = ?7)))"
                             " order by created_at desc, id desc limit ?8");
  list.Time(before)
      .Text(before_id)
      .Int(filter.state)
      .Text(filter.server)
      .Bool(filter.unreviewed)
      .Text(filter.realm)
      .Text(filter.name)
      .Int(limit);
  return Every(list);
}

absl::StatusOr<int64_t> CountUnnotified(Transaction& t) {
  Statement count = t.Prepare("select count(*) from sessions where is_unnotified");
  RETURN_IF_ERROR(count.Step().status());
  return count.integer(0);
}

absl::Status Insert(WriteTransaction& t, const Session& session, const audit_log::Line& why) {
  const types::v1::Session& proto = session.proto();
  const types::v1::Principal& principal = proto.principal();
  Statement insert = t.Prepare(
      "insert into sessions (id, request_id, realm, kind, subject, client_id, server, created_at, "
      "state, agent, expires_at, window_id, duration, policy_epoch, policy_version, call_budget, "
      "calls, is_reported, issuer_id, signing_key, is_unreviewed, is_unnotified, session, "
      "revision) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  insert.Text(proto.id())
      .Text(session.stored().request_id)
      .Text(principal.realm())
      .Int(principal.kind())
      .Text(principal.subject())
      .Text(principal.client_id())
      .Text(proto.server())
      .Time(FromProto(proto.created_at()));
  BindChanging(insert, session);
  RETURN_IF_ERROR(insert.Run());
  t.Changed(ChangeKind::kSession, proto.id());
  return audit_log::Append(t, why);
}

absl::Status Update(WriteTransaction& t, const Session& session, const audit_log::Line& why) {
  Statement update = t.Prepare(
      "update sessions set state = ?, agent = ?, expires_at = ?, window_id = ?, duration = ?, "
      "policy_epoch = ?, policy_version = ?, call_budget = ?, calls = ?, is_reported = ?, "
      "issuer_id = ?, signing_key = ?, is_unreviewed = ?, is_unnotified = ?, session = ?, revision "
      "= ? where "
      "id = ? and revision = ?");
  BindChanging(update, session);
  update.Text(session.id()).Int(session.stored().revision);
  ASSIGN_OR_RETURN(const int64_t changed, update.RunCounted());
  if (changed != 1) return absl::AbortedError("session " + session.id() + " has changed meanwhile");
  t.Changed(ChangeKind::kSession, session.id());
  return audit_log::Append(t, why);
}

End Revoked(std::string detail) {
  if (detail.empty()) detail = "an administrator ended it";
  return {.reason = types::v1::END_REASON_REVOKED,
          .detail = std::move(detail),
          .action = "session.revoke"};
}

absl::Status EndLive(WriteTransaction& t, Session& session, const End& end, const Caller& caller,
                     absl::Time now) {
  RETURN_IF_ERROR(session.End(end.reason, end.detail, now));
  const std::string why = end.detail.empty() ? EnumWord(end.reason) : end.detail;
  RETURN_IF_ERROR(
      Update(t, session, audit_log::LineOf(caller, now, end.action, session.id(), why)));
  return WithdrawApprovals(t, session, "session " + session.id() + " has ended", caller, now);
}

absl::Status WithdrawApprovals(WriteTransaction& t, const Session& session, std::string_view why,
                               const Caller& caller, absl::Time now) {
  ASSIGN_OR_RETURN(std::vector<Approval> open, approvals::OpenOfSession(t, session.id()));
  for (Approval& approval : open) {
    RETURN_IF_ERROR(approval.Withdraw());
    RETURN_IF_ERROR(approvals::Update(t, approval));
    RETURN_IF_ERROR(audit_log::Append(
        t, audit_log::LineOf(caller, now, "approval.withdraw", approval.id(), std::string(why))));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Close(WriteTransaction& t, Session& session, const End& end, uint64_t calls,
                           const Caller& caller, absl::Time now) {
  const bool is_active = session.state() == types::v1::SESSION_STATE_ACTIVE;
  if (session.is_reported() || (!is_active && session.state() != types::v1::SESSION_STATE_ENDED))
    return false;
  RETURN_IF_ERROR(session.ReportCalls(calls));
  if (is_active) {
    RETURN_IF_ERROR(EndLive(t, session, end, caller, now));
  } else {
    RETURN_IF_ERROR(Update(
        t, session,
        audit_log::LineOf(caller, now, "session.report", session.id(), EnumWord(end.reason))));
  }
  return true;
}

absl::StatusOr<std::optional<Window>> OpenWindow(Transaction& t,
                                                 const types::v1::Principal& principal,
                                                 std::string_view server, absl::Time now) {
  Statement find = t.Prepare(
      "select id, starts_at, ends_at from windows where realm = ? and kind = ? and subject = ? and "
      "server = ? and ends_at > ?"
      " order by starts_at desc, rowid desc limit 1");
  find.Text(principal.realm())
      .Int(principal.kind())
      .Text(principal.subject())
      .Text(server)
      .Time(now);
  ASSIGN_OR_RETURN(const bool row, find.Step());
  if (!row) return std::nullopt;
  return Window{std::string(find.text(0)), find.time(1), find.time(2)};
}

absl::Status InsertWindow(WriteTransaction& t, const types::v1::Principal& principal,
                          std::string_view server, const Window& window) {
  return t
      .Prepare(
          "insert into windows (id, realm, kind, subject, server, starts_at, ends_at) values (?, "
          "?, ?, ?, ?, ?, ?)")
      .Text(window.id)
      .Text(principal.realm())
      .Int(principal.kind())
      .Text(principal.subject())
      .Text(server)
      .Time(window.starts_at)
      .Time(window.ends_at)
      .Run();
}

absl::StatusOr<WindowCalls> CallsUsed(Transaction& t, std::string_view window_id) {
  Statement sum = t.Prepare(
      "select coalesce(sum(case when is_reported then calls else max(calls, call_budget) end), 0),"
      " coalesce(sum(case when is_reported then calls else 0 end), 0),"
      " coalesce(max(case when is_reported then '' else id end), '') "
      "from sessions where window_id = ?");
  sum.Text(window_id);
  RETURN_IF_ERROR(sum.Step().status());
  return WindowCalls{.used = static_cast<uint64_t>(sum.integer(0)),
                     .reported = static_cast<uint64_t>(sum.integer(1)),
                     .unreported = std::string(sum.text(2))};
}

}  // namespace sallyport::controlplane::sessions
