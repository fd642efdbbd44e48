#include "common/tls.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <climits>
#include <cstdlib>
#include <ctime>

#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport {
namespace {

template <class T, void (*free)(T*)>
struct Freed {
  void operator()(T* object) const { free(object); }
};
template <class T, void (*free)(T*)>
using Owned = std::unique_ptr<T, Freed<T, free>>;

void FreeBio(BIO* bio) { BIO_free_all(bio); }
void FreeStack(STACK_OF(X509) * stack) { sk_X509_free(stack); }
void FreeNames(GENERAL_NAMES* names) { GENERAL_NAMES_free(names); }
using Bio = Owned<BIO, FreeBio>;
using Request = Owned<X509_REQ, X509_REQ_free>;

// Out of memory or a broken library: nothing can be promised any more.
void Require(bool ok) {
  if (!ok) std::abort();
}

// gRPC's threads shake hands until the process is gone, so OpenSSL must not clean up at exit beneath
// them. It hears that only before its first use: before main.
[[maybe_unused]] const bool kNoCleanupAtExit = [] {
  Require(OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, nullptr) == 1);
  return true;
}();

Bio Reading(std::string_view text) {
  Require(text.size() <= INT_MAX);
  Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  Require(bio != nullptr);
  return bio;
}

Bio Writing() {
  Bio bio(BIO_new(BIO_s_mem()));
  Require(bio != nullptr);
  return bio;
}

std::string Written(const Bio& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

absl::Time ToTime(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return absl::InfinitePast();
  return absl::FromTM(parts, absl::UTCTimeZone());
}

// No passphrase is ever asked for: an encrypted key is an error.
int NoPassphrase(char*, int, int, void*) { return -1; }

}  // namespace

void OpenSslDeleter::operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
void OpenSslDeleter::operator()(X509* certificate) const { X509_free(certificate); }

PrivateKey GenerateKey() {
  PrivateKey key(EVP_EC_gen("P-256"));
  Require(key != nullptr);
  return key;
}

std::string KeyToPem(const EVP_PKEY& key) {
  Bio bio = Writing();
  Require(PEM_write_bio_PKCS8PrivateKey(bio.get(), &key, nullptr, nullptr, 0, nullptr, nullptr) ==
          1);
  return Written(bio);
}

absl::StatusOr<PrivateKey> KeyFromPem(std::string_view pem) {
  Bio bio = Reading(pem);
  PrivateKey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassphrase, nullptr));
  if (key == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("not a private key in PEM: ", OpenSslError()));
  }
  return key;
}

absl::Status SaveKey(const std::string& path, const EVP_PKEY& key) {
  return WriteFileAtomically(path, KeyToPem(key));
}

absl::StatusOr<PrivateKey> LoadKey(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string pem, ReadSecretFile(path));
  absl::StatusOr<PrivateKey> key = KeyFromPem(pem);
  if (!key.ok())
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", key.status().message()));
  return key;
}

absl::StatusOr<std::string> MakeCertificateRequest(const EVP_PKEY& key,
                                                   std::string_view common_name) {
  Request request(X509_REQ_new());
  Require(request != nullptr);
  // OpenSSL reads the key and does not change it, but its interface is not const.
  auto* mutable_key = const_cast<EVP_PKEY*>(&key);
  X509_NAME* subject = X509_REQ_get_subject_name(request.get());
  const bool ok =
      X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) == 1 &&
      X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                 reinterpret_cast<const unsigned char*>(common_name.data()),
                                 static_cast<int>(common_name.size()), -1, 0) == 1 &&
      X509_REQ_set_pubkey(request.get(), mutable_key) == 1 &&
      X509_REQ_sign(request.get(), mutable_key, EVP_sha256()) > 0;
  if (!ok)
    return absl::InvalidArgumentError(
        absl::StrCat("cannot make a certificate request: ", OpenSslError()));
  Bio bio = Writing();
  Require(PEM_write_bio_X509_REQ(bio.get(), request.get()) == 1);
  return Written(bio);
}

