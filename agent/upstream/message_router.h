#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/loop/loop.h"
#include "agent/loop/signal.h"
#include "agent/loop/task.h"
#include "agent/mcp/message.h"
#include "agent/upstream/upstream.h"

namespace sallyport::agent {

// Whose message it is, where all that a server says comes one after the other: from a child's
// stdout, or on the one event stream of a server. A response goes to its request; progress to the
// request that gave the token; what a subscription brings to the request that began it. Log lines
// that calls asked for one by one go to the oldest of those; everything else to the only request in
// flight, or to NextUnrelated, where all goes that tells of the server as a whole. A server that
// cancels a subscription says so to the request that began it. Of what is dropped NextUnrelated
// tells too, without its bytes, of sixteen at a time. A shared_ptr owns it. On the loop's thread.
class MessageRouter : public std::enable_shared_from_this<MessageRouter> {
 private:
  struct Pending;

 public:
  explicit MessageRouter(Loop& loop) : loop_(loop), unrelated_(loop), moved_(loop) {}

  // Names one request in flight, for as long as it is.
  using Ticket = std::weak_ptr<Pending>;

  // A request's place, to be taken before the request goes out; its exchange gives it up.
  // kFailedPrecondition: one of the same id is in flight. `ticket` may be null.
  absl::StatusOr<std::unique_ptr<Exchange>> Register(const ClientMessage& request,
                                                     Ticket* ticket = nullptr);
  // The same for a request that goes out under `number` in place of its id and, where it has one,
  // its progress token.
  absl::StatusOr<std::unique_ptr<Exchange>> Register(const ClientMessage& request,
                                                     std::uint64_t number);

  // What became of a message: it was dropped, for nobody waits for it, and `dropped` says what it
  // was; or it was taken. While the client is slower than its server, many messages wait or some
  // large ones: then the server's stream must not be read on before WaitForRoom.
  class Routed {
   public:
    bool is_full() const;
    std::string_view dropped;

   private:
    friend class MessageRouter;
    std::shared_ptr<Pending> to_;
    std::size_t limit_ = 0;
  };
  Routed Route(UpstreamMessage message);
  // A notification that could not be read; gives what it was, like Routed::dropped.
  std::string_view DropUnread();

  // While other calls wait for what comes behind it, for a second at most, and less if its client
  // has made them wait before and has not read faster since; then that request ends with
  // limit_exceeded. Gives the number that such a request went out under; 0: it has none, or there
  // is room. One caller at a time.
  static Task<std::uint64_t> WaitForRoom(std::shared_ptr<MessageRouter> self, Routed routed);

  // Ends the request, if it is still in flight.
  void Fail(const Ticket& ticket, const absl::Status& why);
  // Ends all requests that are in flight with `why`, and no other.
  void FailAll(const absl::Status& why);
  // The same, and nothing comes any more: later calls get `why` too. Idempotent.
  void Lose(absl::Status why);
  bool is_lost() const { return !why_.ok(); }
  const absl::Status& why() const { return why_; }

  // As Upstream says.
  Task<absl::StatusOr<UpstreamMessage>> NextUnrelated();

 private:
  class Answer;

  absl::StatusOr<std::unique_ptr<Exchange>> Add(std::shared_ptr<Pending> pending);
  void Unregister(const std::shared_ptr<Pending>& pending);
  // The request that the message belongs to; null: none.
  std::shared_ptr<Pending> Find(const UpstreamMessage& message, std::string_view& dropped);
  std::shared_ptr<Pending> OldestThatAskedForLogs() const;
  bool OthersWait(const Pending& one) const;
  bool PushUnrelated(UpstreamMessage message);
  void PushStray(std::string method, std::string_view dropped);

  Loop& loop_;
  absl::flat_hash_map<std::string, std::shared_ptr<Pending>> pending_;
  Queue<UpstreamMessage> unrelated_;
  std::size_t unrelated_bytes_ = 0;
  std::size_t strays_ = 0;
  // It is a pipe of the modern era, where a server cancels subscriptions and nothing else.
  bool goes_by_numbers_ = false;
  // A message was taken, or a request has come or gone.
  Signal moved_;
  absl::Status why_;
};

}  // namespace sallyport::agent
