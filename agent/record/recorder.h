#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/loop/durations.h"
#include "agent/loop/loop.h"
#include "agent/loop/task.h"
#include "agent/mcp/message.h"
#include "agent/record/recording_chain.h"
#include "common/clock.h"
#include "sallyport/types/v1/denial.pb.h"
#include "sallyport/types/v1/record.pb.h"

namespace sallyport::agent {

class Spool;

// What decided about a message, for its record. Views of what the caller owns; they are read before
// the first suspension.
struct RecordFacts {
  std::uint64_t policy_epoch = 0;
  std::uint64_t policy_version = 0;
  // The policy document whose rule decided.
  std::string_view policy;
  std::string_view approval_id;
  // The first 8 hex digits of SHA-256 of the MCP session's id.
  std::string_view mcp_session;
  // The jti and client id of the token that carried the message.
  std::string_view token_id;
  std::string_view client_address;
  // Of a call that the control plane let through.
  std::string_view call_id;
  // Of what only policies which observe let through: a call, or what a server asks its client.
  // UNSPECIFIED: it is none.
  types::v1::DenialReason observed_reason = types::v1::DENIAL_REASON_UNSPECIFIED;
  std::string_view observed_policy;
  // False: the policy records no content, so the record has no body.
  bool content = true;
};

// A client's message that is about to be forwarded.
struct RequestFacts : RecordFacts {
  // It counts against max_calls.
  bool is_counted = false;
  // How many answers of our own to its server before it have no record.
  std::uint64_t unrecorded = 0;
};

// A message that is about to reach the client.
struct MessageFacts : RecordFacts {
  // UNSPECIFIED: RESULT for a response, MESSAGE for everything else. DENIAL for a refusal of our
  // own.
  types::v1::RecordType type = types::v1::RECORD_TYPE_UNSPECIFIED;
  // Of a response, required: the request it answers. Its record has that one's id, as it is shown.
  const ShownRequest* answers = nullptr;
  // Of a response: the n of the request it answers. 0: none was forwarded.
  std::uint64_t request_n = 0;
  types::v1::DenialReason denial_reason = types::v1::DENIAL_REASON_UNSPECIFIED;
  // delivered, error, unknown, cancelled. Empty: `error` or `delivered`, as the response says.
  std::string_view outcome;
  ShownText detail;
};

// What is no message: OPEN, APPROVAL, DENIAL, OUTCOME, END.
struct EventFacts : RecordFacts {
  types::v1::RecordType type = types::v1::RECORD_TYPE_UNSPECIFIED;
  // The client's message that it is about. Null: none.
  const ShownRequest* request = nullptr;
  // Of a message of the server's that it is about.
  ShownText method;
  // OUTCOME: the n of the request.
  std::uint64_t request_n = 0;
  types::v1::DenialReason denial_reason = types::v1::DENIAL_REASON_UNSPECIFIED;
  std::string_view outcome;
  // OUTCOME: the request counted against max_calls, and does no longer, for it was not sent.
  bool is_taken_back = false;
  ShownText detail;
  // Who gave the approval, realm:subject.
  std::vector<std::string> approved_by;
  // OPEN.
  const types::v1::Principal* principal = nullptr;
  std::string_view server;
  std::string_view agent;
  std::string_view break_glass;
  // END.
  std::string_view end_reason;
  std::uint64_t calls = 0;
};

// A refusal before there is a session.
struct DenialFacts {
  types::v1::DenialReason reason = types::v1::DENIAL_REASON_UNSPECIFIED;
  ShownText server;
  ShownText method;
  // Where it came from; refusals are summarised by it.
  std::string_view client_address;
  std::string_view token_id;
  // Null: nobody was named by a token that is good.
  const types::v1::Principal* principal = nullptr;
  ShownText detail;
};

enum class Durability : std::uint8_t {
  kPower,    // fdatasync before a call goes on: survives the machine's power
  kProcess,  // in the page cache before a call goes on: survives the process
};

struct RecorderOptions {
  // Made with mode 0700 when absent.
  std::string dir;
  // The agent's name. Its own chain is `agent:<name>:<16 hex digits>`, the digits drawn when the
  // spool is new, so that an agent that lost its disk does not contradict its former self.
  std::string agent_name;
  Durability durability = Durability::kPower;
  // At most this much of the disk for sessions. The agent's own denial chain has its own room
  // beside it.
  std::uint64_t spool_max_bytes = std::uint64_t{4} << 30;
  // A segment is at least twice as long as the largest record.
  std::uint64_t message_bytes = std::uint64_t{16} << 20;
  std::uint64_t segment_bytes = std::uint64_t{32} << 20;
};

// What making records durable takes, for metrics.
struct RecorderTimings {
  // From a record's append until it is durable.
  Durations wait;
  // One write of all records that were pending, with its sync where the durability wants one.
  Durations commit;
  std::uint64_t commit_bytes = 0;
};

// Makes records durable before what they tell of happens. All records that one turn of the loop
// appends are written in one write at the turn's end, and who waits for them goes on right after it
// (kProcess); with kPower a thread of its own writes and syncs, group after group.
//
// Fails closed: when the spool is full, appends are refused (kResourceExhausted) until the control
// plane has acknowledged something, and those of more than 64 KiB that would begin its last
// quarter; when a write or a sync has failed, it is refused for good (kUnavailable), for what a
// failed sync has lost cannot be known. Both carry the denial reason recorder_unavailable.
//
// All of it on the loop's thread.
class Recorder {
 public:
  // Recovers what the last run left: records that were not acknowledged are shipped again; a torn
  // tail is cut; a file that is damaged in its middle is set aside and reported; each request
  // without an answer gets an OUTCOME record `unknown`. `loop` and `clock` outlive the recorder;
  // before Loop::Run.
  static absl::StatusOr<std::unique_ptr<Recorder>> Create(Loop& loop, const Clock& clock,
                                                          RecorderOptions options);
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  // A new session's chain; or, where an open one of that session was let go of in this run, that
  // one; or, for one of damaged_sessions and for one whose END record has been written, also by the
  // last run, a closed one, which refuses every record.
  std::unique_ptr<RecordingChain> StartChain(std::string session_id);

