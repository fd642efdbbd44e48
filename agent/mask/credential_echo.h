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

// The session's own credentials, to be found in what its server says. A credential of at least
// twelve ASCII letters and digits is known by these alone, in either case, whatever stands between
// them: as it is, backwards, in base64 and base32 wherever it begins in its group, in hex, as a
// list of character codes. A shorter one is too likely to turn up by chance so, and is looked for
// as it is, JSON-escaped and, from eight bytes on, in base64, hex and percent-encoded. Immutable,
// thread-safe; the memory is wiped when it goes.
class CredentialEcho {
 public:
  // Each credential must have at least 4 bytes. No credentials is fine and finds nothing.
  static absl::StatusOr<std::shared_ptr<const CredentialEcho>> Create(
      absl::Span<const std::string> credentials);

  ~CredentialEcho();
  CredentialEcho(const CredentialEcho&) = delete;
  CredentialEcho& operator=(const CredentialEcho&) = delete;

  // Tells the begin and end of each echo in `text`, which may reach over NULs. `memory` is work
  // memory, kept between calls. kInternal: the search failed.
  absl::Status Find(std::string_view text, SearchScratch& scratch, std::string& memory,
                    absl::FunctionRef<void(std::size_t begin, std::size_t end)> on_echo) const;

 private:
  CredentialEcho(std::unique_ptr<const LiteralSearch> exact,
                 std::unique_ptr<const LiteralSearch> skeletons);
  std::unique_ptr<const LiteralSearch> exact_;      // null: none
  std::unique_ptr<const LiteralSearch> skeletons_;  // null: none
};

}  // namespace sallyport::agent
