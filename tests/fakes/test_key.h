#pragma once

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "common/jose/base64url.h"

namespace sallyport {

// An issuer's signing key: signs any header and payload it is given, right or wrong.
class TestKey {
 public:
  // RS256, PS256, ES256, ES384 or EdDSA.
  TestKey(std::string algorithm, std::string key_id, unsigned rsa_bits = 2048)
      : algorithm_(std::move(algorithm)),
        key_id_(std::move(key_id)),
        key_(Generate(algorithm_, rsa_bits), EVP_PKEY_free) {}

  const std::string& algorithm() const { return algorithm_; }
  const std::string& key_id() const { return key_id_; }
  EVP_PKEY* key() const { return key_.get(); }

  nlohmann::json Jwk() const {
    nlohmann::json jwk = {{"kid", key_id_}, {"alg", algorithm_}, {"use", "sig"}};
    if (IsRsa()) {
      jwk["kty"] = "RSA";
      jwk["n"] = Number(OSSL_PKEY_PARAM_RSA_N);
      jwk["e"] = Number(OSSL_PKEY_PARAM_RSA_E);
    } else if (algorithm_ == "EdDSA") {
      unsigned char raw[32];
      std::size_t length = sizeof raw;
      Require(EVP_PKEY_get_raw_public_key(key(), raw, &length) == 1);
      jwk.update({{"kty", "OKP"}, {"crv", "Ed25519"}, {"x", Encode(raw, length)}});
    } else {
      unsigned char point[97];
      std::size_t length = 0;
      Require(EVP_PKEY_get_octet_string_param(key(), OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point,
                                              &length) == 1);
      const std::size_t half = (length - 1) / 2;
      jwk.update({{"kty", "EC"},
                  {"crv", algorithm_ == "ES256" ? "P-256" : "P-384"},
                  {"x", Encode(point + 1, half)},
                  {"y", Encode(point + 1 + half, half)}});
    }
    return jwk;
  }

  // The public key in PEM: what an HMAC confusion would use as its secret.
  std::string PublicPem() const {
    BIO* bio = BIO_new(BIO_s_mem());
    Require(PEM_write_bio_PUBKEY(bio, key()) == 1);
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    std::string pem(data, static_cast<std::size_t>(size));
    BIO_free(bio);
    return pem;
  }

  // A token; `alg` and `kid` are the key's unless the header says otherwise.
  std::string Token(const nlohmann::json& payload,
                    const nlohmann::json& header = nlohmann::json::object()) const {
    nlohmann::json whole = {{"alg", algorithm_}, {"kid", key_id_}};
    whole.update(header);
    return TokenOfTexts(whole.dump(), payload.dump());
  }

  // The same of texts, which need not be JSON.
  std::string TokenOfTexts(std::string_view header, std::string_view payload) const {
    const std::string signed_part =
        jose::Base64UrlEncode(header) + '.' + jose::Base64UrlEncode(payload);
    return signed_part + '.' + jose::Base64UrlEncode(Signature(signed_part));
  }

  // In the form that JWS has: r||s for ECDSA.
  std::string Signature(const std::string& message) const {
    const std::string der = DerSignature(message);
    if (algorithm_ != "ES256" && algorithm_ != "ES384") return der;
    const auto* begin = reinterpret_cast<const unsigned char*>(der.data());
    ECDSA_SIG* pair = d2i_ECDSA_SIG(nullptr, &begin, static_cast<long>(der.size()));
    Require(pair != nullptr);
    const int half = algorithm_ == "ES256" ? 32 : 48;
    std::string signature(static_cast<std::size_t>(2 * half), '\0');
    auto* out = reinterpret_cast<unsigned char*>(signature.data());
    BN_bn2binpad(ECDSA_SIG_get0_r(pair), out, half);
    BN_bn2binpad(ECDSA_SIG_get0_s(pair), out + half, half);
    ECDSA_SIG_free(pair);
    return signature;
  }

  // As OpenSSL makes it: DER for ECDSA.
  std::string DerSignature(const std::string& message) const {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    EVP_PKEY_CTX* key_context = nullptr;
    const EVP_MD* digest = algorithm_ == "EdDSA"   ? nullptr
                           : algorithm_ == "ES384" ? EVP_sha384()
                                                   : EVP_sha256();
    Require(EVP_DigestSignInit(context, &key_context, digest, nullptr, key()) == 1);
    if (algorithm_ == "PS256") {
      EVP_PKEY_CTX_set_rsa_padding(key_context, RSA_PKCS1_PSS_PADDING);
      EVP_PKEY_CTX_set_rsa_pss_saltlen(key_context, RSA_PSS_SALTLEN_DIGEST);
    }
    const auto* bytes = reinterpret_cast<const unsigned char*>(message.data());
    std::size_t length = 0;
    Require(EVP_DigestSign(context, nullptr, &length, bytes, message.size()) == 1);
    std::string signature(length, '\0');
    Require(EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &length,
                           bytes, message.size()) == 1);
    signature.resize(length);
    EVP_MD_CTX_free(context);
    return signature;
  }

 private:
  static void Require(bool ok) {
    if (!ok) std::abort();
  }
  static EVP_PKEY* Generate(const std::string& algorithm, unsigned rsa_bits) {
    EVP_PKEY* key = nullptr;
    if (algorithm == "RS256" || algorithm == "PS256") {
      key = EVP_RSA_gen(rsa_bits);
    } else if (algorithm == "EdDSA") {
      key = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
    } else {
      key = EVP_EC_gen(algorithm == "ES256" ? "P-256" : "P-384");
    }
    Require(key != nullptr);
    return key;
  }
  bool IsRsa() const { return algorithm_ == "RS256" || algorithm_ == "PS256"; }
  static std::string Encode(const unsigned char* bytes, std::size_t length) {
    return jose::Base64UrlEncode({reinterpret_cast<const char*>(bytes), length});
  }
  std::string Number(const char* name) const {
    BIGNUM* number = nullptr;
    Require(EVP_PKEY_get_bn_param(key(), name, &number) == 1);
    std::string bytes(static_cast<std::size_t>(BN_num_bytes(number)), '\0');
    BN_bn2bin(number, reinterpret_cast<unsigned char*>(bytes.data()));
    BN_free(number);
    return jose::Base64UrlEncode(bytes);
  }

  std::string algorithm_;
  std::string key_id_;
  std::shared_ptr<EVP_PKEY> key_;
};

inline std::string JwksOf(std::initializer_list<nlohmann::json> keys) {
  return nlohmann::json{{"keys", nlohmann::json::array_t(keys)}}.dump();
}

// HS256 over the first two parts under any bytes.
inline std::string HmacSignature(const std::string& message, const std::string& secret) {
  unsigned char mac[32];
  unsigned length = sizeof mac;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(message.data()), message.size(), mac, &length);
  return {reinterpret_cast<const char*>(mac), length};
}

}  // namespace sallyport
