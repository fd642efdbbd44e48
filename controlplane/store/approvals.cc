#include "controlplane/store/approvals.h"

#include "common/status_macros.h"
#include "controlplane/model/approval_texts.h"
#include "controlplane/model/proto_time.h"

namespace sallyport::controlplane::approvals {
namespace {

// What ApprovalOf reads, in its order. The owners are read from their column alone: rows are older
// than their place in the message.
#define APPROVAL_COLUMNS "approval, agent, owners, call_id, revision, call_digest"

absl::StatusOr<Approval> ApprovalOf(const Statement& row) {
  Approval::Stored stored;
  RETURN_IF_ERROR(row.Read(0, &stored.proto));
  stored.agent = std::string(row.text(1));
  stored.proto.clear_owners();
  std::string_view owners = row.text(2);
  for (size_t end; (end = owners.find('\n')) != std::string_view::npos;
       owners.remove_prefix(end + 1)) {
    stored.proto.add_owners(std::string(owners.substr(0, end)));
  }
  stored.call_id = std::string(row.text(3));
  stored.revision = row.integer(4);
  stored.call_digest = std::string(row.text(5));
  return Approval(std::move(stored));
}

absl::StatusOr<std::optional<Approval>> One(Statement& find) {
  ASSIGN_OR_RETURN(const bool row, find.Step());
  if (!row) return std::nullopt;
  return ApprovalOf(find);
}

absl::StatusOr<std::vector<Approval>> Every(Statement& list) {
  std::vector<Approval> found;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, list.Step());
    if (!row) return found;
    ASSIGN_OR_RETURN(Approval approval, ApprovalOf(list));
    found.push_back(std::move(approval));
  }
}

// The last word of those who were asked.
absl::Time DecidedAt(const Approval& approval) {
  const auto& decisions = approval.proto().decisions();
  return decisions.empty() ? absl::InfinitePast() : FromProto(decisions.rbegin()->at());
}

absl::Status KeepTexts(WriteTransaction& t, const types::v1::Approval& approval) {
  const std::optional<types::v1::Approval> texts = LongTexts(approval);
  if (!texts.has_value()) return absl::OkStatus();
  const types::v1::Principal& principal = approval.principal();
  return t
      .Prepare(
          "insert or ignore into approval_texts (approval_id, realm, kind, subject, bytes, "
          "texts) values (?, ?, ?, ?, ?, ?)")
      .Text(approval.id())
      .Text(principal.realm())
      .Int(principal.kind())
      .Text(principal.subject())
      .Int(static_cast<int64_t>(texts->ByteSizeLong()))
      .Proto(*texts)
      .Run();
}

absl::Status DropTexts(WriteTransaction& t, std::string_view id) {
  return t.Prepare("delete from approval_texts where approval_id = ?").Text(id).Run();
}

}  // namespace

absl::StatusOr<std::optional<Approval>> Find(Transaction& t, std::string_view id) {
  Statement find = t.Prepare("select " APPROVAL_COLUMNS " from approvals where id = ?");
  find.Text(id);
  return One(find);
}

absl::StatusOr<std::optional<Approval>> FindWhole(Transaction& t, std::string_view id) {
  ASSIGN_OR_RETURN(std::optional<Approval> approval, Find(t, id));
  if (!approval.has_value()) return std::nullopt;
  Statement find = t.Prepare("select texts from approval_texts where approval_id = ?");
  find.Text(id);
  ASSIGN_OR_RETURN(const bool is_long, find.Step());
  if (!is_long) return approval;
  types::v1::Approval texts;
  RETURN_IF_ERROR(find.Read(0, &texts));
  Approval::Stored stored = approval->stored();
  stored.proto = WithTexts(std::move(stored.proto), texts);
  return Approval(std::move(stored));
}

