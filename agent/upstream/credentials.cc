#include "agent/upstream/credentials.h"

#include <openssl/crypto.h>

namespace sallyport::agent {

Credentials::~Credentials() {
  for (Value& value : values_) OPENSSL_cleanse(value.secret.data(), value.secret.size());
}

std::string_view Credentials::Find(std::string_view name) const {
  for (const Value& value : values_) {
    if (value.name == name) return value.secret;
  }
  return {};
}

}  // namespace sallyport::agent
