#include "controlplane/keys/effect_keys.h"

#include <utility>

#include "absl/status/status.h"
#include "common/file.h"
#include "common/hmac.h"
#include "common/random.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::controlplane {
namespace {

constexpr std::size_t kHexDigits = 64;

absl::Status Foreign(const std::string& path, const std::string& what) {
  return absl::FailedPreconditionError(path + ": " + what +
                                       ": restore the file that belongs to this database");
}

}  // namespace

// Two purposes that no server's name can be taken for: names have no slash.
EffectKeys::EffectKeys(std::string secret)
    : secret_(std::move(secret)), fingerprint_(ToHex(HmacSha256(secret_, "fingerprint/"))) {}

std::string EffectKeys::For(std::string_view server) const {
  return HmacSha256(secret_, "server/" + std::string(server));
}

absl::StatusOr<std::unique_ptr<EffectKeys>> EffectKeys::Open(
    const std::string& path, const std::optional<std::string>& remembered) {
  absl::StatusOr<std::string> secret = ReadSecretLine(path);
  if (absl::IsNotFound(secret.status())) {
    if (remembered.has_value()) return Foreign(path, "the key is lost");
    secret = ToHex(RandomBytes(kHexDigits / 2));
    RETURN_IF_ERROR(WriteFileAtomically(path, *secret + "\n"));
  }
  if (!secret.ok()) return secret.status();
  if (secret->size() != kHexDigits ||
      secret->find_first_not_of("0123456789abcdef") != std::string::npos) {
    return Foreign(path, "not 64 hex digits");
  }
  std::unique_ptr<EffectKeys> keys(new EffectKeys(*std::move(secret)));
  if (remembered.has_value() && keys->fingerprint() != *remembered) {
    return Foreign(path, "the key of another deployment");
  }
  return keys;
}

}  // namespace sallyport::controlplane