absl::StatusOr<std::optional<Approval>> FindOpenCall(Transaction& t, std::string_view session_id,
                                                     std::string_view method,
                                                     std::string_view target,
                                                     std::string_view arguments_digest) {
  Statement find = t.Prepare(
      "select " APPROVAL_COLUMNS
      " from approvals where state in (1, 2) and session_id = ? and method = ? and target = ?"
      " and arguments_digest = ? order by created_at desc limit 1");
  find.Text(session_id).Text(method).Text(target).Text(arguments_digest);
  return One(find);
}

absl::StatusOr<std::vector<Approval>> DeniedCalls(Transaction& t, std::string_view call_digest,
                                                  absl::Time now) {
  if (call_digest.empty()) return std::vector<Approval>();
  Statement list = t.Prepare(
      "select " APPROVAL_COLUMNS
      " from approvals where state = 3 and call_digest <> '' and call_digest = ? and expires_at > ?"
      " order by created_at desc");
  list.Text(call_digest).Time(now);
  return Every(list);
}

absl::StatusOr<std::vector<Approval>> DeniedCallsOf(Transaction& t, std::string_view method,
                                                    std::string_view target, absl::Time now) {
  Statement list = t.Prepare("select " APPROVAL_COLUMNS
                             " from approvals where state = 3 and call_digest <> '' and method = ? "
                             "and target = ? and expires_at > ? order by created_at desc");
  list.Text(method).Text(target).Time(now);
  return Every(list);
}

absl::StatusOr<std::optional<Approval>> LastDecidedForSession(Transaction& t,
                                                              const types::v1::Principal& principal,
                                                              std::string_view server,
                                                              absl::Time now) {
  Statement list = t.Prepare(
      "select a.approval, a.agent, a.owners, a.call_id, a.revision, a.call_digest from approvals a "
      "join sessions "
      "s on s.id = a.session_id"
      " where a.method = '' and a.expires_at > ? and a.state in (2, 3, 6, 7) and s.realm = ? and "
      "s.kind = ? and s.subject = ? and s.client_id = ? and s.server = ?"
      " order by a.created_at, a.rowid");
  list.Time(now)
      .Text(principal.realm())
      .Int(principal.kind())
      .Text(principal.subject())
      .Text(principal.client_id())
      .Text(server);
  ASSIGN_OR_RETURN(std::vector<Approval> decided, Every(list));
  // Of two decided at once, the one that was asked last.
  std::optional<Approval> last;
  for (Approval& approval : decided)
    if (!last.has_value() || DecidedAt(approval) >= DecidedAt(*last)) last = std::move(approval);
  return last;
}

absl::StatusOr<Unanswered> UnansweredSince(Transaction& t, const types::v1::Principal& principal,
                                           std::string_view server, absl::Time since) {
  Statement count = t.Prepare(
      "select count(*), min(a.created_at) from approvals a join sessions s on s.id = a.session_id "
      "where a.created_at > ? and a.state in (1, 4, 5) and s.realm = ? and s.kind = ? and "
      "s.subject = ? and s.server = ?");
  count.Time(since)
      .Text(principal.realm())
      .Int(principal.kind())
      .Text(principal.subject())
      .Text(server);
  RETURN_IF_ERROR(count.Step().status());
  return Unanswered{count.integer(0), count.time(1)};
}

absl::StatusOr<std::vector<Approval>> OpenOfSession(Transaction& t, std::string_view session_id) {
  Statement list =
      t.Prepare("select " APPROVAL_COLUMNS
                " from approvals where state in (1, 2) and session_id = ? order by created_at");
  list.Text(session_id);
  return Every(list);
}

absl::StatusOr<std::vector<Approval>> OpenCallsOfAgent(Transaction& t, std::string_view agent) {
  Statement list = t.Prepare(
      "select " APPROVAL_COLUMNS
      " from approvals where state in (1, 2) and agent = ? and method <> '' order by created_at");
  list.Text(agent);
  return Every(list);
}

absl::StatusOr<std::vector<Approval>> PastEnd(Transaction& t, absl::Time now) {
  Statement list =
      t.Prepare("select " APPROVAL_COLUMNS
                " from approvals where state in (1, 2) and expires_at <= ? order by expires_at");
  list.Time(now);
  return Every(list);
}

