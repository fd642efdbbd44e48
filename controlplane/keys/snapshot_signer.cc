#include "controlplane/keys/snapshot_signer.h"

#include <openssl/ecdsa.h>
#include <openssl/evp.h>

#include <cstdlib>
#include <utility>

#include "common/status_macros.h"
#include "common/strings.h"
#include "controlplane/keys/key_fingerprint.h"

namespace sallyport::controlplane {
namespace {

constexpr std::string_view kTag = "sallyport-snapshot-v1";
constexpr int kCoordinateBytes = 32;

struct Deleter {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  void operator()(ECDSA_SIG* signature) const { ECDSA_SIG_free(signature); }
};

const unsigned char* Bytes(const std::string& text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// Signing with a good key fails only without memory or with a broken library.
void Require(bool ok) {
  if (!ok) std::abort();
}

// r||s, 64 bytes.
std::string SignEs256(EVP_PKEY* key, const std::string& message) {
  std::unique_ptr<EVP_MD_CTX, Deleter> context(EVP_MD_CTX_new());
  std::size_t length = 0;
  Require(context != nullptr &&
          EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key) == 1 &&
          EVP_DigestSign(context.get(), nullptr, &length, Bytes(message), message.size()) == 1);
  std::string der(length, '\0');
  Require(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(der.data()), &length,
                         Bytes(message), message.size()) == 1);
  const unsigned char* begin = Bytes(der);
  std::unique_ptr<ECDSA_SIG, Deleter> pair(
      d2i_ECDSA_SIG(nullptr, &begin, static_cast<long>(length)));
  Require(pair != nullptr);
  std::string signature(2 * kCoordinateBytes, '\0');
  auto* out = reinterpret_cast<unsigned char*>(signature.data());
  Require(BN_bn2binpad(ECDSA_SIG_get0_r(pair.get()), out, kCoordinateBytes) == kCoordinateBytes &&
          BN_bn2binpad(ECDSA_SIG_get0_s(pair.get()), out + kCoordinateBytes, kCoordinateBytes) ==
              kCoordinateBytes);
  return signature;
}

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
  result.set_signature(SignEs256(key_.get(), std::string(kTag) + result.snapshot()));
  result.set_certificate(certificate_);
  return result;
}

}  // namespace sallyport::controlplane
