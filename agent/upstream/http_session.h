#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/loop/loop.h"
#include "agent/loop/signal.h"
#include "agent/loop/task.h"
#include "agent/mcp/message.h"
#include "agent/upstream/connection_pool.h"
#include "agent/upstream/event_stream.h"
#include "agent/upstream/http_options.h"
#include "agent/upstream/request_heads.h"
#include "common/backoff.h"

namespace sallyport::agent {

// One MCP session with a streamable HTTP server: its id, its connections, and the server's own
// stream. A shared_ptr owns it. On the loop's thread.
class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  // `loop` and `sweep` outlive it.
  HttpSession(Loop& loop, DeadlineSweep& sweep, HttpOptions options);

  Loop& loop() { return loop_; }
  const HttpOptions& options() const { return options_; }
  ConnectionPool& pool() { return *pool_; }

  // As ConnectionPool::Send, for a message.
  Task<absl::StatusOr<ConnectionPtr>> Post(const ClientMessage& message, absl::Duration timeout);
  // Whether the head of an answer is one to go on with.
  absl::Status CheckHead(HttpConnection& connection);
  // What the server's answer to the initialize says of the session. upstream_invalid: its id cannot
  // be one.
  absl::Status TakeSession(const HttpResponse& response, const UpstreamMessage& message);
  bool has_batches() const { return has_batches_; }
  // The server said what nobody may have, which `words` of ours tell: NextUnrelated says so, while
  // there is room.
  void NoteDropped(std::string_view words);

  // Once; the server's own stream is kept up from then on.
  void StartListening();
  // What came on it. kUnavailable: the session has ended.
  Task<absl::StatusOr<UpstreamMessage>> NextUnrelated();
  // A connection on which the stream goes on from `place`. kUnavailable: it may work later;
  // kFailedPrecondition: it will not. The wait before it ends early with `stop`, or with the
  // session.
  Task<absl::StatusOr<ConnectionPtr>> TakeUp(const StreamPlace& place, absl::Duration wait,
                                             absl::Duration timeout, Signal& stop);

  // Whoever waits gets `status`, and nothing more is sent. Idempotent.
  void Lose(absl::Status status);
  // Loses it and has the server delete it. Idempotent.
  Task<void> Close();

 private:
  // Usually one.
  std::vector<absl::StatusOr<UpstreamMessage>> ScanEvent(std::string data) const;
  // The server's own stream, kept up until the end.
  static Task<void> Listen(std::shared_ptr<HttpSession> self);
  // False: the server has no such stream.
  static Task<bool> ListenOnce(std::shared_ptr<HttpSession> self, Backoff& backoff,
                               StreamPlace& place);

  Loop& loop_;
  HttpOptions options_;
  RequestHeads heads_;
  const std::shared_ptr<ConnectionPool> pool_;
  Queue<UpstreamMessage> unrelated_;
  bool is_listening_ = false;
  // The server's own stream has been there.
  bool has_listened_ = false;
  bool has_batches_ = false;
  Signal ended_;
  // Of those who wait to take a stream up.
  absl::flat_hash_set<Signal*> pausing_;
  bool is_closed_ = false;
  int dropped_ = 0;
};

}  // namespace sallyport::agent
