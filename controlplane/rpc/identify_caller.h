#pragma once

#include <grpcpp/security/auth_context.h>

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "controlplane/identity/issuers.h"
#include "controlplane/model/caller.h"
#include "controlplane/rpc/roles.h"
#include "controlplane/store/database.h"

namespace sallyport::controlplane {

// From what a connection or a call has proved to who it is. Thread-safe.
class IdentifyCaller {
 public:
  // Both outlive it.
  IdentifyCaller(Issuers& issuers, Database& control, Roles roles)
      : issuers_(issuers), control_(control), roles_(std::move(roles)) {}

  // By the value of the authorization header, which must be one `Bearer TOKEN`. Refused with
  // TOKEN_MISSING, TOKEN_INVALID, TOKEN_EXPIRED or ISSUER_UNAVAILABLE. May wait for an issuer, 5 s
  // at most.
  absl::StatusOr<Caller> Person(std::string_view authorization, std::string address) const;

  // By the client certificate that TLS has verified against our CA: its only URI names the agent,
  // which must have enrolled, not since the certificate was made, and must not be banned (LOCKED).
  absl::StatusOr<Caller> Agent(const grpc::AuthContext& connection, std::string address) const;

  const Roles& roles() const { return roles_; }

 private:
  Issuers& issuers_;
  Database& control_;
  const Roles roles_;
};

// The IP address in gRPC's name of a peer (`ipv4:127.0.0.1:50000`, `ipv6:%5B::1%5D:50000`), an
// IPv4-mapped one as IPv4. Empty for a unix socket.
std::string AddressOfPeer(std::string_view peer);

}  // namespace sallyport::controlplane
