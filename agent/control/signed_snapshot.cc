#include "agent/control/signed_snapshot.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "common/tls.h"

namespace sallyport::agent {
namespace {

constexpr char kSignerName[] = "spiffe://sallyport/control-plane";
constexpr std::string_view kTag = "sallyport-snapshot-v1";
constexpr std::size_t kNumberBytes = 32;

bool IsP256(const EVP_PKEY& key) {
  char name[32];
  return EVP_PKEY_get_base_id(&key) == EVP_PKEY_EC &&
         EVP_PKEY_get_group_name(&key, name, sizeof name, nullptr) == 1 &&
         std::string_view(name) == "prime256v1";
}

// r || s (IEEE P1363) in the DER that OpenSSL takes. Empty when it cannot be.
std::string ToDer(std::string_view signature) {
  std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> pair(ECDSA_SIG_new(), ECDSA_SIG_free);
  const auto* bytes = reinterpret_cast<const unsigned char*>(signature.data());
  BIGNUM* r = BN_bin2bn(bytes, kNumberBytes, nullptr);
  BIGNUM* s = BN_bin2bn(bytes + kNumberBytes, kNumberBytes, nullptr);
  if (pair == nullptr || r == nullptr || s == nullptr || ECDSA_SIG_set0(pair.get(), r, s) != 1) {
    BN_free(r);
    BN_free(s);
    return "";
  }
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(pair.get(), &der);
  std::string text;
  if (size > 0) text.assign(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return text;
}

// Over SHA-256 of what was signed.
bool IsSignedBy(const X509& certificate, std::string_view digest, std::string_view signature) {
  EVP_PKEY* key = X509_get0_pubkey(&certificate);
  if (key == nullptr || !IsP256(*key) || signature.size() != 2 * kNumberBytes) return false;
  const std::string der = ToDer(signature);
  std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> context(
      EVP_PKEY_CTX_new(key, nullptr), EVP_PKEY_CTX_free);
  if (der.empty() || context == nullptr || EVP_PKEY_verify_init(context.get()) != 1) return false;
  const bool is_good =
      EVP_PKEY_verify(context.get(), reinterpret_cast<const unsigned char*>(der.data()), der.size(),
                      reinterpret_cast<const unsigned char*>(digest.data()), digest.size()) == 1;
  OpenSslError();
  return is_good;
}

absl::Status Refused(std::string_view why) {
  return absl::UnauthenticatedError(
      absl::StrCat("the snapshot is not the control plane's: ", ToAbsl(why)));
}

}  // namespace

absl::StatusOr<v1::Snapshot> VerifySnapshot(const v1::SignedSnapshot& signed_snapshot,
                                            std::string_view ca, absl::Time now) {
  ASSIGN_OR_RETURN(const std::vector<Certificate> roots, CertificatesFromPem(ca));
  absl::StatusOr<std::vector<Certificate>> chain =
      CertificatesFromPem(signed_snapshot.certificate());
  if (!chain.ok()) return Refused(ToStd(chain.status().message()));
  const X509& signer = *chain->front();
  if (const absl::Status status = VerifyChain(signer, *chain, *roots.front(), now); !status.ok()) {
    return Refused(ToStd(status.message()));
  }
  // Agents' certificates lead to the same CA: the name tells them apart.
  if (UriNames(signer) != std::vector<std::string>{kSignerName})
    return Refused("its signer has another name");
  const std::string digest = Sha256(absl::StrCat(ToAbsl(kTag), signed_snapshot.snapshot()));
  if (!IsSignedBy(signer, digest, signed_snapshot.signature()))
    return Refused("its signature is wrong");
  v1::Snapshot snapshot;
  if (!snapshot.ParseFromString(signed_snapshot.snapshot())) return Refused("it does not parse");
  return snapshot;
}

}  // namespace sallyport::agent
