#include "controlplane/store/calls.h"

#include <utility>

#include "common/status_macros.h"
#include "controlplane/model/proto_time.h"

namespace sallyport::controlplane::calls {
namespace {

// What FoundOf reads, in its order, of `calls c join sessions s`; ?1 is the time that counts.
#define CALL_COLUMNS \
  "c.call, c.digest, c.revision, s.state in (3, 4) or (s.state = 2 and s.expires_at <= ?1)"
#define OF_CALLS " from calls c join sessions s on s.id = c.session_id"
// As ReservedCall::IsInDoubt.
#define IN_DOUBT                                                             \
  "(c.state = 4 or (c.state = 1 and (s.state in (3, 4) or (s.state = 2 and " \
  "s.expires_at <= ?1))))"

absl::StatusOr<Found> FoundOf(const Statement& row) {
  ReservedCall::Stored stored;
  RETURN_IF_ERROR(row.Read(0, &stored.proto));
  stored.digest = std::string(row.text(1));
  stored.revision = row.integer(2);
  return Found{ReservedCall(std::move(stored)), row.boolean(3)};
}

absl::StatusOr<std::vector<Found>> Every(Statement& list) {
  std::vector<Found> found;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, list.Step());
    if (!row) return found;
    ASSIGN_OR_RETURN(Found one, FoundOf(list));
    found.push_back(std::move(one));
  }
}

absl::StatusOr<std::vector<ReservedCall>> Calls(Statement& list) {
  ASSIGN_OR_RETURN(std::vector<Found> found, Every(list));
  std::vector<ReservedCall> calls;
  for (Found& one : found) calls.push_back(std::move(one.call));
  return calls;
}

}  // namespace

absl::StatusOr<std::optional<Found>> Find(Transaction& t, std::string_view session_id,
                                          std::string_view call_id, absl::Time now) {
  Statement find =
      t.Prepare("select " CALL_COLUMNS OF_CALLS " where c.session_id = ?2 and c.call_id = ?3");
  find.Time(now).Text(session_id).Text(call_id);
  ASSIGN_OR_RETURN(const bool row, find.Step());
  if (!row) return std::nullopt;
  return FoundOf(find);
}

absl::StatusOr<std::vector<ReservedCall>> IdenticalInDoubt(Transaction& t, std::string_view server,
                                                           std::string_view digest, absl::Time now,
                                                           int limit) {
  Statement list = t.Prepare(
      "select " CALL_COLUMNS OF_CALLS " where c.server = ?2 and c.digest = ?3 and " IN_DOUBT
      " and not exists (select 1 from repeated_calls r join calls d on d.session_id = "
      "r.by_session_id and d.call_id = r.by_call_id where r.session_id = c.session_id and "
      "r.call_id = c.call_id and d.state = 3) order by c.reserved_at, c.rowid limit ?4");
  list.Time(now).Text(server).Text(digest).Int(limit);
  return Calls(list);
}

absl::StatusOr<std::vector<ReservedCall>> IdenticalElsewhere(
    Transaction& t, std::string_view server, std::string_view digest, std::string_view agent,
    absl::FunctionRef<bool(std::string_view agent)> is_wanted, absl::Time now, size_t limit) {
  Statement list = t.Prepare("select " CALL_COLUMNS ", s.agent" OF_CALLS
                             " where c.server = ?2 and c.digest = ?3 and c.state = 1 and "
                             "s.state = 2 and s.expires_at > ?1 and s.agent <> ?4 "
                             "order by c.reserved_at, c.rowid");
  list.Time(now).Text(server).Text(digest).Text(agent);
  std::vector<ReservedCall> found;
  while (found.size() < limit) {
    ASSIGN_OR_RETURN(const bool row, list.Step());
    if (!row) break;
    if (!is_wanted(list.text(4))) continue;
    ASSIGN_OR_RETURN(Found one, FoundOf(list));
    found.push_back(std::move(one.call));
  }
  return found;
}

