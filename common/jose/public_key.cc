#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <algorithm>

#include "common/jose/key_set.h"

// What a key does once it has been judged; key_set.cc judges.
namespace sallyport::jose {
namespace {

struct Deleter {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  void operator()(ECDSA_SIG* signature) const { ECDSA_SIG_free(signature); }
};

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// DER of r||s. Empty when OpenSSL has no memory.
std::string DerOf(std::string_view signature) {
  const std::size_t half = signature.size() / 2;
  std::unique_ptr<ECDSA_SIG, Deleter> pair(ECDSA_SIG_new());
  BIGNUM* r = BN_bin2bn(Bytes(signature), static_cast<int>(half), nullptr);
  BIGNUM* s = BN_bin2bn(Bytes(signature) + half, static_cast<int>(half), nullptr);
  if (pair == nullptr || ECDSA_SIG_set0(pair.get(), r, s) != 1) {
    BN_free(r);
    BN_free(s);
    return {};
  }
  std::string der(static_cast<std::size_t>(i2d_ECDSA_SIG(pair.get(), nullptr)), '\0');
  auto* out = reinterpret_cast<unsigned char*>(der.data());
  i2d_ECDSA_SIG(pair.get(), &out);
  return der;
}

bool UsePss(EVP_PKEY_CTX* context) {
  return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1 &&
         EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) == 1;
}

const EVP_MD* DigestOf(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::kRs256:
    case Algorithm::kPs256:
    case Algorithm::kEs256:
      return EVP_sha256();
    case Algorithm::kEs384:
      return EVP_sha384();
    case Algorithm::kEdDsa:
      break;  // hashes by itself
  }
  return nullptr;
}

std::size_t SignatureBytes(Algorithm algorithm, const EVP_PKEY* key) {
  switch (algorithm) {
    case Algorithm::kRs256:
    case Algorithm::kPs256:
      return static_cast<std::size_t>(EVP_PKEY_get_size(key));
    case Algorithm::kEs256:
    case Algorithm::kEdDsa:
      return 64;
    case Algorithm::kEs384:
      return 96;
  }
  return 0;
}

}  // namespace

bool PublicKey::Serves(Algorithm algorithm, std::span<const Algorithm> allowed) const {
  if (std::find(allowed.begin(), allowed.end(), algorithm) == allowed.end()) return false;
  if (named_.has_value()) return *named_ == algorithm;
  const auto first = std::find_if(allowed.begin(), allowed.end(),
                                  [this](Algorithm candidate) { return Fits(candidate); });
  return first != allowed.end() && *first == algorithm;
}

bool PublicKey::Fits(Algorithm algorithm) const {
  switch (type_) {
    case Type::kRsa:
      return algorithm == Algorithm::kRs256 || algorithm == Algorithm::kPs256;
    case Type::kP256:
      return algorithm == Algorithm::kEs256;
    case Type::kP384:
      return algorithm == Algorithm::kEs384;
    case Type::kEd25519:
      return algorithm == Algorithm::kEdDsa;
  }
  return false;
}

bool PublicKey::Verify(Algorithm algorithm, std::string_view message,
                       std::string_view signature) const {
  if (!Fits(algorithm) || signature.size() != SignatureBytes(algorithm, key_.get())) return false;
  const bool is_good = VerifyExact(algorithm, message, signature);
  if (!is_good) ERR_clear_error();  // nobody else on this thread shall find our refusal
  return is_good;
}

bool PublicKey::VerifyExact(Algorithm algorithm, std::string_view message,
                            std::string_view signature) const {
  const bool is_ecdsa = algorithm == Algorithm::kEs256 || algorithm == Algorithm::kEs384;
  const std::string der = is_ecdsa ? DerOf(signature) : std::string();
  if (is_ecdsa) signature = der;

  std::unique_ptr<EVP_MD_CTX, Deleter> context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* key_context = nullptr;  // the digest context's
  if (context == nullptr || EVP_DigestVerifyInit(context.get(), &key_context, DigestOf(algorithm),
                                                 nullptr, key_.get()) != 1) {
    return false;
  }
  if (algorithm == Algorithm::kPs256 && !UsePss(key_context)) return false;
  return EVP_DigestVerify(context.get(), Bytes(signature), signature.size(), Bytes(message),
                          message.size()) == 1;
}

}  // namespace sallyport::jose
