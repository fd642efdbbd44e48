#include "common/strings.h"

// EVP, which replaces the deprecated calls, costs as much again for a token.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include "absl/strings/escaping.h"

namespace sallyport {

std::string ToHex(std::string_view bytes) { return absl::BytesToHexString(ToAbsl(bytes)); }

std::string Sha256(std::string_view bytes) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, bytes.data(), bytes.size());
  SHA256_Final(reinterpret_cast<unsigned char*>(digest.data()), &context);
  return digest;
}

}  // namespace sallyport