  // The chains that the last run did not close, each once; their OUTCOME records are written.
  // Whoever takes them continues each with its session or closes it with an END record.
  std::vector<std::unique_ptr<RecordingChain>> TakeOpenChains();

  // The control plane knows that the session is over, and will not bring it up again: its END need
  // not be remembered any more. `is_over` says so of each that is remembered.
  void ForgetEnds(const std::function<bool(const std::string& session_id)>& is_over);

  // The control plane has refused the recording for good: its chain is closed without an END
  // record, for the runs to come, too, and refuses every record. True: it is a session's, now one
  // of damaged_sessions. False: it is the agent's own, and a new one begins in its place.
  bool GiveUp(const std::string& recording);

  // Sessions whose chains are not closed and cannot be continued, because the spool was damaged or
  // the control plane has refused them. They must be ended at the control plane; their recordings
  // stay without an END record.
  const std::vector<std::string>& damaged_sessions() const;

  // The record of a client's message: REQUEST, NOTIFICATION or ANSWER, by its shape. Returns when
  // it is durable; the message may then go out, once.
  Task<absl::StatusOr<OutboundMessage>> RecordRequest(RecordingChain& chain, RequestFacts facts,
                                                      MaskedRequest request);

  // An answer of our own to a server that asks more than is recorded: a response, in our words and
  // no client's. The next one that is recorded says by RequestFacts::unrecorded how many there
  // were.
  OutboundMessage AnswerUnrecorded(MaskedRequest answer);

  // The record of what a client is about to get. Returns when it is durable.
  Task<absl::StatusOr<RecordedMessage>> RecordMessage(RecordingChain& chain, MessageFacts facts,
                                                      MaskedMessage message);

  // END closes the chain.
  Task<absl::Status> RecordEvent(RecordingChain& chain, EventFacts facts);

  // A refusal that belongs to no session, in the agent's own chain. Waits for nothing. More than
  // ten a second of one source become one summary. When its room is used up they are counted, and
  // the count is the next record that fits.
  void RecordDenial(const DenialFacts& facts);

  // A refusal of our own for which there can be no record, because the last append was refused: the
  // one message that reaches a client without one. kFailedPrecondition while the recorder takes
  // records.
  absl::StatusOr<RecordedMessage> RefuseUnrecorded(UpstreamMessage refusal);

  // OK, or why the next append would be refused.
  absl::Status status() const;

  // What the uploader reads and acknowledges.
  std::vector<Spool*> spools();
  // Bytes that the control plane has not acknowledged, and the room for them.
  std::uint64_t backlog_bytes() const;
  std::uint64_t capacity_bytes() const;
  const RecorderTimings& timings() const;

  // The loop is about to stop: writes and syncs what is pending, in the caller's thread.
  absl::Status Flush();

 private:
  friend class RecordingChain;
  class Impl;
  explicit Recorder(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sallyport::agent
