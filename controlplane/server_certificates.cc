#include "controlplane/server_certificates.h"

#include <algorithm>
#include <utility>

#include "common/file.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "controlplane/rpc/socket.h"

namespace sallyport::controlplane {
namespace {

// In order, without repetition and without what is no name.
absl::StatusOr<std::vector<std::string>> Names(const config::v1::ControlPlaneConfig& config,
                                               const std::string& address) {
  std::vector<std::string> names = {kAgentsDoor, kEnrollDoor};
  const auto add = [&](const std::string& name) {
    if (name == "0.0.0.0" || name == "::") return;
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  };
  if (!config.public_address().empty()) {
    ASSIGN_OR_RETURN(const HostPort parts, SplitHostPort(config.public_address()));
    add(parts.host);
  }
  ASSIGN_OR_RETURN(const HostPort bound, SplitHostPort(address));
  add(bound.host);
  add("localhost");
  add("127.0.0.1");
  return names;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ServerCertificates>> ServerCertificates::Create(
    const config::v1::ControlPlaneConfig& config, const std::string& address,
    const CertificateAuthority& ca, const Clock& clock) {
  const std::string dir = config.data_dir() + "/tls";
  RETURN_IF_ERROR(EnsurePrivateDirectory(dir));
  ASSIGN_OR_RETURN(std::vector<std::string> names, Names(config, address));
  std::unique_ptr<ServerCertificates> certificates(
      new ServerCertificates({.key_file = dir + "/server.key", .chain_file = dir + "/server.pem"},
                             std::move(names), ca, clock));
  RETURN_IF_ERROR(certificates->Renew());
  return certificates;
}

ServerCertificates::ServerCertificates(TlsIdentityFiles files, std::vector<std::string> names,
                                       const CertificateAuthority& ca, const Clock& clock)
    : files_(std::move(files)), names_(std::move(names)), ca_(ca), clock_(clock) {}

absl::Status ServerCertificates::RenewIfDue() {
  if (clock_.Now() < renew_at_) return absl::OkStatus();
  return Renew();
}

absl::Status ServerCertificates::Renew() {
  ASSIGN_OR_RETURN(const ServerIdentity identity, ca_.MakeServerIdentity(names_));
  RETURN_IF_ERROR(WriteFileAtomically(files_.key_file, identity.key, 0600));
  RETURN_IF_ERROR(WriteFileAtomically(files_.chain_file, identity.chain, 0644));
  renew_at_ = identity.renew_at;
  LogInfo("server_certificate_made", {{"not_after", identity.not_after}});
  return absl::OkStatus();
}

}  // namespace sallyport::controlplane
