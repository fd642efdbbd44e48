#pragma once

#include <openssl/types.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

// Keys, certificate requests and certificates. Everything travels as PEM.
namespace sallyport {

struct OpenSslDeleter {
  void operator()(EVP_PKEY* key) const;
  void operator()(X509* certificate) const;
};
using PrivateKey = std::unique_ptr<EVP_PKEY, OpenSslDeleter>;
using Certificate = std::unique_ptr<X509, OpenSslDeleter>;

// A new ECDSA key on P-256.
PrivateKey GenerateKey();
// PKCS#8, not encrypted.
std::string KeyToPem(const EVP_PKEY& key);
absl::StatusOr<PrivateKey> KeyFromPem(std::string_view pem);

// A file of mode 0600, written as WriteFileAtomically does; read as ReadSecretFile does.
absl::Status SaveKey(const std::string& path, const EVP_PKEY& key);
absl::StatusOr<PrivateKey> LoadKey(const std::string& path);

// PKCS#10 in PEM, signed by `key`; the subject is only a common name.
absl::StatusOr<std::string> MakeCertificateRequest(const EVP_PKEY& key,
                                                   std::string_view common_name);

// All certificates of a PEM text, in order; kInvalidArgument when there is none or one does not
// parse.
absl::StatusOr<std::vector<Certificate>> CertificatesFromPem(std::string_view pem);
std::string CertificateToPem(const X509& certificate);

// SHA-256 of the SubjectPublicKeyInfo in DER, lower-case hex: what join strings pin.
std::string SpkiSha256(const X509& certificate);

absl::Time NotBefore(const X509& certificate);
absl::Time NotAfter(const X509& certificate);
// basicConstraints CA:TRUE, and keyUsage, where there is one, lets it sign certificates.
bool IsCa(const X509& certificate);
// The URI subject alternative names, in order.
std::vector<std::string> UriNames(const X509& certificate);
// Whether `key` is the private half of the certificate's key.
bool Matches(const X509& certificate, const EVP_PKEY& key);

// Whether `leaf` leads to `ca` (directly, or through `chain`) at `now`. kUnauthenticated with
// OpenSSL's words otherwise. Judges no name and no purpose.
absl::Status VerifyChain(const X509& leaf, const std::vector<Certificate>& chain, const X509& ca,
                         absl::Time now);

// The oldest error of OpenSSL's queue in words, and empties the queue.
std::string OpenSslError();

}  // namespace sallyport
