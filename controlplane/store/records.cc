#include "controlplane/store/records.h"

#include <map>
#include <memory>

#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::controlplane::records {
namespace {

// How many records one commit takes at most, so that the first of a long queue does not wait for
// the last.
constexpr size_t kGroupRecords = 1000;

absl::Status BeginChain(WriteTransaction& t, std::string_view session_id, std::string_view agent,
                        absl::Time now) {
  ASSIGN_OR_RETURN(const std::optional<std::string> owner, AgentOf(t, session_id));
  if (!owner.has_value()) {
    return t.Prepare("insert into chains (session_id, agent, began_at) values (?, ?, ?)")
        .Text(session_id)
        .Text(agent)
        .Time(now)
        .Run();
  }
  if (*owner == agent) return absl::OkStatus();
  return absl::PermissionDeniedError("the recording of " + std::string(session_id) +
                                     " belongs to another agent");
}

// OK: it is there, with the same hash.
absl::Status ExpectSame(WriteTransaction& t, const types::v1::Record& record) {
  Statement find = t.Prepare("select hash from records where session_id = ? and n = ?");
  find.Text(record.session_id()).Int(static_cast<int64_t>(record.n()));
  ASSIGN_OR_RETURN(const bool row, find.Step());
  if (row && find.blob(0) == record.hash()) return absl::OkStatus();
  return absl::DataLossError("record " + std::to_string(record.n()) + " of " + record.session_id() +
                             " is there already, with another content");
}

bool IsCall(const types::v1::Record& record) {
  if (record.type() != types::v1::RECORD_TYPE_REQUEST) return false;
  types::v1::RecordContent content;
  if (!content.ParseFromString(record.payload())) return false;
  const std::string& method = content.method();
  return method == "tools/call" || method == "resources/read" || method == "prompts/get";
}

absl::Status Insert(WriteTransaction& t, const types::v1::Record& record, absl::Time received_at) {
  return t
      .Prepare(
          "insert into records (session_id, n, type, time_unix_nanos, salt, payload, "
          "payload_digest, hash, received_at, is_call)"
          " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .Text(record.session_id())
      .Int(static_cast<int64_t>(record.n()))
      .Int(record.type())
      .Int(record.time_unix_nanos())
      .Blob(record.salt())
      .Blob(record.payload())
      .Blob(record.payload_digest())
      .Blob(record.hash())
      .Time(received_at)
      .Int(IsCall(record) ? 1 : 0)
      .Run();
}

absl::Status AppendOne(WriteTransaction& t, Head& head, const types::v1::Record& record,
                       absl::Time received_at, const Check& check) {
  if (record.n() == 0) return absl::InvalidArgumentError("records count from 1");
  if (record.n() <= head.n) return ExpectSame(t, record);
  if (record.n() != head.n + 1) {
    return absl::FailedPreconditionError("record " + std::to_string(record.n()) + " of " +
                                         record.session_id() + " leaves a gap after " +
                                         std::to_string(head.n));
  }
  if (head.type == types::v1::RECORD_TYPE_END) {
    return absl::FailedPreconditionError("the recording of " + record.session_id() + " has ended");
  }
  RETURN_IF_ERROR(check(head, record));
  RETURN_IF_ERROR(Insert(t, record, received_at));
  head = {record.n(), record.hash(), record.type()};
  return absl::OkStatus();
}

absl::Status AppendBatch(WriteTransaction& t, std::string_view agent,
                         std::span<const types::v1::Record* const> batch, absl::Time received_at,
                         const Check& check) {
  std::map<std::string, Head, std::less<>> heads;
  for (const types::v1::Record* record : batch) {
    auto found = heads.find(record->session_id());
    if (found == heads.end()) {
      RETURN_IF_ERROR(BeginChain(t, record->session_id(), agent, received_at));
      ASSIGN_OR_RETURN(Head head, FindHead(t, record->session_id()));
      found = heads.emplace(record->session_id(), std::move(head)).first;
    }
    RETURN_IF_ERROR(AppendOne(t, found->second, *record, received_at, check));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Head> FindHead(Transaction& t, std::string_view session_id) {
  Statement find =
      t.Prepare("select n, hash, type from records where session_id = ? order by n desc limit 1");
  find.Text(session_id);
  ASSIGN_OR_RETURN(const bool row, find.Step());
  if (!row) return Head{};
  return Head{static_cast<uint64_t>(find.integer(0)), std::string(find.blob(1)),
              static_cast<types::v1::RecordType>(find.integer(2))};
}

absl::StatusOr<std::vector<types::v1::Record>> List(Transaction& t, std::string_view session_id,
                                                    uint64_t after, int limit, size_t max_bytes) {
  Statement list = t.Prepare(
      "select n, type, time_unix_nanos, salt, payload, payload_digest, hash from records where "
      "session_id = ? and n > ?"
      " order by n limit ?");
  list.Text(session_id).Int(static_cast<int64_t>(after)).Int(limit);
  std::vector<types::v1::Record> found;
  size_t bytes = 0;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, list.Step());
    if (!row) return found;
    bytes += list.blob(4).size();
    if (!found.empty() && bytes > max_bytes) return found;
    types::v1::Record& record = found.emplace_back();
    record.set_session_id(std::string(session_id));
    record.set_n(static_cast<uint64_t>(list.integer(0)));
    record.set_type(static_cast<types::v1::RecordType>(list.integer(1)));
    record.set_time_unix_nanos(list.integer(2));
    record.set_salt(std::string(list.blob(3)));
    record.set_payload(std::string(list.blob(4)));
    record.set_payload_digest(std::string(list.blob(5)));
    record.set_hash(std::string(list.blob(6)));
  }
}

absl::StatusOr<uint64_t> CountedCalls(Transaction& t, std::string_view session_id) {
  Statement count = t.Prepare("select count(*) from records where session_id = ? and is_call = 1");
  count.Text(session_id);
  RETURN_IF_ERROR(count.Step().status());
  return static_cast<uint64_t>(count.integer(0));
}

absl::StatusOr<types::v1::Session> WithCalls(Transaction& t, const Session& session) {
  types::v1::Session proto = session.proto();
  if (session.is_reported() || !proto.has_opened_at()) return proto;
  ASSIGN_OR_RETURN(const uint64_t calls, CountedCalls(t, session.id()));
  proto.set_calls(calls);
  return proto;
}

absl::StatusOr<std::optional<std::string>> AgentOf(Transaction& t, std::string_view session_id) {
  Statement find = t.Prepare("select agent from chains where session_id = ?");
  find.Text(session_id);
  ASSIGN_OR_RETURN(const bool row, find.Step());
  if (!row) return std::nullopt;
  return std::string(find.text(0));
}

// One batch in the queue. The thread whose waiter stands first commits for as many as stand behind
// it.
struct Appender::Waiter {
  std::string_view agent;
  std::span<const types::v1::Record* const> batch;
  absl::Time received_at;
  const Check& check;
  absl::Status result;
  bool is_done = false;
  absl::CondVar moved_on;
};

absl::Status Appender::Append(std::string_view agent,
                              std::span<const types::v1::Record* const> batch,
                              absl::Time received_at, const Check& check) {
  Waiter waiter{agent, batch, received_at, check};
  std::vector<Waiter*> group;
  {
    absl::MutexLock lock(&mutex_);
    queue_.push_back(&waiter);
    while (!waiter.is_done && queue_.front() != &waiter) waiter.moved_on.Wait(&mutex_);
    if (waiter.is_done) return waiter.result;
    size_t records = 0;
    for (Waiter* next : queue_) {
      records += next->batch.size();
      if (!group.empty() && records > kGroupRecords) break;
      group.push_back(next);
    }
  }
  CommitGroup(group);
  absl::MutexLock lock(&mutex_);
  for (Waiter* done : group) {
    queue_.pop_front();
    done->is_done = true;
    if (done != &waiter) done->moved_on.Signal();
  }
  if (!queue_.empty()) queue_.front()->moved_on.Signal();
  return waiter.result;
}

void Appender::CommitGroup(std::span<Waiter* const> group) {
  const auto append_all = [&]() -> absl::Status {
    ASSIGN_OR_RETURN(const std::unique_ptr<WriteTransaction> t, recordings_.Write());
    for (Waiter* waiter : group) {
      // A batch that is refused takes no other with it.
      WriteTransaction::Savepoint part(*t);
      waiter->result =
          AppendBatch(*t, waiter->agent, waiter->batch, waiter->received_at, waiter->check);
      if (waiter->result.ok()) waiter->result = part.Release();
      // A full disk does take the others with it.
      if (t->is_rolled_back()) return waiter->result;
    }
    return t->Commit();
  };
  if (const absl::Status committed = append_all(); !committed.ok()) {
    for (Waiter* waiter : group) {
      if (waiter->result.ok()) waiter->result = committed;
    }
  }
}

}  // namespace sallyport::controlplane::records
