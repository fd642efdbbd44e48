#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "controlplane/model/caller.h"
#include "controlplane/store/database.h"
#include "sallyport/admin/v1/agent_service.pb.h"
#include "sallyport/agent/v1/enrollment_service.pb.h"

namespace sallyport::controlplane {

class CertificateAuthority;

// How an agent gets its certificate, and keeps having one.
class EnrollAgent {
 public:
  // All of them outlive it.
  EnrollAgent(Database& control, const Clock& clock, const CertificateAuthority& ca)
      : control_(control), clock_(clock), ca_(ca) {}

  // Anybody on the enrollment door, from `address`: the secret decides, and of all who bring it one
  // is enrolled. kUnauthenticated (JOIN_TOKEN_INVALID) where it is unknown, used or expired;
  // kInvalidArgument for a bad certificate request, which uses nothing up.
  absl::StatusOr<agent::v1::EnrollResponse> Run(const std::string& address,
                                                const agent::v1::EnrollRequest& request);

  // An enrolled agent, for itself.
  absl::StatusOr<agent::v1::RenewCertificateResponse> Run(
      const Caller& caller, const agent::v1::RenewCertificateRequest& request);

 private:
  Database& control_;
  const Clock& clock_;
  const CertificateAuthority& ca_;
};

// Makes join strings for agents that are to come.
class CreateJoinToken {
 public:
  static constexpr absl::Duration kLifetime = absl::Minutes(10);

  // `public_address`: the host:port that join strings name. All of them outlive it.
  CreateJoinToken(Database& control, const Clock& clock, const CertificateAuthority& ca,
                  std::string public_address)
      : control_(control), clock_(clock), ca_(ca), public_address_(std::move(public_address)) {}

  // Admins.
  absl::StatusOr<admin::v1::CreateJoinTokenResponse> Run(
      const Caller& caller, const admin::v1::CreateJoinTokenRequest& request);

 private:
  Database& control_;
  const Clock& clock_;
  const CertificateAuthority& ca_;
  const std::string public_address_;
};

}  // namespace sallyport::controlplane
