#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace sallyport::agent {

// The session's own credentials, to be found in what its server says: as they are, JSON-escaped, in
// base64 and base64url at each of the three offsets, percent-encoded and in hex. Immutable; wiped
// when it goes.
class CredentialEcho {
 public:
  // Each credential must have at least 4 bytes; encoded forms are looked for from 8 bytes on, since
  // shorter ones occur by chance. No credentials is fine and finds nothing.
  static absl::StatusOr<std::shared_ptr<const CredentialEcho>> Create(
      absl::Span<const std::string> credentials);

  ~CredentialEcho();
  CredentialEcho(const CredentialEcho&) = delete;
  CredentialEcho& operator=(const CredentialEcho&) = delete;

  struct Needles;
  // Null when there are none.
  const Needles* needles() const { return needles_.get(); }

 private:
  explicit CredentialEcho(std::unique_ptr<Needles> needles);
  std::unique_ptr<Needles> needles_;
};

}  // namespace sallyport::agent
