// Everything that reads token and key bytes: must neither crash nor accept what no key here has
// signed.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "common/jose/base64url.h"
#include "common/jose/claims.h"
#include "common/jose/strict_json.h"
#include "common/jose/token.h"
#include "tests/fakes/test_key.h"

namespace sallyport {
namespace {

const TestKey& Key() {
  static auto& key = *new TestKey("ES256", "k");
  return key;
}
const jose::KeySet& Keys() {
  static auto& keys = *new jose::KeySet(jose::KeySet::Parse(JwksOf({Key().Jwk()})).value());
  return keys;
}

void Require(bool ok) {
  if (!ok) std::abort();
}

void TryToken(std::string_view text) {
  constexpr jose::Algorithm kAllowed[] = {jose::Algorithm::kRs256, jose::Algorithm::kPs256,
                                          jose::Algorithm::kEs256, jose::Algorithm::kEs384,
                                          jose::Algorithm::kEdDsa};
  const auto token = jose::Token::Parse(text);
  if (!token.ok()) return;
  Require(token->claims().is_object());
  Require(!token->key_id().empty());
  // The key is random in each run: no input can be signed by it.
  const jose::PublicKey* key = Keys().Find("k");
  Require(!token->Verify(*key, kAllowed).ok());
  (void)jose::CheckTimes(token->claims(), {}, absl::FromUnixSeconds(1'800'000'000));
  (void)jose::Audiences(token->claims());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  TryToken(text);
  if (const auto bytes = jose::Base64UrlDecode(text))
    Require(jose::Base64UrlEncode(*bytes) == text);
  (void)jose::ParseStrictJson(text, 32);
  if (const auto keys = jose::KeySet::Parse(text); keys.ok()) {
    // What is passed on to agents is read there.
    const auto again = jose::KeySet::Parse(keys->ToJson());
    Require(again.ok() && again->size() == keys->size());
  }
  // The same bytes as a header and as a payload, so that the base64 around them need not be found.
  const std::string part = jose::Base64UrlEncode(text);
  TryToken(part + ".e30.AAAA");
  TryToken("eyJhbGciOiJFUzI1NiIsImtpZCI6ImsifQ." + part + ".AAAA");
  return 0;
}

}  // namespace sallyport
