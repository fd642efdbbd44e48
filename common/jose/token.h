#pragma once

#include <cstddef>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/jose/algorithm.h"
#include "common/jose/key_set.h"

namespace sallyport::jose {

struct TokenLimits {
  std::size_t max_bytes = 16 * 1024;
  // Of the payload; a header may be 8 deep.
  int max_depth = 32;
};

// A JWT in the form of a signed JWS in compact serialization (RFC 7515, 7519): three parts of
// canonical base64url, two strict JSON objects, an algorithm that we know. Nothing that it says is
// true until Verify has returned OK; until then its claims serve only to find out whose key to ask.
//
// Whoever sends it gets nothing fetched and nothing chosen: `jku`, `jwk`, `x5u` and `x5c` are not
// read, `crit`, `b64` and `zip` refuse it.
class Token {
 public:
  // kInvalidArgument, saying what is wrong but never quoting the token; kResourceExhausted when it
  // is too long, before anything of it is looked at; kUnimplemented for an encrypted token (five
  // parts), which is a matter of the issuer's configuration.
  static absl::StatusOr<Token> Parse(std::string_view text, const TokenLimits& limits = {});
  ~Token();
  Token(Token&&) noexcept;
  Token& operator=(Token&&) noexcept;

  Algorithm algorithm() const { return algorithm_; }
  // 1 to 256 bytes. Only ever a map's key.
  const std::string& key_id() const { return key_id_; }
  // In lower case, without `application/`. nullopt: the header has none.
  const std::optional<std::string>& type() const { return type_; }

  // Always an object.
  const nlohmann::json& claims() const { return *claims_; }

  // OK: `key` made this token, with an algorithm of `allowed` that the key serves.
  // kUnauthenticated, saying which, otherwise.
  absl::Status Verify(const PublicKey& key, std::span<const Algorithm> allowed) const;

 private:
  Token() = default;

  Algorithm algorithm_ = Algorithm::kRs256;
  std::string key_id_;
  std::optional<std::string> type_;
  std::string signed_part_;  // header "." payload, as it came
  std::string signature_;
  std::unique_ptr<const nlohmann::json> claims_;
};

// `JWT` -> `jwt`, `application/at+jwt` -> `at+jwt`: as Token::type gives it.
std::string NormalType(std::string_view type);

}  // namespace sallyport::jose
