#pragma once

#include <atomic>

#include "absl/status/status.h"
#include "common/clock.h"
#include "controlplane/store/database.h"

namespace sallyport::controlplane {

class Issuers;

// What an issuer takes back. A session lives by the token that its caller brought last: once the
// key that signed it is no longer one of the issuer's, nobody vouches for the session any more.
class WithdrawnKeys {
 public:
  // All of them outlive it.
  WithdrawnKeys(Database& control, const Clock& clock, const Issuers& issuers)
      : control_(control), clock_(clock), issuers_(issuers) {}

  // An issuer's keys have changed: the next Run looks. Thread-safe.
  void Changed() { is_due_ = true; }

  // Ends, as revoked, the sessions whose key its issuer does not publish any more, or whose issuer
  // is not configured any more. An issuer that has not been reached yet has withdrawn nothing. To
  // be called about once a second; one transaction at the first call, after each change, and again
  // until it has succeeded.
  absl::Status Run();

 private:
  Database& control_;
  const Clock& clock_;
  const Issuers& issuers_;
  std::atomic<bool> is_due_ = true;
};

}  // namespace sallyport::controlplane
