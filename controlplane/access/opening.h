#pragma once

#include <string>
#include <variant>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/principal/identity.h"
#include "controlplane/model/caller.h"
#include "sallyport/access/v1/access_service.pb.h"

namespace sallyport::controlplane {

class Issuers;

// Who wants which session, once the token has been read. Its caller and its request outlive it.
struct Opening {
  const Caller& caller;
  const access::v1::OpenSessionRequest& request;
  types::v1::Principal principal;
  std::string issuer_id;
  std::string signing_key;
  std::string agent;      // empty: the people's door
  std::string for_agent;  // that the session is to be for; empty: any
  std::string address;
  absl::Time now;
};

// Checks the request and reads its token, which may wait for an issuer. A token that is no good is
// refused; a status says that the request is no good (kInvalidArgument), or not this caller's to
// make (ROLE_MISSING).
absl::StatusOr<std::variant<Opening, TokenRefusal>> ReadOpening(
    const Caller& caller, const access::v1::OpenSessionRequest& request, Issuers& issuers,
    absl::Time now);

}  // namespace sallyport::controlplane
