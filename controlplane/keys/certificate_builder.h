#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/tls.h"

namespace sallyport::controlplane {

// Makes one X.509 version 3 certificate with a random serial number. A step that fails shows in
// Sign.
class CertificateBuilder {
 public:
  CertificateBuilder(std::string_view common_name, const EVP_PKEY& public_key,
                     absl::Time not_before, absl::Time not_after);

  // Subject alternative names, taken as they are.
  CertificateBuilder& Uri(std::string_view uri);
  CertificateBuilder& Dns(std::string_view name);
  // 4 or 16 bytes.
  CertificateBuilder& Ip(std::string_view address);

  // The authority's own: signed with the key it certifies.
  absl::StatusOr<Certificate> SignCa(const EVP_PKEY& key);
  // Anybody else's; `purpose` is OpenSSL's name of an extended key usage.
  absl::StatusOr<Certificate> SignLeaf(const char* purpose, const X509& issuer,
                                       const EVP_PKEY& issuer_key);

 private:
  struct NamesDeleter {
    void operator()(void* names) const;
  };

  void AddName(int type, std::string_view bytes);
  void AddExtension(const X509* issuer, int nid, const char* value);
  void AddNames();
  absl::StatusOr<Certificate> Finish(const EVP_PKEY& key);

  Certificate certificate_;
  std::unique_ptr<void, NamesDeleter> names_;  // GENERAL_NAMES
  bool ok_ = true;
};

}  // namespace sallyport::controlplane
