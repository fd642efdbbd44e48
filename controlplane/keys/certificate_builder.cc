#include "controlplane/keys/certificate_builder.h"

#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <utility>

#include "absl/status/status.h"
#include "common/random.h"

namespace sallyport::controlplane {
namespace {

constexpr std::size_t kSerialBytes = 16;

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

bool SetSerial(X509* certificate) {
  std::string bytes = RandomBytes(kSerialBytes);
  bytes[0] = static_cast<char>((bytes[0] & 0x7f) | 0x40);  // positive, and always as long
  BIGNUM* number = BN_bin2bn(Bytes(bytes), static_cast<int>(bytes.size()), nullptr);
  const bool ok = number != nullptr &&
                  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nullptr;
  BN_free(number);
  return ok;
}

bool SetCommonName(X509_NAME* name, std::string_view text) {
  return X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, Bytes(text),
                                    static_cast<int>(text.size()), -1, 0) == 1;
}

// OpenSSL reads these and does not change them, but its interface is not const.
EVP_PKEY* Mutable(const EVP_PKEY& key) { return const_cast<EVP_PKEY*>(&key); }
X509* Mutable(const X509* certificate) { return const_cast<X509*>(certificate); }

}  // namespace

void CertificateBuilder::NamesDeleter::operator()(void* names) const {
  GENERAL_NAMES_free(static_cast<GENERAL_NAMES*>(names));
}

CertificateBuilder::CertificateBuilder(std::string_view common_name, const EVP_PKEY& public_key,
                                       absl::Time not_before, absl::Time not_after)
    : certificate_(X509_new()), names_(GENERAL_NAMES_new()) {
  X509* certificate = certificate_.get();
  ok_ = certificate != nullptr && names_ != nullptr &&
        X509_set_version(certificate, X509_VERSION_3) == 1 && SetSerial(certificate) &&
        SetCommonName(X509_get_subject_name(certificate), common_name) &&
        ASN1_TIME_set(X509_getm_notBefore(certificate), absl::ToTimeT(not_before)) != nullptr &&
        ASN1_TIME_set(X509_getm_notAfter(certificate), absl::ToTimeT(not_after)) != nullptr &&
        X509_set_pubkey(certificate, Mutable(public_key)) == 1;
}

CertificateBuilder& CertificateBuilder::Uri(std::string_view uri) {
  AddName(GEN_URI, uri);
  return *this;
}
CertificateBuilder& CertificateBuilder::Dns(std::string_view name) {
  AddName(GEN_DNS, name);
  return *this;
}
CertificateBuilder& CertificateBuilder::Ip(std::string_view address) {
  AddName(GEN_IPADD, address);
  return *this;
}

void CertificateBuilder::AddName(int type, std::string_view bytes) {
  if (!ok_) return;
  GENERAL_NAME* name = GENERAL_NAME_new();
  ASN1_STRING* value = type == GEN_IPADD ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
  ok_ = name != nullptr && value != nullptr &&
        ASN1_STRING_set(value, bytes.data(), static_cast<int>(bytes.size())) == 1;
  if (!ok_) {
    ASN1_STRING_free(value);
    GENERAL_NAME_free(name);
    return;
  }
  GENERAL_NAME_set0_value(name, type, value);
  auto* names = static_cast<GENERAL_NAMES*>(names_.get());
  ok_ = sk_GENERAL_NAME_push(names, name) > 0;
  if (!ok_) GENERAL_NAME_free(name);
}

void CertificateBuilder::AddExtension(const X509* issuer, int nid, const char* value) {
  if (!ok_) return;
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, Mutable(issuer), certificate_.get(), nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
  ok_ = extension != nullptr && X509_add_ext(certificate_.get(), extension, -1) == 1;
  X509_EXTENSION_free(extension);
}

void CertificateBuilder::AddNames() {
  if (!ok_ || sk_GENERAL_NAME_num(static_cast<GENERAL_NAMES*>(names_.get())) == 0) return;
  ok_ = X509_add1_ext_i2d(certificate_.get(), NID_subject_alt_name, names_.get(), 0,
                          X509V3_ADD_DEFAULT) == 1;
}

absl::StatusOr<Certificate> CertificateBuilder::SignCa(const EVP_PKEY& key) {
  X509* self = certificate_.get();
  ok_ = ok_ && X509_set_issuer_name(self, X509_get_subject_name(self)) == 1;
  AddExtension(self, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  AddExtension(self, NID_key_usage, "critical,keyCertSign,cRLSign");
  AddExtension(self, NID_subject_key_identifier, "hash");
  return Finish(key);
}

absl::StatusOr<Certificate> CertificateBuilder::SignLeaf(const char* purpose, const X509& issuer,
                                                         const EVP_PKEY& issuer_key) {
  ok_ = ok_ && X509_set_issuer_name(certificate_.get(), X509_get_subject_name(&issuer)) == 1;
  AddExtension(&issuer, NID_basic_constraints, "critical,CA:FALSE");
  AddExtension(&issuer, NID_key_usage, "critical,digitalSignature");
  AddExtension(&issuer, NID_ext_key_usage, purpose);
  AddExtension(&issuer, NID_subject_key_identifier, "hash");
  AddExtension(&issuer, NID_authority_key_identifier, "keyid:always");
  AddNames();
  return Finish(issuer_key);
}

absl::StatusOr<Certificate> CertificateBuilder::Finish(const EVP_PKEY& key) {
  ok_ = ok_ && X509_sign(certificate_.get(), Mutable(key), EVP_sha256()) > 0;
  if (!ok_) return absl::InternalError("cannot make a certificate: " + OpenSslError());
  return std::move(certificate_);
}

}  // namespace sallyport::controlplane
