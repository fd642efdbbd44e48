#include "controlplane/keys/key_fingerprint.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <array>
#include <string_view>

#include "common/strings.h"

namespace sallyport::controlplane {

std::string KeyFingerprint(const EVP_PKEY& key) {
  const int length = i2d_PUBKEY(&key, nullptr);
  std::string der(length > 0 ? static_cast<std::size_t>(length) : 0, '\0');
  auto* out = reinterpret_cast<unsigned char*>(der.data());
  if (length > 0) i2d_PUBKEY(&key, &out);
  return ToHex(Sha256(der));
}

bool IsP256(const EVP_PKEY& key) {
  std::array<char, 32> group{};
  std::size_t length = 0;
  return EVP_PKEY_get_base_id(&key) == EVP_PKEY_EC &&
         EVP_PKEY_get_group_name(&key, group.data(), group.size(), &length) == 1 &&
         std::string_view(group.data(), length) == "prime256v1";
}

}  // namespace sallyport::controlplane