absl::Status Walk(Transaction& t, bool all_states, absl::Time before, std::string_view before_id,
                  absl::FunctionRef<bool(const Approval&)> take) {
  Statement list = t.Prepare("select " APPROVAL_COLUMNS
                             " from approvals where (created_at, id) < (?, ?) and (?3 or state = 1)"
                             " order by created_at desc, id desc");
  list.Time(before).Text(before_id).Bool(all_states);
  while (true) {
    ASSIGN_OR_RETURN(const bool row, list.Step());
    if (!row) return absl::OkStatus();
    ASSIGN_OR_RETURN(const Approval approval, ApprovalOf(list));
    if (!take(approval)) return absl::OkStatus();
  }
}

absl::StatusOr<LongBytes> CountLongBytes(Transaction& t, const types::v1::Principal& principal) {
  Statement sum = t.Prepare(
      "select coalesce(sum(bytes) filter (where realm = ? and kind = ? and subject = ?), 0), "
      "coalesce(sum(bytes), 0) from approval_texts");
  sum.Text(principal.realm()).Int(principal.kind()).Text(principal.subject());
  RETURN_IF_ERROR(sum.Step().status());
  return LongBytes{.of_principal = sum.integer(0), .in_all = sum.integer(1)};
}

absl::StatusOr<int64_t> CountUnnotified(Transaction& t) {
  Statement count =
      t.Prepare("select count(*) from approvals where state = 1 and is_unnotified = 1");
  RETURN_IF_ERROR(count.Step().status());
  return count.integer(0);
}

absl::Status Insert(WriteTransaction& t, const Approval& approval) {
  const types::v1::Approval& proto = approval.proto();
  std::string owners;
  for (const std::string& owner : proto.owners()) owners.append(owner).append("\n");
  RETURN_IF_ERROR(t.Prepare("insert into approvals (id, session_id, agent, method, target, "
                            "arguments_digest, call_digest, state, created_at,"
                            " expires_at, owners, call_id, is_unnotified, approval, revision) "
                            "values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)")
                      .Text(proto.id())
                      .Text(proto.session_id())
                      .Text(approval.stored().agent)
                      .Text(proto.method())
                      .Text(proto.tool())
                      .Text(proto.arguments_digest())
                      .Text(approval.stored().call_digest)
                      .Int(proto.state())
                      .Time(FromProto(proto.created_at()))
                      .Time(approval.expires_at())
                      .Text(owners)
                      .Text(approval.stored().call_id)
                      .Bool(!proto.notice_alarm().empty())
                      .Proto(ShortForm(proto))
                      .Run());
  RETURN_IF_ERROR(KeepTexts(t, proto));
  t.Changed(ChangeKind::kApproval, proto.id());
  return absl::OkStatus();
}

absl::Status Update(WriteTransaction& t, const Approval& approval) {
  ASSIGN_OR_RETURN(const int64_t changed,
                   t.Prepare("update approvals set state = ?, call_id = ?, is_unnotified = ?, "
                             "approval = ?, revision = revision + 1 where id = ? and revision = ?")
                       .Int(approval.state())
                       .Text(approval.stored().call_id)
                       .Bool(!approval.proto().notice_alarm().empty())
                       .Proto(ShortForm(approval.proto()))
                       .Text(approval.id())
                       .Int(approval.stored().revision)
                       .RunCounted());
  if (changed != 1)
    return absl::AbortedError("approval " + approval.id() + " has changed meanwhile");
  // An open one from before there was a place for its texts gets it now.
  RETURN_IF_ERROR(approval.is_open() ? KeepTexts(t, approval.proto())
                                     : DropTexts(t, approval.id()));
  t.Changed(ChangeKind::kApproval, approval.id());
  return absl::OkStatus();
}

}  // namespace sallyport::controlplane::approvals
