#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace sallyport::agent {

class LiteralSearch;
class SearchScratch;

// The session's own credentials, to be found in what its server says: as they are, JSON-escaped, in
// base64 and base64url at each of the three offsets, percent-encoded and in hex. Immutable,
// thread-safe; the memory is wiped when it goes.
class CredentialEcho {
 public:
  // Each credential must have at least 4 bytes; encoded forms are looked for from 8 bytes on, since
  // shorter ones occur by chance. No credentials is fine and finds nothing.
  static absl::StatusOr<std::shared_ptr<const CredentialEcho>> Create(
      absl::Span<const std::string> credentials);

  ~CredentialEcho();
  CredentialEcho(const CredentialEcho&) = delete;
  CredentialEcho& operator=(const CredentialEcho&) = delete;

  // Tells the begin and end of each echo in `text`. kInternal: the search failed.
  absl::Status Find(std::string_view text, SearchScratch& scratch,
                    absl::FunctionRef<void(std::size_t begin, std::size_t end)> on_echo) const;

 private:
  explicit CredentialEcho(std::unique_ptr<const LiteralSearch> needles);
  std::unique_ptr<const LiteralSearch> needles_;  // null: no credentials
};

}  // namespace sallyport::agent
