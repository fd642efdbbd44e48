#include "controlplane/keys/deployment_keys.h"

#include <utility>

#include "absl/status/status.h"
#include "common/file.h"
#include "common/status_macros.h"
#include "controlplane/keys/key_fingerprint.h"

namespace sallyport::controlplane {
namespace {

constexpr mode_t kPublicMode = 0644;

absl::Status Foreign(const std::string& path, const std::string& what) {
  return absl::FailedPreconditionError(path + ": " + what +
                                       ": restore the file that belongs to this database");
}

// The key in the file; at the first start (`remembered` unset) a file that is not there is made.
absl::StatusOr<PrivateKey> OpenKey(const std::string& path,
                                   const std::optional<std::string>& remembered) {
  absl::StatusOr<PrivateKey> key = LoadKey(path);
  if (absl::IsNotFound(key.status()) && !remembered.has_value()) {
    PrivateKey fresh = GenerateKey();
    RETURN_IF_ERROR(SaveKey(path, *fresh));
    return fresh;
  }
  if (absl::IsNotFound(key.status())) return Foreign(path, "the key is lost");
  if (!key.ok()) return key.status();
  if (!IsP256(**key)) return Foreign(path, "not a P-256 key");
  if (remembered.has_value() && KeyFingerprint(**key) != *remembered) {
    return Foreign(path, "the key of another deployment");
  }
  return key;
}

// The CA's certificate beside its key. Where it is gone it is made again: it says nothing that the
// key does not.
absl::StatusOr<Certificate> OpenCaCertificate(const std::string& path, const EVP_PKEY& key,
                                              absl::Time now) {
  const absl::StatusOr<std::string> pem = ReadFile(path);
  if (absl::IsNotFound(pem.status())) {
    ASSIGN_OR_RETURN(Certificate fresh, CertificateAuthority::MakeCertificate(key, now));
    RETURN_IF_ERROR(WriteFileAtomically(path, CertificateToPem(*fresh), kPublicMode));
    return fresh;
  }
  if (!pem.ok()) return pem.status();
  absl::StatusOr<std::vector<Certificate>> certificates = CertificatesFromPem(*pem);
  if (!certificates.ok() || certificates->size() != 1 || !IsCa(*certificates->front())) {
    return Foreign(path, "not one CA certificate");
  }
  if (!Matches(*certificates->front(), key)) {
    return Foreign(path, "not the certificate of keys/ca.key");
  }
  if (NotAfter(*certificates->front()) <= now) {
    return absl::FailedPreconditionError(path + ": the CA's certificate has expired");
  }
  return std::move(certificates->front());
}

}  // namespace

absl::StatusOr<std::unique_ptr<DeploymentKeys>> DeploymentKeys::Open(
    const std::string& data_dir, const Clock& clock, const KeyFingerprints& remembered) {
  const std::string dir = data_dir + "/keys";
  RETURN_IF_ERROR(EnsurePrivateDirectory(data_dir));
  RETURN_IF_ERROR(EnsurePrivateDirectory(dir));
  ASSIGN_OR_RETURN(PrivateKey ca_key, OpenKey(dir + "/ca.key", remembered.ca));
  ASSIGN_OR_RETURN(PrivateKey grant_key, OpenKey(dir + "/grant.key", remembered.grant));
  ASSIGN_OR_RETURN(PrivateKey snapshot_key, OpenKey(dir + "/snapshot.key", remembered.snapshot));
  ASSIGN_OR_RETURN(Certificate certificate,
                   OpenCaCertificate(data_dir + "/ca.pem", *ca_key, clock.Now()));

  auto keys = std::unique_ptr<DeploymentKeys>(new DeploymentKeys());
  keys->ca_ =
      std::make_unique<CertificateAuthority>(std::move(ca_key), std::move(certificate), clock);
  ASSIGN_OR_RETURN(keys->grant_signer_, GrantSigner::Create(std::move(grant_key)));
  ASSIGN_OR_RETURN(keys->snapshot_signer_,
                   SnapshotSigner::Create(std::move(snapshot_key), *keys->ca_));
  ASSIGN_OR_RETURN(keys->effect_keys_, EffectKeys::Open(dir + "/effect.key", remembered.effect));
  return keys;
}

KeyFingerprints DeploymentKeys::fingerprints() const {
  return {ca_->fingerprint(), grant_signer_->fingerprint(), snapshot_signer_->fingerprint(),
          effect_keys_->fingerprint()};
}

}  // namespace sallyport::controlplane
