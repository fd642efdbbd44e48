#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "controlplane/keys/certificate_authority.h"
#include "controlplane/rpc/tls_credentials.h"
#include "sallyport/config/v1/controlplane_config.pb.h"

namespace sallyport::controlplane {

// The certificate under which the doors are found: one of our own CA, made anew at each start and
// when two thirds of its life are over, in data_dir/tls where the servers look for it.
class ServerCertificates {
 public:
  // `address` is the listener's as bound. `ca` and `clock` outlive it.
  static absl::StatusOr<std::unique_ptr<ServerCertificates>> Create(
      const config::v1::ControlPlaneConfig& config, const std::string& address,
      const CertificateAuthority& ca, const Clock& clock);

  // For agents and enrollment; and for people, unless they are shown the configuration's own.
  const TlsIdentityFiles& files() const { return files_; }

  absl::Status RenewIfDue();

 private:
  ServerCertificates(TlsIdentityFiles files, std::vector<std::string> names,
                     const CertificateAuthority& ca, const Clock& clock);
  absl::Status Renew();

  const TlsIdentityFiles files_;
  const std::vector<std::string> names_;
  const CertificateAuthority& ca_;
  const Clock& clock_;
  absl::Time renew_at_;
};

}  // namespace sallyport::controlplane
