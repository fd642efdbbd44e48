#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "agent/loop/descriptor.h"
#include "agent/loop/endpoint.h"

namespace sallyport::agent {

// A listening TCP socket. On the loop's thread.
class Acceptor {
 public:
  // Bound and listening. kUnavailable with the system's words.
  static absl::StatusOr<std::unique_ptr<Acceptor>> Listen(Loop& loop, const Endpoint& at);

  // As bound.
  const Endpoint& local() const { return local_; }

  // The next connection: n is its descriptor, which belongs to the caller, does not block and sends
  // at once. ECONNABORTED and the like are its error, not the listener's.
  auto Accept(Endpoint& peer) {
    return Until(descriptor_, Descriptor::Direction::kRead,
                 [this, &peer] { return TryAccept(peer); });
  }
  // Who waits in Accept goes on with an error.
  void Close() { descriptor_.Close(); }

 private:
  Acceptor(Loop& loop, int fd, const Endpoint& local) : descriptor_(loop, fd), local_(local) {}
  IoResult TryAccept(Endpoint& peer);

  Descriptor descriptor_;
  const Endpoint local_;
};

}  // namespace sallyport::agent
