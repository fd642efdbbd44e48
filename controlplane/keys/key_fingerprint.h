#pragma once

#include <openssl/types.h>

#include <string>

namespace sallyport::controlplane {

// SHA-256 of the key's SubjectPublicKeyInfo in DER, lower-case hex: what the database remembers a
// key by.
std::string KeyFingerprint(const EVP_PKEY& key);

bool IsP256(const EVP_PKEY& key);

}  // namespace sallyport::controlplane