absl::StatusOr<std::vector<ReservedCall>> InDoubtOfSession(Transaction& t,
                                                           std::string_view session_id,
                                                           absl::Time now) {
  Statement list =
      t.Prepare("select " CALL_COLUMNS OF_CALLS " where c.session_id = ?2 and " IN_DOUBT
                " order by c.reserved_at, c.rowid");
  list.Time(now).Text(session_id);
  return Calls(list);
}

absl::StatusOr<std::vector<ReservedCall>> ResolvedOfSession(Transaction& t,
                                                            std::string_view session_id,
                                                            absl::Time now) {
  Statement list = t.Prepare("select " CALL_COLUMNS OF_CALLS
                             " where c.session_id = ?2 and c.state in (2, 3)"
                             " order by c.reserved_at, c.rowid");
  list.Time(now).Text(session_id);
  ASSIGN_OR_RETURN(std::vector<ReservedCall> settled, Calls(list));
  std::erase_if(settled,
                [](const ReservedCall& call) { return call.proto().resolved_by().empty(); });
  return settled;
}

absl::StatusOr<std::vector<Found>> HoldersOf(Transaction& t, std::string_view server,
                                             std::string_view once_digest, absl::Time since,
                                             absl::Time now) {
  Statement list = t.Prepare(
      "select " CALL_COLUMNS OF_CALLS
      " join once_effects o on o.session_id = c.session_id and o.call_id = c.call_id where "
      "o.server = ?2 and o.digest = ?3 and c.state <> 2 and c.reserved_at > ?4 order by "
      "c.reserved_at desc, c.rowid desc");
  list.Time(now).Text(server).Text(once_digest).Int(absl::ToUnixMicros(since));
  return Every(list);
}

absl::StatusOr<std::vector<Touched>> TouchedBy(Transaction& t,
                                               const types::v1::Principal& principal,
                                               std::string_view server, std::string_view counted,
                                               absl::Time since) {
  Statement list = t.Prepare(
      "select c.target, sum(n.objects) from object_counts n join calls c on c.session_id = "
      "n.session_id and c.call_id = n.call_id where n.realm = ? and n.kind = ? and n.subject = ? "
      "and n.server = ? and n.counted = ? and n.reserved_at > ? and c.state <> 2 group by "
      "c.target");
  list.Text(principal.realm())
      .Int(principal.kind())
      .Text(principal.subject())
      .Text(server)
      .Text(counted)
      .Time(since);
  std::vector<Touched> touched;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, list.Step());
    if (!row) return touched;
    touched.push_back({std::string(list.text(0)), static_cast<uint64_t>(list.integer(1))});
  }
}

absl::StatusOr<Frequency> FrequencyOf(Transaction& t, const types::v1::Principal& principal,
                                      std::string_view server, std::string_view method,
                                      std::string_view target) {
  Statement count = t.Prepare(
      "select count(*), max(reserved_at) from calls where realm = ? and kind = ? and subject = ? "
      "and server = ? and method = ? and target = ? and state <> 2");
  count.Text(principal.realm())
      .Int(principal.kind())
      .Text(principal.subject())
      .Text(server)
      .Text(method)
      .Text(target);
  RETURN_IF_ERROR(count.Step().status());
  return Frequency{static_cast<uint64_t>(count.integer(0)), count.time(1)};
}

