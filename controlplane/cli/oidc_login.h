#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace sallyport::controlplane {

// The authorization code grant with PKCE (RFC 6749 4.1, RFC 7636 S256) for a native client on a
// loopback port (RFC 8252 7.3).
struct OidcLogin {
  // Compared byte for byte with what discovery and the `iss` of the answer (RFC 9207) say.
  std::string issuer;
  std::string client_id;
  // Either set: the access token is kept. Both unset: the ID token.
  std::string resource;
  std::string audience;
  bool gets_id_token() const { return resource.empty() && audience.empty(); }
  std::string scope = "openid profile";
  // PEM. Empty: the system's certificates.
  std::string ca_file;
  bool opens_browser = true;
  absl::Duration patience = absl::Minutes(5);
};

struct ObtainedToken {
  std::string token;
  // As the provider says; the services judge for themselves.
  absl::Time expires;
};

// Prints the URL to visit, waits for the browser to come back, and redeems the code. Errors name
// the step that failed; none holds a token or a code.
absl::StatusOr<ObtainedToken> LogIn(const OidcLogin& login);

}  // namespace sallyport::controlplane
