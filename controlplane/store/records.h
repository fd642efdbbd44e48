#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/record_run.h"
#include "controlplane/model/session.h"
#include "controlplane/store/database.h"
#include "sallyport/types/v1/session.pb.h"

// Recordings, in recordings.db. Records are never changed or deleted (triggers see to it).
namespace sallyport::controlplane::records {

// The last record of a chain.
struct Head {
  uint64_t n = 0;    // 0: there is no record yet
  std::string hash;  // h_n; empty at 0
  types::v1::RecordType type = types::v1::RECORD_TYPE_UNSPECIFIED;
};

absl::StatusOr<Head> FindHead(Transaction& t, std::string_view session_id);

struct StoredRun {
  uint64_t first_n = 0;
  UnpackedRun run;
};

// The run that begins first behind record `after`. kDataLoss: it cannot be read any more.
absl::StatusOr<std::optional<StoredRun>> NextRun(Transaction& t, std::string_view session_id,
                                                 uint64_t after);

// The counted calls (tools/call, resources/read, prompts/get) among the records that are here.
absl::StatusOr<uint64_t> CountedCalls(Transaction& t, std::string_view session_id);

// The session as it is shown: with its counted calls so far, where its agent has not reported them
// yet.
absl::StatusOr<types::v1::Session> WithCalls(Transaction& t, const Session& session);

// The agent that a chain belongs to. nullopt: there is no such chain.
absl::StatusOr<std::optional<std::string>> AgentOf(Transaction& t, std::string_view session_id);

// One of an agent's own chains.
struct AgentChain {
  std::string id;
  absl::Time began_at;
  absl::Time last_received_at;
  uint64_t records = 0;
};

// Newest first: those that began before `before` (at the same instant: with a smaller id), at most
// `limit`. An infinite future starts.
absl::StatusOr<std::vector<AgentChain>> ChainsOfAgent(Transaction& t, std::string_view agent,
                                                      absl::Time before, std::string_view before_id,
                                                      int limit);

// A run as it came, and what is in it.
struct ReceivedRun {
  std::string_view packed;
  UnpackedRun run;
};

// Judges a record that is about to be added after `head` (the chain's, which grows with each record
// of the batch).
using Check = std::function<absl::Status(const Head& head, const RecordView& record)>;

// Takes batches of runs from any number of threads and commits those that wait together in one
// transaction (group commit).
class Appender {
 public:
  // `recordings` outlives it.
  explicit Appender(Database& recordings) : recordings_(recordings) {}
  Appender(const Appender&) = delete;
  Appender& operator=(const Appender&) = delete;

  // Blocks until the batch is durable; then OK. All of it is added or nothing. Records that are
  // there already with the same hash are passed over; `check` is called for each of the others,
  // inside the transaction, on some thread of those that append. kDataLoss: (session, n) is there
  // with another hash. kFailedPrecondition: n leaves a gap, or comes after END. kPermissionDenied:
  // the chain belongs to another agent. kResourceExhausted: its disk is below the floor, or full.
  // These but the last name the recording that is refused for good (common/refused_recording.h).
  // Otherwise what `check` or the disk said.
  absl::Status Append(std::string_view agent, std::span<const ReceivedRun> batch,
                      absl::Time received_at, const Check& check) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Waiter;
  void CommitGroup(std::span<Waiter* const> group);

  Database& recordings_;
  absl::Mutex mutex_;
  std::deque<Waiter*> queue_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sallyport::controlplane::records
