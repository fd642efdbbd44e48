#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/tls.h"
#include "controlplane/keys/certificate_authority.h"
#include "sallyport/agent/v1/snapshot_service.pb.h"

namespace sallyport::controlplane {

// Signs what agents are told to enforce. Immutable; thread-safe.
class SnapshotSigner {
 public:
  static constexpr char kUri[] = "spiffe://sallyport/control-plane";

  // kInvalidArgument unless the key is P-256.
  static absl::StatusOr<std::unique_ptr<SnapshotSigner>> Create(PrivateKey key,
                                                                const CertificateAuthority& ca);

  agent::v1::SignedSnapshot Sign(const agent::v1::Snapshot& snapshot) const;

  // SHA-256 of the SubjectPublicKeyInfo, lower-case hex.
  const std::string& fingerprint() const { return fingerprint_; }

 private:
  SnapshotSigner() = default;
  PrivateKey key_;
  std::string certificate_;
  std::string fingerprint_;
};

}  // namespace sallyport::controlplane
