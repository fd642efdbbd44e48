#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace sallyport::controlplane {

// Waits on a free port of 127.0.0.1 for the one redirect that ends a login (RFC 8252 7.3).
class LoopbackReceiver {
 public:
  static absl::StatusOr<LoopbackReceiver> Listen();
  ~LoopbackReceiver();
  LoopbackReceiver(LoopbackReceiver&& other) noexcept;
  LoopbackReceiver& operator=(LoopbackReceiver&&) = delete;

  // http://127.0.0.1:<port>/callback
  std::string redirect_uri() const;

  // The decoded query of the first GET /callback whose `state` is this one; whatever else comes is
  // answered 404 or 400 and forgotten, so that a page that guesses the port cannot end the login.
  // The browser is told that it may be closed. kDeadlineExceeded.
  absl::StatusOr<std::map<std::string, std::string>> Receive(const std::string& state,
                                                             absl::Duration patience);

 private:
  LoopbackReceiver(int listener, int port) : listener_(listener), port_(port) {}

  int listener_;
  int port_;
};

}  // namespace sallyport::controlplane
