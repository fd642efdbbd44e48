#include "controlplane/store/records.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "common/record_run.h"
#include "common/refused_recording.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"

namespace sallyport::controlplane::records {
namespace {

// How many records one commit takes at most, so that the first of a long queue does not wait for
// the last.
constexpr size_t kGroupRecords = 1000;

// A stored run that cannot be unpacked any more is lost.
absl::StatusOr<UnpackedRun> Unpack(std::string_view packed, std::string_view session_id) {
  std::size_t room = kMaxRunBytes;
  absl::StatusOr<UnpackedRun> run = UnpackedRun::Of(packed, room);
  if (run.ok()) return run;
  return absl::DataLossError("stored records of " + std::string(session_id) + " cannot be read");
}

// Whether a serialized RecordContent has that bool set. Only that field is looked at: parsing it
// all would copy the body of every message that is recorded.
bool Says(std::string_view content, int field) {
  using google::protobuf::internal::WireFormatLite;
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const uint8_t*>(content.data()),
                                            static_cast<int>(content.size()));
  const uint32_t wanted = WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_VARINT);
  bool is_set = false;
  while (const uint32_t tag = in.ReadTag()) {
    uint64_t value = 0;
    if (tag == wanted && in.ReadVarint64(&value)) {
      is_set = value != 0;
    } else if (tag == wanted || !WireFormatLite::SkipField(&in, tag)) {
      return false;
    }
  }
  return is_set;
}

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
  return RefuseRecording(absl::PermissionDeniedError("the recording of " + std::string(session_id) +
                                                     " belongs to another agent"),
                         session_id);
}

// What it adds to the counted calls of its session.
int64_t CountOf(const RecordView& record) {
  using C = types::v1::RecordContent;
  if (record.type == types::v1::RECORD_TYPE_REQUEST) {
    return Says(record.payload, C::kIsCountedFieldNumber) ? 1 : 0;
  }
  const bool is_taken_back = record.type == types::v1::RECORD_TYPE_OUTCOME &&
                             Says(record.payload, C::kIsTakenBackFieldNumber);
  return is_taken_back ? -1 : 0;
}

// What is stored of one chain, a run at a time, for records that are sent again.
class StoredRecords {
 public:
  StoredRecords(WriteTransaction& t, std::string_view session_id)
      : t_(t), session_id_(session_id) {}

  // OK: it is there, with the same hash.
  absl::Status ExpectSame(const RecordView& record) {
    RETURN_IF_ERROR(ReadRunOf(record.n));
    if (const RecordView* stored = Find(record.n); stored != nullptr && stored->hash == record.hash)
      return absl::OkStatus();
    return RefuseRecording(
        absl::DataLossError("record " + std::to_string(record.n) + " of " +
                            std::string(session_id_) + " is there already, with another content"),
        session_id_);
  }

 private:
  const RecordView* Find(uint64_t n) const {
    if (!run_.has_value() || run_->records().empty()) return nullptr;
    const uint64_t index = n - run_->records().front().n;
    return index < run_->records().size() ? &run_->records()[index] : nullptr;
  }

  absl::Status ReadRunOf(uint64_t n) {
    if (Find(n) != nullptr) return absl::OkStatus();
    run_.reset();
    Statement find = t_.Prepare(
        "select records from runs where session_id = ? and first_n <= ? order by first_n desc "
        "limit 1");
    find.Text(session_id_).Int(static_cast<int64_t>(n));
    ASSIGN_OR_RETURN(const bool row, find.Step());
    if (!row) return absl::OkStatus();
    absl::StatusOr<UnpackedRun> run = Unpack(find.blob(0), session_id_);
    if (!run.ok()) return RefuseRecording(run.status(), session_id_);
    run_ = *std::move(run);
    return absl::OkStatus();
  }

  WriteTransaction& t_;
  const std::string_view session_id_;
  std::optional<UnpackedRun> run_;
};

// Of a run's record by itself.
absl::Status CheckPlace(std::span<const RecordView> run, size_t index) {
  const RecordView& first = run.front();
  const RecordView& record = run[index];
  if (first.n == 0) return absl::InvalidArgumentError("records count from 1");
  if (record.session_id == first.session_id && record.n == first.n + index) return absl::OkStatus();
  return absl::InvalidArgumentError("record " + std::to_string(record.n) + " of " +
                                    std::string(record.session_id) +
                                    " does not belong into its run");
}

absl::Status CheckFollows(const Head& head, const RecordView& record) {
  const std::string session_id(record.session_id);
  if (record.n != head.n + 1) {
    return RefuseRecording(
        absl::FailedPreconditionError("record " + std::to_string(record.n) + " of " + session_id +
                                      " leaves a gap after " + std::to_string(head.n)),
        session_id);
  }
  if (head.type == types::v1::RECORD_TYPE_END) {
    return RefuseRecording(
        absl::FailedPreconditionError("the recording of " + session_id + " has ended"), session_id);
  }
  return absl::OkStatus();
}

absl::Status Insert(WriteTransaction& t, std::string_view session_id, uint64_t first_n,
                    const Head& head, int64_t calls, absl::Time received_at,
                    std::string_view packed) {
  return t
      .Prepare(
          "insert into runs (session_id, first_n, last_n, last_type, last_hash, calls, "
          "received_at, records)"
          " values (?, ?, ?, ?, ?, ?, ?, ?)")
      .Text(session_id)
      .Int(static_cast<int64_t>(first_n))
      .Int(static_cast<int64_t>(head.n))
      .Int(head.type)
      .Blob(head.hash)
      .Int(calls)
      .Time(received_at)
      .Blob(packed)
      .Run();
}

