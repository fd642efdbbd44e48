#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/loop/loop.h"
#include "agent/loop/signal.h"
#include "agent/loop/task.h"
#include "agent/mcp/era_bridge.h"
#include "agent/mcp/message.h"
#include "agent/upstream/transport.h"

namespace sallyport::agent {

// The subscriptions/listen that stands for a legacy session's subscriptions and for the changes
// that its server announces. There is one at a time, kept up until Stop; one that is to hear more
// or less takes over from the last when the server has acknowledged it, so that nothing is missed
// between. A shared_ptr owns it. On the loop's thread.
class ServerListener : public std::enable_shared_from_this<ServerListener> {
 public:
  // `loop` outlives it; `transport` until Stop. `server` is for the log.
  ServerListener(Loop& loop, Transport& transport, std::string server,
                 std::shared_ptr<Queue<UpstreamMessage>> heard);

  // Listens to this from now on, to nothing if nothing is asked for.
  void Listen(BridgedClient client, Announced announced, std::vector<std::string> uris);
  // Of the last Listen: set when the server has said yes or no. Null before the first.
  const std::shared_ptr<Signal>& decided() const { return decided_; }
  // The server has acknowledged the last Listen.
  bool is_listening() const { return is_listening_; }

  // One of the server's notifications, for the client.
  Task<void> Tell(UpstreamMessage notification);

  void Stop();

 private:
  struct Wish {
    std::uint64_t number = 0;
    BridgedClient client;
    Announced announced;
    std::vector<std::string> uris;
    std::shared_ptr<Signal> decided;
  };
  static Task<void> Keep(std::shared_ptr<ServerListener> self, Wish wish);
  // False: the server will not tell of this.
  Task<bool> ListenOnce(const Wish& wish);
  bool IsCurrent(const Wish& wish) const { return wish.number == last_ && !stopped_.is_set(); }
  void TakeOver(Exchange* exchange);

  Loop& loop_;
  Transport& transport_;
  const std::string server_;
  const std::shared_ptr<Queue<UpstreamMessage>> heard_;
  std::uint64_t last_ = 0;
  std::shared_ptr<Signal> decided_;
  bool is_listening_ = false;
  // The one that is acknowledged; its coroutine owns it.
  Exchange* current_ = nullptr;
  Signal stopped_;
};

}  // namespace sallyport::agent
