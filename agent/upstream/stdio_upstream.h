#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "agent/loop/loop.h"
#include "agent/mcp/json_scan.h"
#include "agent/upstream/child_supervisor.h"
#include "agent/upstream/upstream.h"

namespace sallyport::agent {

struct StdioOptions {
  // For the log.
  std::string server;
  ScanLimits limits;
  // How long the child has after its stdin has been closed, and again after SIGTERM.
  absl::Duration grace = absl::Milliseconds(500);
  // The calls of many clients share the pipe, each under a number of ours: see pipe_message.h.
  bool is_shared = false;
  // Counts what a child wrote that nobody asked for; may be null, else outlives the upstream.
  std::uint64_t* dropped_lines = nullptr;
};

// A stdio child as an upstream. One line is one message, both ways. A line that is
// no message is skipped and counted; one that would be a message but is not clean ends every
// request in flight with kInvalidArgument, for it cannot be told whose answer it was. stderr is
// drained and counted, never shown: a child may print its credentials.
// While a client is slower than its server, the child's pipe is not read.
class StdioUpstream final : public Upstream {
 public:
  // `loop` outlives it. Destroying it without Close kills the child's tree without grace.
  StdioUpstream(Loop& loop, SpawnedChild child, StdioOptions options);
  ~StdioUpstream() override;

  Task<absl::StatusOr<std::unique_ptr<Exchange>>> Forward(const OutboundMessage& request) override;
  Task<absl::Status> Send(const OutboundMessage& message) override;
  Task<absl::StatusOr<UpstreamMessage>> NextUnrelated() override;
  Task<void> Close() override;

 private:
  class Core;
  class SharedAnswer;
  std::shared_ptr<Core> core_;
};

}  // namespace sallyport::agent
