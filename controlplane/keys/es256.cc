#include "controlplane/keys/es256.h"

#include <openssl/ecdsa.h>
#include <openssl/evp.h>

#include <cstdlib>
#include <memory>

namespace sallyport::controlplane {
namespace {

constexpr int kCoordinateBytes = 32;

struct Deleter {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  void operator()(ECDSA_SIG* signature) const { ECDSA_SIG_free(signature); }
};

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// Signing with a good key fails only without memory or with a broken library.
void Require(bool ok) {
  if (!ok) std::abort();
}

}  // namespace

std::string SignEs256(EVP_PKEY& key, std::string_view message) {
  std::unique_ptr<EVP_MD_CTX, Deleter> context(EVP_MD_CTX_new());
  std::size_t length = 0;
  Require(context != nullptr &&
          EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, &key) == 1 &&
          EVP_DigestSign(context.get(), nullptr, &length, Bytes(message), message.size()) == 1);
  std::string der(length, '\0');
  Require(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(der.data()), &length,
                         Bytes(message), message.size()) == 1);
  const unsigned char* begin = Bytes(der);
  std::unique_ptr<ECDSA_SIG, Deleter> pair(
      d2i_ECDSA_SIG(nullptr, &begin, static_cast<long>(length)));
  Require(pair != nullptr);
  std::string signature(2 * kCoordinateBytes, '\0');
  auto* out = reinterpret_cast<unsigned char*>(signature.data());
  Require(BN_bn2binpad(ECDSA_SIG_get0_r(pair.get()), out, kCoordinateBytes) == kCoordinateBytes &&
          BN_bn2binpad(ECDSA_SIG_get0_s(pair.get()), out + kCoordinateBytes, kCoordinateBytes) ==
              kCoordinateBytes);
  return signature;
}

}  // namespace sallyport::controlplane
