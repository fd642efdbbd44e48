#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace sallyport::controlplane {

// What the digests of calls are made with, one key for each server, so that a digest is equal in
// all sessions and says nothing to who lacks the key; an agent is told those of its own servers.
// All of them are derived from one secret file: with another, nothing that was done once would be
// found again. Immutable; thread-safe.
class EffectKeys {
 public:
  // The secret in `path`; at the first start (`remembered` unset) one that is not there is made.
  // kFailedPrecondition, naming the file, where it is lost, malformed, or another deployment's.
  static absl::StatusOr<std::unique_ptr<EffectKeys>> Open(
      const std::string& path, const std::optional<std::string>& remembered);

  // 32 bytes.
  std::string For(std::string_view server) const;
  // What the database remembers the secret by, lower-case hex.
  const std::string& fingerprint() const { return fingerprint_; }

 private:
  explicit EffectKeys(std::string secret);
  const std::string secret_;
  const std::string fingerprint_;
};

}  // namespace sallyport::controlplane
