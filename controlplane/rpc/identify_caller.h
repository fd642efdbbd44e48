#pragma once

#include <grpcpp/security/auth_context.h>

#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "controlplane/access/current_policies.h"
#include "controlplane/identity/issuers.h"
#include "controlplane/model/caller.h"
#include "controlplane/rpc/roles.h"
#include "controlplane/store/database.h"

namespace sallyport::controlplane {

// When certificates that TLS has verified were made, each parsed once. Thread-safe.
class CertificateDates {
 public:
  // CertificateAuthority::MadeAt of it.
  absl::StatusOr<absl::Time> MadeAt(std::string_view pem);

 private:
  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, absl::Time> made_at_ ABSL_GUARDED_BY(mutex_);
};

// From what a connection or a call has proved to who it is. Thread-safe.
class IdentifyCaller {
 public:
  // They outlive it.
  struct Needs {
    Issuers& issuers;
    Database& control;
    CurrentPolicies& policies;
    const Clock& clock;
  };
  IdentifyCaller(const Needs& needs, Roles roles) : needs_(needs), roles_(std::move(roles)) {}

  // By the value of the authorization header, which must be one `Bearer TOKEN`. Refused with
  // TOKEN_MISSING, TOKEN_INVALID, TOKEN_EXPIRED or ISSUER_UNAVAILABLE. May wait for an issuer, 5 s
  // at most.
  absl::StatusOr<Caller> Person(std::string_view authorization, std::string address) const;

  // By the client certificate that TLS has verified against our CA: its only URI names the agent,
  // which must have enrolled, not since the certificate was made, and must not be banned (LOCKED).
  absl::StatusOr<Caller> Agent(const grpc::AuthContext& connection, std::string address) const;

  // LOCKED, naming the lock, where one shuts the person out of everything
  // (CompiledPolicies::LockOut): who is locked out neither decides nor manages nor reads. A lock
  // that names no principal keeps nobody from deleting it. OK for whoever is no person.
  absl::Status CheckLock(const Caller& caller) const;
  // Whether a person whom a stream has let in would be let in now: TOKEN_INVALID where the issuer
  // has withdrawn the key that signed his token, LOCKED as above. OK for whoever is no person.
  absl::Status CheckStillIn(const Caller& caller) const;
  // CheckLock about one call of `method`, whose refusal goes to the audit log.
  absl::Status RefuseLocked(const Caller& caller, std::string_view method) const;

  const Roles& roles() const { return roles_; }

 private:
  absl::Status CheckEnrollment(const grpc::AuthContext& connection, absl::Time enrolled_at) const;

  const Needs needs_;
  const Roles roles_;
  mutable CertificateDates dates_;
};

// The IP address in gRPC's name of a peer (`ipv4:127.0.0.1:50000`, `ipv6:%5B::1%5D:50000`), an
// IPv4-mapped one as IPv4. Empty for a unix socket.
std::string AddressOfPeer(std::string_view peer);

}  // namespace sallyport::controlplane