absl::StatusOr<std::vector<Certificate>> CertificatesFromPem(std::string_view pem) {
  Bio bio = Reading(pem);
  std::vector<Certificate> certificates;
  while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, NoPassphrase, nullptr)) {
    certificates.emplace_back(certificate);
  }
  // The end of the text shows as PEM_R_NO_START_LINE; anything else is a block that does not parse.
  const bool is_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string error = OpenSslError();
  if (!is_end)
    return absl::InvalidArgumentError(absl::StrCat("a certificate does not parse: ", error));
  if (certificates.empty()) return absl::InvalidArgumentError("no certificate in PEM");
  return certificates;
}

std::string CertificateToPem(const X509& certificate) {
  Bio bio = Writing();
  Require(PEM_write_bio_X509(bio.get(), &certificate) == 1);
  return Written(bio);
}

std::string SpkiSha256(const X509& certificate) {
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(&certificate), &der);
  Require(size > 0);
  const std::string digest =
      Sha256({reinterpret_cast<const char*>(der), static_cast<std::size_t>(size)});
  OPENSSL_free(der);
  return ToHex(digest);
}

absl::Time NotBefore(const X509& certificate) { return ToTime(X509_get0_notBefore(&certificate)); }
absl::Time NotAfter(const X509& certificate) { return ToTime(X509_get0_notAfter(&certificate)); }

bool IsCa(const X509& certificate) {
  auto* mutable_certificate =
      const_cast<X509*>(&certificate);  // caches its extensions, under a lock
  const std::uint32_t flags = X509_get_extension_flags(mutable_certificate);
  if ((flags & EXFLAG_CA) == 0 || (flags & EXFLAG_INVALID) != 0) return false;
  return (X509_get_key_usage(mutable_certificate) & KU_KEY_CERT_SIGN) != 0;
}

std::vector<std::string> UriNames(const X509& certificate) {
  std::vector<std::string> uris;
  Owned<GENERAL_NAMES, FreeNames> names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
  if (names == nullptr) return uris;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    const ASN1_IA5STRING* uri = name->d.uniformResourceIdentifier;
    uris.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(uri)),
                      static_cast<std::size_t>(ASN1_STRING_length(uri)));
  }
  return uris;
}

bool Matches(const X509& certificate, const EVP_PKEY& key) {
  return EVP_PKEY_eq(X509_get0_pubkey(&certificate), &key) == 1;
}

absl::Status VerifyChain(const X509& leaf, const std::vector<Certificate>& chain, const X509& ca,
                         absl::Time now) {
  Owned<X509_STORE, X509_STORE_free> store(X509_STORE_new());
  Owned<X509_STORE_CTX, X509_STORE_CTX_free> context(X509_STORE_CTX_new());
  Owned<STACK_OF(X509), FreeStack> untrusted(sk_X509_new_null());
  Require(store != nullptr && context != nullptr && untrusted != nullptr);
  Require(X509_STORE_add_cert(store.get(), const_cast<X509*>(&ca)) == 1);
  for (const Certificate& certificate : chain)
    Require(sk_X509_push(untrusted.get(), certificate.get()) > 0);
  Require(X509_STORE_CTX_init(context.get(), store.get(), const_cast<X509*>(&leaf),
                              untrusted.get()) == 1);
  X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(context.get()), absl::ToTimeT(now));
  // A CA in our store is trusted as such, whether or not it signed itself.
  X509_STORE_CTX_set_flags(context.get(), X509_V_FLAG_PARTIAL_CHAIN);
  if (X509_verify_cert(context.get()) == 1) return absl::OkStatus();
  const int error = X509_STORE_CTX_get_error(context.get());
  ERR_clear_error();
  return absl::UnauthenticatedError(absl::StrCat("the certificate does not lead to the CA: ",
                                                 X509_verify_cert_error_string(error)));
}

std::string OpenSslError() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "no reason given";
  char text[256];
  ERR_error_string_n(code, text, sizeof text);
  return text;
}

}  // namespace sallyport
