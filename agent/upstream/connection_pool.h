#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/http/strict_framing.h"
#include "agent/loop/loop.h"
#include "agent/loop/task.h"
#include "agent/upstream/http_connection.h"
#include "agent/upstream/http_options.h"
#include "agent/upstream/server_url.h"

namespace sallyport::agent {

using ConnectionPtr = std::unique_ptr<HttpConnection>;

struct PoolOptions {
  ServerUrl url;
  // Null for plain HTTP.
  TlsContext tls;
  HttpLimits limits;
  AnswerShare answers = {};
  absl::Duration connect_timeout;
  HttpPatience patience;
  absl::Duration idle_timeout;
};
PoolOptions PoolOptionsOf(const HttpOptions& options);

// One MCP session's connections to its server: no other session's bytes ever stood on them. A
// shared_ptr owns it. On the loop's thread.
class ConnectionPool : public std::enable_shared_from_this<ConnectionPool> {
 public:
  // `loop` and `sweep` outlive it.
  ConnectionPool(Loop& loop, DeadlineSweep& sweep, PoolOptions options);
  ~ConnectionPool();

  // Sends a request out, once, and gives the connection on which its answer is to be read within
  // `timeout`. Only a pooled connection that turns out to be dead before the first byte is
  // replaced. An error, also `head`'s own: no byte has gone out. `head` is wiped, for it holds
  // credentials; `body` outlives the call.
  Task<absl::StatusOr<ConnectionPtr>> Send(absl::StatusOr<std::string> head, std::string_view body,
                                           absl::Duration timeout);
  // The same on a connection of its own, within `timeout` from its connecting on: for what is still
  // to be said after Shut.
  Task<absl::StatusOr<ConnectionPtr>> SendLast(absl::StatusOr<std::string> head,
                                               absl::Duration timeout);

  // For the next request, if its answer is complete and the server keeps it.
  void Keep(ConnectionPtr connection);
  // The same for an answer whose message is complete: a stream that has said all it had to say ends
  // a moment later.
  void KeepOnceDone(ConnectionPtr connection);

  // Closes all connections, those in use too, and refuses to send with `why`. Idempotent.
  void Shut(absl::Status why);
  bool is_shut() const { return !why_.ok(); }
  // Why it is shut.
  const absl::Status& why() const { return why_; }

  // A connection in use, so that Shut closes it.
  class Busy {
   public:
    Busy(ConnectionPool& pool, HttpConnection& connection) : pool_(pool), connection_(&connection) {
      pool_.busy_.insert(connection_);
    }
    ~Busy() { pool_.busy_.erase(connection_); }
    Busy(const Busy&) = delete;
    Busy& operator=(const Busy&) = delete;

   private:
    ConnectionPool& pool_;
    HttpConnection* connection_;
  };

 private:
  ConnectionPtr TakeIdle();
  Task<absl::StatusOr<ConnectionPtr>> Connect(absl::Duration timeout);
  static Task<void> ReadEnd(std::shared_ptr<ConnectionPool> self, ConnectionPtr connection);

  Loop& loop_;
  DeadlineSweep& sweep_;
  const PoolOptions options_;
  std::vector<ConnectionPtr> idle_;
  absl::flat_hash_set<HttpConnection*> busy_;
  absl::Status why_;
};

}  // namespace sallyport::agent