absl::Status Insert(WriteTransaction& t, const ReservedCall& call, const Holdings& holdings) {
  const types::v1::Call& proto = call.proto();
  const types::v1::Principal& principal = proto.principal();
  RETURN_IF_ERROR(t.Prepare("insert into calls (session_id, call_id, server, realm, kind, subject, "
                            "method, target, digest, state, reserved_at, holds_for_good, call, "
                            "revision) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)")
                      .Text(proto.session_id())
                      .Text(proto.call_id())
                      .Text(proto.server())
                      .Text(principal.realm())
                      .Int(principal.kind())
                      .Text(principal.subject())
                      .Text(proto.method())
                      .Text(proto.target())
                      .Text(call.stored().digest)
                      .Int(proto.state())
                      .Time(call.reserved_at())
                      .Bool(holdings.holds_for_good)
                      .Proto(proto)
                      .Run());
  for (const std::string& digest : holdings.once_digests) {
    RETURN_IF_ERROR(t.Prepare("insert into once_effects (session_id, call_id, server, digest) "
                              "values (?, ?, ?, ?)")
                        .Text(proto.session_id())
                        .Text(proto.call_id())
                        .Text(proto.server())
                        .Text(digest)
                        .Run());
  }
  for (const auto& [counted, objects] : holdings.objects) {
    RETURN_IF_ERROR(t.Prepare("insert into object_counts (session_id, call_id, realm, kind, "
                              "subject, server, counted, objects, reserved_at) values (?, ?, ?, "
                              "?, ?, ?, ?, ?, ?)")
                        .Text(proto.session_id())
                        .Text(proto.call_id())
                        .Text(principal.realm())
                        .Int(principal.kind())
                        .Text(principal.subject())
                        .Text(proto.server())
                        .Text(counted)
                        .Int(static_cast<int64_t>(objects))
                        .Time(call.reserved_at())
                        .Run());
  }
  return absl::OkStatus();
}

absl::Status InsertRepetition(WriteTransaction& t, const ReservedCall& call,
                              const std::vector<ReservedCall>& repeated) {
  for (const ReservedCall& one : repeated) {
    RETURN_IF_ERROR(t.Prepare("insert into repeated_calls (session_id, call_id, by_session_id, "
                              "by_call_id) values (?, ?, ?, ?)")
                        .Text(one.session_id())
                        .Text(one.call_id())
                        .Text(call.session_id())
                        .Text(call.call_id())
                        .Run());
  }
  return absl::OkStatus();
}

absl::Status Update(WriteTransaction& t, const ReservedCall& call) {
  ASSIGN_OR_RETURN(const int64_t changed,
                   t.Prepare("update calls set state = ?, call = ?, revision = revision + 1 where "
                             "session_id = ? and call_id = ? and revision = ?")
                       .Int(call.state())
                       .Proto(call.proto())
                       .Text(call.session_id())
                       .Text(call.call_id())
                       .Int(call.stored().revision)
                       .RunCounted());
  if (changed != 1) return absl::AbortedError("call " + NameOf(call) + " has changed meanwhile");
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Key>> Forgettable(Transaction& t, absl::Time before, int limit) {
  Statement list = t.Prepare(
      "select c.session_id, c.call_id" OF_CALLS
      " where (c.state = 2 or (c.state = 3 and not c.holds_for_good)) and c.reserved_at < ? and "
      "s.state in (3, 4) and (c.state = 2 or not exists (select 1 from repeated_calls r join calls "
      "d on d.session_id = r.session_id and d.call_id = r.call_id where r.by_session_id = "
      "c.session_id and r.by_call_id = c.call_id and d.state in (1, 4))) order by c.reserved_at "
      "limit ?");
  list.Time(before).Int(limit);
  std::vector<Key> found;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, list.Step());
    if (!row) return found;
    found.push_back({std::string(list.text(0)), std::string(list.text(1))});
  }
}

absl::Status Forget(WriteTransaction& t, const std::vector<Key>& calls) {
  for (const Key& key : calls) {
    for (const char* remove :
         {"delete from once_effects where session_id = ? and call_id = ?",
          "delete from object_counts where session_id = ? and call_id = ?",
          "delete from repeated_calls where session_id = ? and call_id = ?",
          "delete from repeated_calls where by_session_id = ? and by_call_id = ?",
          "delete from calls where session_id = ? and call_id = ? and state in (2, 3)"}) {
      RETURN_IF_ERROR(t.Prepare(remove).Text(key.session_id).Text(key.call_id).Run());
    }
  }
  return absl::OkStatus();
}

}  // namespace sallyport::controlplane::calls
