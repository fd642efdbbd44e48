#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/tls.h"

namespace sallyport::controlplane {

// A certificate with what is needed to show it.
struct IssuedCertificate {
  // PEM, the leaf first, the CA last.
  std::string chain;
  absl::Time not_after;
};

// A server's key and certificate.
struct ServerIdentity {
  std::string key;    // PEM
  std::string chain;  // PEM, the leaf first, the CA last
  absl::Time not_after;
  // When to make the next one: at two thirds of its life.
  absl::Time renew_at;
};

// The deployment's own authority: what agents pin and what signs their certificates. One P-256 key
// in data_dir. Immutable; thread-safe.
class CertificateAuthority {
 public:
  static constexpr absl::Duration kAgentLifetime = absl::Hours(24);
  static constexpr absl::Duration kServerLifetime = absl::Hours(24 * 30);

  // The certificate of a new authority: ten years from now.
  static absl::StatusOr<Certificate> MakeCertificate(const EVP_PKEY& key, absl::Time now);

  // `certificate` is the key's; `clock` outlives the authority.
  CertificateAuthority(PrivateKey key, Certificate certificate, const Clock& clock);

  // PEM.
  const std::string& certificate() const { return certificate_pem_; }
  // SHA-256 of the SubjectPublicKeyInfo, lower-case hex: the pin of join strings.
  const std::string& fingerprint() const { return fingerprint_; }

  // A client certificate for the agent, 24 hours from now and valid since 5 minutes. Of the request
  // (PKCS#10, PEM) only the public key is taken, and it must have signed the request.
  // kInvalidArgument when it is no such request or the key is not P-256.
  absl::StatusOr<IssuedCertificate> SignAgent(std::string_view certificate_request,
                                              std::string_view agent) const;

  // When SignAgent made this certificate (PEM), cut to whole seconds. kInvalidArgument: it is none.
  static absl::StatusOr<absl::Time> MadeAt(std::string_view certificate);

  // A fresh key and a server certificate for DNS names and IP addresses. kInvalidArgument when a
  // name is neither.
  absl::StatusOr<ServerIdentity> MakeServerIdentity(const std::vector<std::string>& names) const;

  // A certificate that lasts as long as the CA for a key of the control plane itself, with this URI
  // as its only name.
  absl::StatusOr<std::string> CertifySigner(const EVP_PKEY& key, std::string_view uri) const;

 private:
  PrivateKey key_;
  Certificate certificate_;
  std::string certificate_pem_;
  std::string fingerprint_;
  const Clock& clock_;
};

// The names under which agents look for the doors.
inline constexpr char kAgentsDoor[] = "agents.sallyport";
inline constexpr char kEnrollDoor[] = "enroll.sallyport";

}  // namespace sallyport::controlplane
