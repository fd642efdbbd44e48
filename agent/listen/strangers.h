#pragma once

#include <cstddef>
#include <list>
#include <map>

#include "absl/time/time.h"
#include "agent/listen/client_connection.h"
#include "agent/loop/endpoint.h"

namespace sallyport::agent {

class Stranger;

// The connections on which nobody has been authenticated yet, by address (IPv6: by /64). An address
// keeps 64 of them, so that one that says nothing takes nobody else's place. Clients come in
// crowds, when they are started or from behind one gateway, so for a second there may be more. Over
// either count the oldest is closed, and the log says so once a minute.
class Strangers {
 public:
  static constexpr std::size_t kKept = 64;

  // How many of one address there may be for a second, at least 64.
  explicit Strangers(std::size_t crowd) : crowd_(crowd) {}
  Strangers(const Strangers&) = delete;
  Strangers& operator=(const Strangers&) = delete;

  // Closes what is too many by now. About once a second; `now` is of CLOCK_BOOTTIME.
  void Sweep(absl::Duration now);

 private:
  friend class Stranger;
  // The oldest first.
  using Line = std::list<Stranger*>;
  using Lines = std::map<IpAddress::Bytes, Line>;

  void Trim(Line& line, absl::Duration now);

  const std::size_t crowd_;
  Lines lines_;
  absl::Duration told_at_ = -absl::InfiniteDuration();
};

// One connection's place among them, until it is known or this is destroyed.
class Stranger {
 public:
  // All outlive it.
  Stranger(Strangers& all, const IpAddress& address, ClientConnection& connection,
           absl::Duration now);
  ~Stranger();
  Stranger(const Stranger&) = delete;
  Stranger& operator=(const Stranger&) = delete;

 private:
  friend class Strangers;
  void Leave();

  Strangers& all_;
  ClientConnection& connection_;
  const absl::Duration since_;
  bool is_there_ = true;
  Strangers::Lines::iterator line_;
  Strangers::Line::iterator place_;
};

}  // namespace sallyport::agent
