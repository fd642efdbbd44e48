#pragma once

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "common/jose/base64url.h"
#include "common/tls.h"

namespace sallyport {

// An identity provider's signing key: mints ES256 tokens and publishes its public half as a JWKS
// file.
class TestIssuer {
 public:
  TestIssuer() : key_(GenerateKey()) {}

  void WriteJwks(const std::string& path) const {
    unsigned char point[65];
    size_t size = 0;
    if (EVP_PKEY_get_octet_string_param(key_.get(), OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point,
                                        &size) != 1 ||
        size != 65) {
      std::abort();
    }
    const std::string bytes(reinterpret_cast<const char*>(point), size);
    std::ofstream(path)
        << R"({"keys":[{"kty":"EC","crv":"P-256","use":"sig","alg":"ES256","kid":"k1","x":")"
        << jose::Base64UrlEncode(bytes.substr(1, 32)) << R"(","y":")"
        << jose::Base64UrlEncode(bytes.substr(33, 32)) << "\"}]}";
  }

  // A JWT with these claims, a JSON object.
  std::string Mint(const std::string& claims) const {
    const std::string signed_part =
        jose::Base64UrlEncode(R"({"alg":"ES256","kid":"k1","typ":"JWT"})") + "." +
        jose::Base64UrlEncode(claims);
    return signed_part + "." + jose::Base64UrlEncode(Sign(signed_part));
  }

 private:
  // In the form of RFC 7518, 3.4: r and s, 32 bytes each.
  std::string Sign(const std::string& text) const {
    unsigned char der[128];
    size_t size = sizeof der;
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    const bool is_signed =
        EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, key_.get()) == 1 &&
        EVP_DigestSign(context, der, &size, reinterpret_cast<const unsigned char*>(text.data()),
                       text.size()) == 1;
    EVP_MD_CTX_free(context);
    const unsigned char* at = der;
    ECDSA_SIG* signature =
        is_signed ? d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(size)) : nullptr;
    if (signature == nullptr) std::abort();
    unsigned char raw[64];
    BN_bn2binpad(ECDSA_SIG_get0_r(signature), raw, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(signature), raw + 32, 32);
    ECDSA_SIG_free(signature);
    return std::string(reinterpret_cast<const char*>(raw), sizeof raw);
  }

  PrivateKey key_;
};

}  // namespace sallyport
