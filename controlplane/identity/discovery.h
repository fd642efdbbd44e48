#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "controlplane/identity/https_client.h"

namespace sallyport::controlplane {

// What an issuer says of itself (OpenID Connect Discovery; RFC 8414).
struct Discovery {
  std::string issuer;
  std::string jwks_uri;
  // Empty where it has none.
  std::string authorization_endpoint;
  std::string token_endpoint;
  // Empty: it does not say.
  std::vector<std::string> code_challenge_methods;
};

// Fetches ISSUER/.well-known/openid-configuration. kInvalidArgument when the document is no such
// document, names another issuer (compared byte for byte), or an endpoint of it may not be asked;
// otherwise what HttpsGet says, kUnavailable for a status that is not 200.
absl::StatusOr<Discovery> Discover(const std::string& issuer, const HttpsOptions& options = {});

// The same, from the document's text.
absl::StatusOr<Discovery> ParseDiscovery(std::string_view json, std::string_view issuer);

}  // namespace sallyport::controlplane
