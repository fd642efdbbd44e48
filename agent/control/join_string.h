#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace sallyport::agent {

// What an operator hands to a new agent: where the control plane is, whom to believe there, and the
// secret to say.
struct JoinString {
  // host:port
  std::string address;
  // SHA-256 of the CA's SubjectPublicKeyInfo, lower-case hex.
  std::string ca_pin;
  std::string secret;
};

// `sallyport-join:1:<host:port>:<sha256 hex>:<secret>`. JOIN_TOKEN_INVALID, saying what is wrong
// with it but never what it holds.
absl::StatusOr<JoinString> ParseJoinString(std::string_view text);

}  // namespace sallyport::agent
