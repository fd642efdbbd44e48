#pragma once

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <string>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/random.h"
#include "common/tls.h"

namespace sallyport {

// A certificate authority of the test's own, on P-256.
class TestCa {
 public:
  struct Names {
    std::string uri;
    std::string dns;
    absl::Duration lifetime = absl::Hours(24);
    absl::Time not_before = absl::Now() - absl::Minutes(1);
  };

  TestCa() : key_(GenerateKey()) {
    certificate_ =
        Make(*key_, nullptr, *key_, "test ca",
             {.lifetime = absl::Hours(24 * 365), .not_before = absl::Now() - absl::Hours(48)},
             /*is_ca=*/true);
  }

  std::string pem() const { return CertificateToPem(*certificate_); }
  std::string pin() const { return SpkiSha256(*certificate_); }
  const EVP_PKEY& key() const { return *key_; }

  // A leaf for `key`, in PEM.
  std::string Issue(const EVP_PKEY& key, const Names& names) const {
    return CertificateToPem(*Make(key, certificate_.get(), *key_, "leaf", names, /*is_ca=*/false));
  }
  // The same for the key of a PKCS#10 request in PEM; empty when it does not parse or its signature
  // is wrong.
  std::string IssueForRequest(const std::string& request_pem, const Names& names) const {
    BIO* bio = BIO_new_mem_buf(request_pem.data(), static_cast<int>(request_pem.size()));
    X509_REQ* request = PEM_read_bio_X509_REQ(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
    std::string issued;
    if (request != nullptr && X509_REQ_verify(request, X509_REQ_get0_pubkey(request)) == 1) {
      issued = Issue(*X509_REQ_get0_pubkey(request), names);
    }
    X509_REQ_free(request);
    return issued;
  }
  // A leaf for `key` that `issuer`, which need be no CA, signs with `issuer_key`.
  std::string IssueUnder(const X509& issuer, const EVP_PKEY& issuer_key,
                         const EVP_PKEY& key) const {
    return CertificateToPem(*Make(key, &issuer, issuer_key, "under", {}, /*is_ca=*/false));
  }

 private:
  static void Require(bool ok) {
    if (!ok) std::abort();
  }

  static void Extend(X509* certificate, const X509* issuer, int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, const_cast<X509*>(issuer), certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
    Require(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
  }

  static Certificate Make(const EVP_PKEY& key, const X509* issuer, const EVP_PKEY& issuer_key,
                          const char* common_name, const Names& names, bool is_ca) {
    Certificate certificate(X509_new());
    X509* x = certificate.get();
    Require(X509_set_version(x, X509_VERSION_3) == 1);
    std::string serial = RandomBytes(16);
    serial[0] &= 0x7F;
    BIGNUM* number = BN_bin2bn(reinterpret_cast<const unsigned char*>(serial.data()), 16, nullptr);
    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x));
    BN_free(number);
    ASN1_TIME_set(X509_getm_notBefore(x), absl::ToTimeT(names.not_before));
    ASN1_TIME_set(X509_getm_notAfter(x),
                  absl::ToTimeT(names.not_before) + absl::ToInt64Seconds(names.lifetime));
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(common_name), -1, -1, 0);
    X509_set_issuer_name(
        x, issuer == nullptr ? X509_get_subject_name(x) : X509_get_subject_name(issuer));
    X509_set_pubkey(x, const_cast<EVP_PKEY*>(&key));
    const X509* by = issuer == nullptr ? x : issuer;
    Extend(x, by, NID_basic_constraints, is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    Extend(x, by, NID_key_usage,
           is_ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
    Extend(x, by, NID_subject_key_identifier, "hash");
    if (!names.uri.empty() || !names.dns.empty()) {
      std::string value;
      if (!names.uri.empty()) value += "URI:" + names.uri;
      if (!names.dns.empty()) value += (value.empty() ? "DNS:" : ",DNS:") + names.dns;
      Extend(x, by, NID_subject_alt_name, value);
    }
    Require(X509_sign(x, const_cast<EVP_PKEY*>(&issuer_key), EVP_sha256()) > 0);
    return certificate;
  }

  PrivateKey key_;
  Certificate certificate_;
};

}  // namespace sallyport
