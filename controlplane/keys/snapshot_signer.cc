#include "controlplane/keys/snapshot_signer.h"

#include <string_view>
#include <utility>

#include "common/status_macros.h"
#include "controlplane/keys/es256.h"
#include "controlplane/keys/key_fingerprint.h"

namespace sallyport::controlplane {
namespace {

constexpr std::string_view kTag = "sallyport-snapshot-v1";

}  // namespace

absl::StatusOr<std::unique_ptr<SnapshotSigner>> SnapshotSigner::Create(
    PrivateKey key, const CertificateAuthority& ca) {
  if (!IsP256(*key)) return absl::InvalidArgumentError("no P-256 key");
  auto signer = std::unique_ptr<SnapshotSigner>(new SnapshotSigner());
  signer->fingerprint_ = KeyFingerprint(*key);
  ASSIGN_OR_RETURN(signer->certificate_, ca.CertifySigner(*key, kUri));
  signer->key_ = std::move(key);
  return signer;
}

agent::v1::SignedSnapshot SnapshotSigner::Sign(const agent::v1::Snapshot& snapshot) const {
  agent::v1::SignedSnapshot result;
  snapshot.SerializeToString(result.mutable_snapshot());
  result.set_signature(SignEs256(*key_, std::string(kTag) + result.snapshot()));
  result.set_certificate(certificate_);
  return result;
}

}  // namespace sallyport::controlplane