// What of a run is new, packed again: its first records are here already.
std::string PackNew(std::span<const RecordView> run, uint64_t first_n) {
  std::string rest;
  for (const RecordView& record : run) {
    if (record.n >= first_n) AppendRecord(rest, record.bytes);
  }
  return RunPacker().Pack(rest);
}

absl::Status AppendRun(WriteTransaction& t, std::string_view agent, const ReceivedRun& received,
                       absl::Time received_at, const Check& check) {
  const std::span<const RecordView> run = received.run.records();
  if (run.empty()) return absl::OkStatus();
  const std::string_view session_id = run.front().session_id;
  RETURN_IF_ERROR(BeginChain(t, session_id, agent, received_at));
  ASSIGN_OR_RETURN(Head head, FindHead(t, session_id));
  const uint64_t stored = head.n;
  StoredRecords there(t, session_id);
  int64_t calls = 0;
  for (size_t i = 0; i < run.size(); ++i) {
    const RecordView& record = run[i];
    RETURN_IF_ERROR(CheckPlace(run, i));
    if (record.n <= stored) {
      RETURN_IF_ERROR(there.ExpectSame(record));
      continue;
    }
    RETURN_IF_ERROR(CheckFollows(head, record));
    RETURN_IF_ERROR(check(head, record));
    head.n = record.n;
    head.hash = record.hash;
    head.type = record.type;
    calls += CountOf(record);
  }
  if (head.n == stored) return absl::OkStatus();
  const bool is_new = run.front().n == stored + 1;
  const std::string rest = is_new ? std::string() : PackNew(run, stored + 1);
  return Insert(t, session_id, stored + 1, head, calls, received_at,
                is_new ? received.packed : rest);
}

absl::Status AppendBatch(WriteTransaction& t, std::string_view agent,
                         std::span<const ReceivedRun> batch, absl::Time received_at,
                         const Check& check) {
  for (const ReceivedRun& run : batch) {
    RETURN_IF_ERROR(AppendRun(t, agent, run, received_at, check));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Head> FindHead(Transaction& t, std::string_view session_id) {
  Statement find = t.Prepare(
      "select last_n, last_hash, last_type from runs where session_id = ? order by first_n desc "
      "limit 1");
  find.Text(session_id);
  ASSIGN_OR_RETURN(const bool row, find.Step());
  if (!row) return Head{};
  return Head{static_cast<uint64_t>(find.integer(0)), std::string(find.blob(1)),
              static_cast<types::v1::RecordType>(find.integer(2))};
}

absl::StatusOr<std::optional<StoredRun>> NextRun(Transaction& t, std::string_view session_id,
                                                 uint64_t after) {
  Statement find = t.Prepare(
      "select first_n, records from runs where session_id = ? and first_n > ? order by first_n "
      "limit 1");
  find.Text(session_id).Int(static_cast<int64_t>(after));
  ASSIGN_OR_RETURN(const bool row, find.Step());
  if (!row) return std::nullopt;
  ASSIGN_OR_RETURN(UnpackedRun run, Unpack(find.blob(1), session_id));
  return StoredRun{.first_n = static_cast<uint64_t>(find.integer(0)), .run = std::move(run)};
}

absl::StatusOr<uint64_t> CountedCalls(Transaction& t, std::string_view session_id) {
  Statement count = t.Prepare("select sum(calls) from runs where session_id = ?");
  count.Text(session_id);
  RETURN_IF_ERROR(count.Step().status());
  return static_cast<uint64_t>(std::max<int64_t>(0, count.integer(0)));
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

absl::StatusOr<std::vector<AgentChain>> ChainsOfAgent(Transaction& t, std::string_view agent,
                                                      absl::Time before, std::string_view before_id,
                                                      int limit) {
  // All that begins with the agent's own prefix, which ends with a colon.
  const std::string prefix = "agent:" + std::string(agent);
  Statement list = t.Prepare(
      "select session_id, began_at, max(received_at), max(last_n) "
      "from chains join runs using (session_id) "
      "where session_id > ? || ':' and session_id < ? || ';' and (began_at, session_id) < (?, ?) "
      "group by session_id order by began_at desc, session_id desc limit ?");
  list.Text(prefix).Text(prefix).Time(before).Text(before_id).Int(limit);
  std::vector<AgentChain> chains;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, list.Step());
    if (!row) return chains;
    chains.push_back({.id = std::string(list.text(0)),
                      .began_at = list.time(1),
                      .last_received_at = list.time(2),
                      .records = static_cast<uint64_t>(list.integer(3))});
  }
}

// One batch in the queue. The thread whose waiter stands first commits for as many as stand behind
// it.
struct Appender::Waiter {
  std::string_view agent;
  std::span<const ReceivedRun> batch;
  absl::Time received_at;
  const Check& check;
  absl::Status result;
  bool is_done = false;
  absl::CondVar moved_on;
};

absl::Status Appender::Append(std::string_view agent, std::span<const ReceivedRun> batch,
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
      for (const ReceivedRun& run : next->batch) {
        records += run.run.records().size();
      }
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
    // Before the work: below the floor all of it would be for nothing.
    RETURN_IF_ERROR(recordings_.CheckFloor());
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
