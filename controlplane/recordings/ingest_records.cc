#include "controlplane/recordings/ingest_records.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "common/chain/chain.h"
#include "common/denial.h"
#include "common/json_printer.h"
#include "common/log.h"
#include "common/record_run.h"
#include "common/refused_recording.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "common/turns.h"
#include "controlplane/recordings/recording.h"
#include "controlplane/store/agents.h"
#include "controlplane/store/audit_log.h"
#include "controlplane/store/sessions.h"

namespace sallyport::controlplane {
namespace {

constexpr std::size_t kSaltBytes = 16;

// An agent with so much that has not been taken yet waits for nobody's turn: four blocks and what
// was made while they travelled.
constexpr std::uint64_t kBehindBytes = std::uint64_t{8} << 20;
// How long a block may take that gets the processor last, and for how long the next ones do not
// once one has taken longer.
constexpr absl::Duration kPatience = absl::Seconds(1);
constexpr absl::Duration kOrdinaryFor = absl::Seconds(1);

std::string Name(const RecordView& record) {
  return "record " + std::to_string(record.n) + " of " + std::string(record.session_id) + ": ";
}

absl::Status Bad(const RecordView& record, const std::string& what) {
  return RefuseRecording(absl::InvalidArgumentError(Name(record) + what), record.session_id);
}

// What can be judged of a record by itself; hashing its payload is the costly part, and stays out
// of the transaction.
absl::Status CheckAlone(const RecordView& record) {
  if (record.type == types::v1::RECORD_TYPE_UNSPECIFIED ||
      !types::v1::RecordType_IsValid(record.type)) {
    // For a newer control plane it may have one.
    return absl::InvalidArgumentError(Name(record) + "has no known type");
  }
  if (record.salt.size() != kSaltBytes) return Bad(record, "its salt is not 16 bytes");
  const chain::Digest digest = chain::PayloadDigest(record.salt, record.payload);
  if (record.payload_digest != chain::View(digest)) {
    return Bad(record, "its digest is not that of its payload");
  }
  return absl::OkStatus();
}

absl::Status CheckFollows(const records::Head& head, const RecordView& record) {
  const auto previous =
      head.n == 0 ? chain::FirstHash(record.session_id) : chain::DigestFrom(head.hash);
  const auto digest = chain::DigestFrom(record.payload_digest);
  if (!previous.has_value() || !digest.has_value()) return Bad(record, "its chain is broken");
  const chain::Digest hash = chain::LinkHash(record.session_id, *previous,
                                             {.n = record.n,
                                              .type = static_cast<std::uint32_t>(record.type),
                                              .time_unix_nanos = record.time_unix_nanos,
                                              .payload_length = record.payload.size(),
                                              .payload_digest = *digest});
  if (record.hash == chain::View(hash)) return absl::OkStatus();
  return Bad(record, "its hash does not follow from the record before");
}

// What an agent says that does not exist here is a loss of contact with it.
types::v1::EndReason EndReasonIn(const types::v1::RecordContent& content) {
  for (int i = 1; types::v1::EndReason_IsValid(i); ++i) {
    const auto reason = static_cast<types::v1::EndReason>(i);
    if (EnumWord(reason) == content.end_reason()) return reason;
  }
  return types::v1::END_REASON_DISCONNECTED;
}

absl::StatusOr<uint64_t> CallsOf(Database& recordings, std::string_view session_id) {
  ASSIGN_OR_RETURN(const auto t, recordings.Read());
  return records::CountedCalls(*t, session_id);
}

}  // namespace

IngestRecords::IngestRecords(Database& control, Database& recordings, records::Appender& appender,
                             const Clock& clock)
    : control_(control),
      recordings_(recordings),
      appender_(appender),
      clock_(clock),
      may_wait_(MayLeaveIdleTurns()) {}

absl::Status IngestRecords::Run(const Caller& caller,
                                const agent::v1::StreamRecordsRequest& block) {
  if (caller.agent() == nullptr) {
    return Denied(types::v1::DENIAL_REASON_ROLE_MISSING, "records come from agents");
  }
  const std::string& agent = caller.agent()->name;
  RETURN_IF_ERROR(CheckInService(agent));
  Runs runs;
  const absl::Status taken = TakeInTurn(agent, block, runs);
  if (absl::IsDataLoss(taken)) {
    TakeOrdinaryTurns();
    Alarm(caller, block, taken);
  }
  RETURN_IF_ERROR(taken);
  // Also for an END that was there already: the last time may have got no further.
  for (const records::ReceivedRun& received : runs) {
    for (const RecordView& record : received.run.records()) {
      if (record.type == types::v1::RECORD_TYPE_END) {
        // Decisions wait for what writes there.
        TakeOrdinaryTurns();
        RETURN_IF_ERROR(CloseSession(caller, record));
      }
    }
  }
  return absl::OkStatus();
}

absl::Status IngestRecords::TakeInTurn(const std::string& agent,
                                       const agent::v1::StreamRecordsRequest& block, Runs& runs) {
  const absl::Duration began = clock_.SinceBoot();
  const bool waits = may_wait_ && block.backlog_bytes() < kBehindBytes &&
                     absl::ToInt64Nanoseconds(began) >= ordinary_until_.load();
  waits ? TakeIdleTurns() : TakeOrdinaryTurns();
  const absl::Status taken = Take(agent, block, runs);
  const absl::Duration ended = clock_.SinceBoot();
  if (waits && ended - began > kPatience) {
    ordinary_until_ = absl::ToInt64Nanoseconds(ended + kOrdinaryFor);
  }
  return taken;
}

absl::Status IngestRecords::Take(const std::string& agent,
                                 const agent::v1::StreamRecordsRequest& block, Runs& runs) {
  std::size_t room = kMaxRunBytes;
  for (const std::string& packed : block.runs()) {
    ASSIGN_OR_RETURN(UnpackedRun run, UnpackedRun::Of(packed, room));
    RETURN_IF_ERROR(CheckRun(agent, run.records()));
    runs.push_back({packed, std::move(run)});
  }
  return appender_.Append(agent, runs, clock_.Now(), CheckFollows);
}

absl::Status IngestRecords::CloseSession(const Caller& caller, const RecordView& end) {
  types::v1::RecordContent content;
  if (!content.ParseFromArray(end.payload.data(), static_cast<int>(end.payload.size())))
    content.Clear();
  // No fewer than the records before it say.
  ASSIGN_OR_RETURN(const uint64_t calls, CallsOf(recordings_, end.session_id));
  const absl::Time now = clock_.Now();
  ASSIGN_OR_RETURN(const auto t, control_.Write(WriteFor::kOperators));
  ASSIGN_OR_RETURN(std::optional<Session> session, sessions::Find(*t, end.session_id));
  if (!session.has_value()) return absl::OkStatus();  // the agent's own chain
  ASSIGN_OR_RETURN(
      const bool is_news,
      sessions::Close(*t, *session, {.reason = EndReasonIn(content), .detail = content.detail()},
                      std::max(calls, content.calls()), caller, now));
  if (!is_news) return absl::OkStatus();
  return t->Commit();
}

absl::Status IngestRecords::CheckRun(const std::string& agent, std::span<const RecordView> run) {
  if (run.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(CheckOwner(agent, run.front().session_id));
  for (const RecordView& record : run) RETURN_IF_ERROR(CheckAlone(record));
  return absl::OkStatus();
}

// The stream may be older than a ban.
absl::Status IngestRecords::CheckInService(const std::string& agent) {
  ASSIGN_OR_RETURN(const auto t, control_.Read());
  return agents::FindInService(*t, agent).status();
}

absl::Status IngestRecords::CheckOwner(const std::string& agent, std::string_view session_id) {
  if (IsDenialChainOf(agent, session_id)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto t, control_.Read());
  ASSIGN_OR_RETURN(const auto session, sessions::Find(*t, session_id));
  if (session.has_value() && session->proto().agent() == agent) return absl::OkStatus();
  return RefuseRecording(
      absl::PermissionDeniedError(std::string(session_id) + " is no recording of this agent's"),
      session_id);
}

// Somebody has two histories of one session. The stored one stands; people must look at it.
void IngestRecords::Alarm(const Caller& caller, const agent::v1::StreamRecordsRequest& block,
                          const absl::Status& status) {
  LogError("recording_conflict",
           {{"agent", caller.agent()->name}, {"block", block.block()}, {"error", status}});
  const auto note = [&]() -> absl::Status {
    ASSIGN_OR_RETURN(const auto t, control_.Write());
    // Sent again and again, it is one history too many all the same.
    return audit_log::CommitRefusal(
        *t,
        audit_log::LineOf(caller, clock_.Now(), "recording.conflict",
                          "agent/" + caller.agent()->name, std::string(ToStd(status.message()))));
  };
  if (absl::Status noted = note(); !noted.ok()) {
    LogError("audit_line_lost", {{"action", "recording.conflict"}, {"error", noted}});
  }
}

}  // namespace sallyport::controlplane
