#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "common/clock.h"
#include "common/record_run.h"
#include "controlplane/model/caller.h"
#include "controlplane/store/database.h"
#include "controlplane/store/records.h"
#include "sallyport/agent/v1/recording_service.pb.h"

namespace sallyport::controlplane {

// Takes an agent's records into the store, once their chain has been checked. A block is some
// milliseconds' work for which nobody's call waits: as long as that goes well enough, and its agent
// is not far behind, it is done while nobody else wants the processor, and the thread is left to go
// on so (common/turns).
// Thread-safe.
class IngestRecords {
 public:
  // All of them outlive it.
  IngestRecords(Database& control, Database& recordings, records::Appender& appender,
                const Clock& clock);

  // One block: all of it is durable when this returns OK, and nothing of it otherwise. Blocks until
  // then. Records that are there already are passed over. An END record ends its session, if that
  // has not ended before, and settles its count of calls: an agent learns that its END is known
  // only after that, so however often either side restarts, no end is lost. kPermissionDenied for a
  // banned agent (LOCKED) and for a chain that is neither a session of this agent nor its own
  // denial chain (agent:NAME:SUFFIX); kInvalidArgument for a run that cannot be unpacked and a
  // record that is not whole or whose hash is wrong; kFailedPrecondition for a gap or a record
  // after the END; kDataLoss, with an alarm in the log and a line in the audit log, for a record
  // that is there with another hash. Where one recording is the cause, and for good, the error
  // names it (common/refused_recording.h): without it the rest may be taken.
  absl::Status Run(const Caller& caller, const agent::v1::StreamRecordsRequest& block);

 private:
  using Runs = std::vector<records::ReceivedRun>;

  absl::Status TakeInTurn(const std::string& agent, const agent::v1::StreamRecordsRequest& block,
                          Runs& runs);
  // Unpacks, checks and appends.
  absl::Status Take(const std::string& agent, const agent::v1::StreamRecordsRequest& block,
                    Runs& runs);
  absl::Status CheckRun(const std::string& agent, std::span<const RecordView> run);
  absl::Status CheckInService(const std::string& agent);
  absl::Status CheckOwner(const std::string& agent, std::string_view session_id);
  absl::Status CloseSession(const Caller& caller, const RecordView& end);
  void Alarm(const Caller& caller, const agent::v1::StreamRecordsRequest& block,
             const absl::Status& status);

  Database& control_;
  Database& recordings_;
  records::Appender& appender_;
  const Clock& clock_;
  const bool may_wait_;
  // By Clock::SinceBoot, in nanoseconds: until then records are taken like everything else.
  std::atomic<std::int64_t> ordinary_until_{0};
};

}  // namespace sallyport::controlplane
