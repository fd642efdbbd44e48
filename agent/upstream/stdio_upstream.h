#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "agent/loop/loop.h"
#include "agent/mcp/json_scan.h"
#include "agent/upstream/answer_room.h"
#include "agent/upstream/child_supervisor.h"
#include "agent/upstream/transport.h"

namespace sallyport::agent {

struct StdioOptions {
  // For the log.
  std::string server;
  ScanLimits limits;
  AnswerShare answers = {};
  // From when a long line has its room to its last byte; a child that takes longer is given up.
  absl::Duration long_line = absl::Seconds(30);
  // How long the child has after its stdin has been closed, and again after SIGTERM.
  absl::Duration grace = absl::Milliseconds(500);
  // Counts what a child wrote that nobody asked for; may be null, else outlives the upstream.
  std::uint64_t* dropped_lines = nullptr;
};

// A stdio child as an upstream. One line is one message, both ways. A line that is
// no message is skipped and counted; one that would be a message but is not clean ends every
// request in flight with kInvalidArgument, for it cannot be told whose answer it was. stderr is
// drained and counted, never shown: a child may print its credentials.
// While a client is slower than its server, the child's pipe is not read. Requests of the modern
// era share the pipe with others, each under a number of ours: see pipe_message.h.
class StdioUpstream final : public Transport {
 public:
  // `loop` outlives it. Destroying it without Close kills the child's tree without grace.
  StdioUpstream(Loop& loop, SpawnedChild child, StdioOptions options);
  ~StdioUpstream() override;

  Task<absl::StatusOr<std::unique_ptr<Exchange>>> Call(const ClientMessage& request) override;
  Task<absl::Status> Tell(const ClientMessage& message) override;
  Task<absl::StatusOr<UpstreamMessage>> NextUnrelated() override;
  Task<void> Close() override;

 private:
  class Core;
  class SharedAnswer;
  std::shared_ptr<Core> core_;
};

}  // namespace sallyport::agent
