#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace sallyport::controlplane {

// Where the connections of a server come from, as far as can be known before a method is reached.
// gRPC 1.51 tells a guard nothing of the connection that a call came by. But it tells servers'
// acceptors apart, each with a guard of its own: a seat is one of them. Connections of one address
// are given the same seat, and as long as a seat serves one address, its guard knows it.
// Thread-safe.
class Seats {
 public:
  // `stay`: how long a connection can live.
  Seats(std::size_t count, absl::Duration stay);

  std::size_t size() const { return seats_.size(); }

  // The seat for a new connection from this address: the one that it has, else the emptiest.
  std::size_t Take(const std::string& address, absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_);

  // Whose connections may be at the seat: `192.0.2.1`, or `192.0.2.1 or 192.0.2.7`. Empty where
  // there are more than a few.
  std::string AddressAt(std::size_t seat, absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Addresses with the time at which their last connection is gone for certain.
  using Seat = std::map<std::string, absl::Time>;

  const absl::Duration stay_;
  absl::Mutex mutex_;
  std::vector<Seat> seats_;  // as many from first to last
};

}  // namespace sallyport::controlplane
