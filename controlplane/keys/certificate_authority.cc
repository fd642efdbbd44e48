#include "controlplane/keys/certificate_authority.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <climits>
#include <ctime>
#include <utility>

#include "absl/status/status.h"
#include "common/status_macros.h"
#include "controlplane/keys/certificate_builder.h"
#include "controlplane/keys/key_fingerprint.h"

namespace sallyport::controlplane {
namespace {

// For clocks of agents that run behind ours.
constexpr absl::Duration kBackdate = absl::Minutes(5);
constexpr absl::Duration kCaLifetime = absl::Hours(24 * 3652);
constexpr std::size_t kMaxRequestBytes = 16 * 1024;
constexpr std::size_t kMaxNameBytes = 253;

struct Deleter {
  void operator()(BIO* bio) const { BIO_free_all(bio); }
  void operator()(X509_REQ* request) const { X509_REQ_free(request); }
};

bool IsAgentName(std::string_view name) {
  const auto is_alnum = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= 63 && is_alnum(name.front()) &&
         std::all_of(name.begin(), name.end(),
                     [&](char c) { return is_alnum(c) || c == '.' || c == '_' || c == '-'; });
}

bool IsDnsName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '-' || c == '_';
         });
}

// Network order. Empty: `text` is no IP address.
std::string AddressBytes(const std::string& text) {
  in_addr v4{};
  in6_addr v6{};
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) {
    return {reinterpret_cast<const char*>(&v4), sizeof v4};
  }
  if (inet_pton(AF_INET6, text.c_str(), &v6) == 1) {
    return {reinterpret_cast<const char*>(&v6), sizeof v6};
  }
  return {};
}

// Its public key is all that is taken: names and extensions that it asks for mean nothing.
absl::StatusOr<PrivateKey> KeyOfRequest(std::string_view pem) {
  if (pem.size() > kMaxRequestBytes) {
    return absl::InvalidArgumentError("certificate request is too long");
  }
  std::unique_ptr<BIO, Deleter> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  std::unique_ptr<X509_REQ, Deleter> request(
      bio == nullptr ? nullptr : PEM_read_bio_X509_REQ(bio.get(), nullptr, nullptr, nullptr));
  if (request == nullptr) {
    return absl::InvalidArgumentError("no certificate request in PEM: " + OpenSslError());
  }
  PrivateKey key(X509_REQ_get_pubkey(request.get()));
  if (key == nullptr || !IsP256(*key)) {
    OpenSslError();
    return absl::InvalidArgumentError("certificate request must be for an ECDSA key on P-256");
  }
  if (X509_REQ_verify(request.get(), key.get()) != 1) {
    OpenSslError();
    return absl::InvalidArgumentError("certificate request is not signed by its key");
  }
  return key;
}

}  // namespace

absl::StatusOr<Certificate> CertificateAuthority::MakeCertificate(const EVP_PKEY& key,
                                                                  absl::Time now) {
  const std::string name = "Sallyport CA " + KeyFingerprint(key).substr(0, 8);
  return CertificateBuilder(name, key, now - kBackdate, now + kCaLifetime).SignCa(key);
}

CertificateAuthority::CertificateAuthority(PrivateKey key, Certificate certificate,
                                           const Clock& clock)
    : key_(std::move(key)),
      certificate_(std::move(certificate)),
      certificate_pem_(CertificateToPem(*certificate_)),
      fingerprint_(KeyFingerprint(*key_)),
      clock_(clock) {}

absl::StatusOr<IssuedCertificate> CertificateAuthority::SignAgent(
    std::string_view certificate_request, std::string_view agent) const {
  if (!IsAgentName(agent)) return absl::InvalidArgumentError("not the name of an agent");
  ASSIGN_OR_RETURN(const PrivateKey key, KeyOfRequest(certificate_request));
  const absl::Time now = clock_.Now();
  ASSIGN_OR_RETURN(const Certificate leaf,
                   CertificateBuilder(agent, *key, now - kBackdate, now + kAgentLifetime)
                       .Uri("spiffe://sallyport/agent/" + std::string(agent))
                       .SignLeaf("clientAuth", *certificate_, *key_));
  return IssuedCertificate{CertificateToPem(*leaf) + certificate_pem_, NotAfter(*leaf)};
}

absl::StatusOr<absl::Time> CertificateAuthority::MadeAt(std::string_view certificate) {
  const std::unique_ptr<BIO, Deleter> bio(
      BIO_new_mem_buf(certificate.data(), static_cast<int>(certificate.size())));
  const Certificate parsed(
      bio == nullptr ? nullptr : PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  std::tm since{};
  if (parsed == nullptr || ASN1_TIME_to_tm(X509_get0_notBefore(parsed.get()), &since) != 1) {
    return absl::InvalidArgumentError("no certificate in PEM: " + OpenSslError());
  }
  return absl::FromTM(since, absl::UTCTimeZone()) + kBackdate;
}

absl::StatusOr<ServerIdentity> CertificateAuthority::MakeServerIdentity(
    const std::vector<std::string>& names) const {
  if (names.empty()) return absl::InvalidArgumentError("a server certificate needs a name");
  const PrivateKey key = GenerateKey();
  const absl::Time now = clock_.Now();
  CertificateBuilder builder("Sallyport control plane", *key, now - kBackdate,
                             now + kServerLifetime);
  for (const std::string& name : names) {
    const std::string address = AddressBytes(name);
    if (!address.empty()) {
      builder.Ip(address);
    } else if (IsDnsName(name)) {
      builder.Dns(name);
    } else {
      return absl::InvalidArgumentError("\"" + name + "\" is neither a DNS name nor an IP address");
    }
  }
  ASSIGN_OR_RETURN(const Certificate leaf, builder.SignLeaf("serverAuth", *certificate_, *key_));
  return ServerIdentity{.key = KeyToPem(*key),
                        .chain = CertificateToPem(*leaf) + certificate_pem_,
                        .not_after = NotAfter(*leaf),
                        .renew_at = now + kServerLifetime * 2 / 3};
}

absl::StatusOr<std::string> CertificateAuthority::CertifySigner(const EVP_PKEY& key,
                                                                std::string_view uri) const {
  // A purpose that no TLS peer takes: this key speaks in signed documents only.
  ASSIGN_OR_RETURN(
      const Certificate leaf,
      CertificateBuilder("Sallyport signer", key, clock_.Now() - kBackdate, NotAfter(*certificate_))
          .Uri(uri)
          .SignLeaf("codeSigning", *certificate_, *key_));
  return CertificateToPem(*leaf);
}

}  // namespace sallyport::controlplane
