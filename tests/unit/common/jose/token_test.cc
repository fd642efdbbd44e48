#include "common/jose/token.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/fakes/test_key.h"

namespace sallyport::jose {
namespace {

using nlohmann::json;

const json kClaims = {{"sub", "bot"}, {"iss", "https://i.example"}};

std::vector<TestKey>& Keys() {
  static auto& keys = *new std::vector<TestKey>{
      {"RS256", "rs"}, {"PS256", "ps"}, {"ES256", "es"}, {"ES384", "es384"}, {"EdDSA", "ed"}};
  return keys;
}
const TestKey& KeyFor(std::string_view algorithm) {
  for (const TestKey& key : Keys()) {
    if (key.algorithm() == algorithm) return key;
  }
  std::abort();
}

KeySet SetOf(std::initializer_list<json> jwks) {
  auto set = KeySet::Parse(JwksOf(jwks));
  REQUIRE(set.ok());
  return *std::move(set);
}

std::string Part(std::string_view text) { return Base64UrlEncode(text); }

// Why Parse refuses; empty when it does not.
std::string ParseError(std::string_view token) {
  const auto parsed = Token::Parse(token);
  return parsed.ok() ? "" : std::string(parsed.status().message());
}

// Parses, finds the key by its id and verifies.
bool IsAccepted(const std::string& token, const KeySet& keys, std::vector<Algorithm> allowed) {
  const auto parsed = Token::Parse(token);
  if (!parsed.ok()) return false;
  const PublicKey* key = keys.Find(parsed->key_id());
  return key != nullptr && parsed->Verify(*key, allowed).ok();
}

const std::vector<Algorithm> kAll = {Algorithm::kRs256, Algorithm::kPs256, Algorithm::kEs256,
                                     Algorithm::kEs384, Algorithm::kEdDsa};

TEST_CASE("a token of each algorithm is parsed and verified", "[jose]") {
  for (const TestKey& key : Keys()) {
    INFO(key.algorithm());
    const KeySet keys = SetOf({key.Jwk()});
    const auto token = Token::Parse(key.Token(kClaims, {{"typ", "application/AT+jwt"}}));
    REQUIRE(token.ok());
    CHECK(AlgorithmName(token->algorithm()) == key.algorithm());
    CHECK(token->key_id() == key.key_id());
    CHECK(token->type() == "at+jwt");
    CHECK(token->claims() == kClaims);
    const PublicKey* public_key = keys.Find(key.key_id());
    REQUIRE(public_key != nullptr);
    CHECK(token->Verify(*public_key, kAll).ok());
  }
}

TEST_CASE("what is no token is refused before any key is asked", "[jose]") {
  const TestKey& rs = KeyFor("RS256");
  const std::string good = rs.Token(kClaims);
  const std::string header = R"({"alg":"RS256","kid":"rs"})";
  const std::string body = R"({"sub":"bot"})";
  const auto parts = [&](std::string_view h, std::string_view p) { return rs.TokenOfTexts(h, p); };
  const std::string deep_array = R"({"a":)" + std::string(40, '[') + std::string(40, ']') + "}";
  const std::string very_deep = std::string(6000, '[');
  struct Case {
    const char* name;
    std::string token;
  };
  const std::vector<Case> cases = {
      {"empty", ""},
      {"one part", "abc"},
      {"two parts", good.substr(0, good.rfind('.'))},
      {"empty signature", good.substr(0, good.rfind('.') + 1)},
      {"four parts", good + ".abcd"},
      {"five parts, a JWE", good + ".abcd.abcd"},
      {"empty header", good.substr(good.find('.'))},
      {"empty payload", Part(header) + ".." + good.substr(good.rfind('.') + 1)},
      {"a space in front", " " + good},
      {"a line break behind", good + "\n"},
      {"padding behind", good + "="},
      {"more padding behind", good + "=="},
      {"junk behind", good + "!!"},
      {"a NUL behind", good + std::string(1, '\0')},
      {"a byte above 0x7f", good.substr(0, 10) + "\xc3\xa9" + good.substr(12)},
      {"plain base64 alphabet", "+/+/." + Part(body) + ".abcd"},
      {"a part of impossible length", Part(header) + "." + Part(body) + ".abcde"},
      {"unused bits that are not zero", Part(header) + "." + Part(body) + ".ab"},
      {"header is no JSON", parts("nonsense", body)},
      {"header is a list", parts(R"(["alg"])", body)},
      {"header is a string", parts(R"("RS256")", body)},
      {"header with a byte order mark", parts("\xef\xbb\xbf" + header, body)},
      {"header with a repeated alg", parts(R"({"alg":"RS256","alg":"none","kid":"rs"})", body)},
      {"header with a repeated alg, escaped",
       parts(R"({"alg":"RS256","\u0061lg":"none","kid":"rs"})", body)},
      {"header too deep", parts(R"({"alg":"RS256","kid":"rs","x":[[[[[[[[]]]]]]]]})", body)},
      {"header with text behind", parts(header + "{}", body)},
      {"no alg", parts(R"({"kid":"rs"})", body)},
      {"alg none", parts(R"({"alg":"none","kid":"rs"})", body)},
      {"alg None", parts(R"({"alg":"None","kid":"rs"})", body)},
      {"alg nOnE", parts(R"({"alg":"nOnE","kid":"rs"})", body)},
      {"alg in lower case", parts(R"({"alg":"rs256","kid":"rs"})", body)},
      {"alg with a space", parts(R"({"alg":"RS256 ","kid":"rs"})", body)},
      {"alg with a NUL", parts(R"({"alg":"RS256\u0000x","kid":"rs"})", body)},
      {"alg is a list", parts(R"({"alg":["RS256"],"kid":"rs"})", body)},
      {"alg is a number", parts(R"({"alg":1,"kid":"rs"})", body)},
      {"alg is null", parts(R"({"alg":null,"kid":"rs"})", body)},
      {"alg HS256", parts(R"({"alg":"HS256","kid":"rs"})", body)},
      {"alg HS512", parts(R"({"alg":"HS512","kid":"rs"})", body)},
      {"alg ES256K", parts(R"({"alg":"ES256K","kid":"rs"})", body)},
      {"alg RS1", parts(R"({"alg":"RS1","kid":"rs"})", body)},
      {"alg dir", parts(R"({"alg":"dir","kid":"rs"})", body)},
      {"crit", parts(R"({"alg":"RS256","kid":"rs","crit":["x"],"x":1})", body)},
      {"crit, empty", parts(R"({"alg":"RS256","kid":"rs","crit":[]})", body)},
      {"b64 false", parts(R"({"alg":"RS256","kid":"rs","b64":false,"crit":["b64"]})", body)},
      {"b64 true", parts(R"({"alg":"RS256","kid":"rs","b64":true})", body)},
      {"zip", parts(R"({"alg":"RS256","kid":"rs","zip":"DEF"})", body)},
      {"no kid", parts(R"({"alg":"RS256"})", body)},
      {"kid empty", parts(R"({"alg":"RS256","kid":""})", body)},
      {"kid is a number", parts(R"({"alg":"RS256","kid":1})", body)},
      {"kid is an object", parts(R"({"alg":"RS256","kid":{}})", body)},
      {"kid too long", parts(R"({"alg":"RS256","kid":")" + std::string(257, 'k') + "\"}", body)},
      {"typ is a number", parts(R"({"alg":"RS256","kid":"rs","typ":1})", body)},
      {"payload is a list", parts(header, "[1]")},
      {"payload is a string", parts(header, R"("sub")")},
      {"payload is null", parts(header, "null")},
      {"payload is another token", parts(header, good)},
      {"payload has a repeated claim", parts(header, R"({"sub":"a","sub":"b"})")},
      {"payload has a repeated claim, escaped", parts(header, R"({"sub":"a","s\u0075b":"b"})")},
      {"payload has a repeated name inside", parts(header, R"({"act":{"sub":"a","sub":"b"}})")},
      {"payload has a byte order mark", parts(header, "\xef\xbb\xbf" + body)},
      {"payload has invalid UTF-8", parts(header, "{\"sub\":\"\xff\"}")},
      {"payload has an overlong form", parts(header, "{\"sub\":\"\xc0\xaf\"}")},
      {"payload has a lone surrogate", parts(header, R"({"sub":"\ud800"})")},
      {"payload has a comment", parts(header, R"({"sub":"a"/*x*/})")},
      {"payload has a trailing comma", parts(header, R"({"sub":"a",})")},
      {"payload has text behind", parts(header, body + body)},
      {"payload is cut off", parts(header, R"({"sub":"a")")},
      {"payload too deep", parts(header, deep_array)},
      {"payload very deep", parts(header, very_deep)},
      {"payload has a number beyond a double", parts(header, R"({"exp":1e400})")},
      {"payload has NaN", parts(header, R"({"exp":NaN})")},
      {"payload has a number with a leading zero", parts(header, R"({"exp":01})")},
      {"too long", good + std::string(16 * 1024, 'A')},
  };
  for (const Case& c : cases) {
    INFO(c.name);
    CHECK(ParseError(c.token) != "");
  }
  CHECK(ParseError(good).empty());
}

TEST_CASE("an encrypted token is told apart from a malformed one", "[jose]") {
  CHECK(absl::IsUnimplemented(Token::Parse("a.b.c.d.e").status()));
  CHECK(absl::IsInvalidArgument(Token::Parse("a.b.c.d").status()));
}

TEST_CASE("a token one byte too long is refused before it is looked at", "[jose]") {
  const TestKey& es = KeyFor("ES256");
  const std::size_t empty = es.Token({{"x", ""}}).size();
  const std::string token = es.Token({{"x", std::string((16384 - empty) / 4 * 3, 'a')}});
  REQUIRE(token.size() <= 16384);
  CHECK(Token::Parse(token, {.max_bytes = token.size()}).ok());
  CHECK(absl::IsResourceExhausted(Token::Parse(token, {.max_bytes = token.size() - 1}).status()));
  CHECK(absl::IsResourceExhausted(Token::Parse(std::string(100'000'000, '.')).status()));
}

TEST_CASE("no algorithm is taken for another", "[jose]") {
  const KeySet keys = SetOf({KeyFor("RS256").Jwk(), KeyFor("PS256").Jwk(), KeyFor("ES256").Jwk(),
                             KeyFor("ES384").Jwk(), KeyFor("EdDSA").Jwk()});
  for (const TestKey& signer : Keys()) {
    for (const TestKey& claimed : Keys()) {
      for (const TestKey& named : Keys()) {
        const bool is_right =
            signer.key_id() == named.key_id() && signer.algorithm() == claimed.algorithm();
        INFO(signer.algorithm() << " says " << claimed.algorithm() << " with the key of "
                                << named.algorithm());
        const std::string token =
            signer.Token(kClaims, {{"alg", claimed.algorithm()}, {"kid", named.key_id()}});
        CHECK(IsAccepted(token, keys, kAll) == is_right);
      }
    }
  }
}

TEST_CASE("an algorithm that the issuer does not allow is refused, though the key could serve it",
          "[jose]") {
  const TestKey& es = KeyFor("ES256");
  const KeySet keys = SetOf({es.Jwk()});
  CHECK(IsAccepted(es.Token(kClaims), keys, {Algorithm::kRs256, Algorithm::kEs256}));
  CHECK_FALSE(IsAccepted(es.Token(kClaims), keys, {Algorithm::kRs256}));
  CHECK_FALSE(IsAccepted(es.Token(kClaims), keys, {}));
}

TEST_CASE("an RSA key that names no algorithm serves exactly one", "[jose]") {
  const TestKey& rs = KeyFor("RS256");
  json jwk = rs.Jwk();
  jwk.erase("alg");
  const KeySet keys = SetOf({jwk});
  // The same key, signing the other way.
  TestKey ps = KeyFor("PS256");
  json ps_jwk = ps.Jwk();
  ps_jwk.erase("alg");
  const KeySet ps_keys = SetOf({ps_jwk});
  CHECK(IsAccepted(rs.Token(kClaims), keys, {Algorithm::kRs256, Algorithm::kPs256}));
  CHECK_FALSE(IsAccepted(ps.Token(kClaims), ps_keys, {Algorithm::kRs256, Algorithm::kPs256}));
  CHECK(IsAccepted(ps.Token(kClaims), ps_keys, {Algorithm::kPs256, Algorithm::kRs256}));
}

TEST_CASE("a public key is no HMAC secret, in any of its forms", "[jose]") {
  for (const char* algorithm : {"RS256", "ES256"}) {
    const TestKey& key = KeyFor(algorithm);
    const KeySet keys = SetOf({key.Jwk()});
    const std::string pem = key.PublicPem();
    for (const std::string& secret : {pem, pem.substr(0, pem.size() - 1), key.Jwk().dump(),
                                      JwksOf({key.Jwk()}), std::string()}) {
      for (const char* claimed : {"HS256", algorithm}) {
        const std::string signed_part =
            Part(json{{"alg", claimed}, {"kid", key.key_id()}}.dump()) + "." + Part(kClaims.dump());
        CHECK_FALSE(
            IsAccepted(signed_part + "." + Part(HmacSignature(signed_part, secret)), keys, kAll));
      }
    }
  }
}

TEST_CASE("a key that comes with the token is not read", "[jose]") {
  const TestKey& real = KeyFor("RS256");
  const TestKey attacker("RS256", "rs");
  const KeySet keys = SetOf({real.Jwk()});
  const json header = {{"jwk", attacker.Jwk()},
                       {"jku", "https://attacker.example/keys"},
                       {"x5u", "https://attacker.example/c"},
                       {"x5c", {"AAAA"}}};
  CHECK_FALSE(IsAccepted(attacker.Token(kClaims, header), keys, kAll));
  CHECK(IsAccepted(real.Token(kClaims, header), keys, kAll));
}

TEST_CASE("ECDSA signatures have exactly one form", "[jose]") {
  const TestKey& es = KeyFor("ES256");
  const KeySet keys = SetOf({es.Jwk()});
  const std::string signed_part =
      Part(json{{"alg", "ES256"}, {"kid", "es"}}.dump()) + "." + Part(kClaims.dump());
  const std::string good = es.Signature(signed_part);
  const auto accepted = [&](const std::string& signature) {
    return IsAccepted(signed_part + "." + Part(signature), keys, kAll);
  };
  const std::string zero(32, '\0');
  // The order of P-256.
  const std::string n = *Base64UrlDecode("_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE");
  CHECK(accepted(good));
  CHECK_FALSE(accepted(es.DerSignature(signed_part)));
  CHECK_FALSE(accepted(zero + good.substr(32)));
  CHECK_FALSE(accepted(good.substr(0, 32) + zero));
  CHECK_FALSE(accepted(zero + zero));
  CHECK_FALSE(accepted(n + good.substr(32)));
  CHECK_FALSE(accepted(good.substr(0, 32) + n));
  CHECK_FALSE(accepted(std::string(1, '\0') + good));
  CHECK_FALSE(accepted(good + std::string(1, '\0')));
  CHECK_FALSE(accepted(good.substr(0, 63)));
}

TEST_CASE("every single changed byte of a token refuses it", "[jose]") {
  const TestKey& es = KeyFor("ES256");
  const KeySet keys = SetOf({es.Jwk()});
  const std::string good = es.Token(kClaims);
  REQUIRE(IsAccepted(good, keys, kAll));
  int accepted = 0;
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = good;
      changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
      accepted += IsAccepted(changed, keys, kAll) ? 1 : 0;
    }
    accepted += IsAccepted(good.substr(0, i), keys, kAll) ? 1 : 0;
    accepted += IsAccepted(good.substr(0, i) + good.substr(i + 1), keys, kAll) ? 1 : 0;
  }
  CHECK(accepted == 0);
}

TEST_CASE("parts of two good tokens make no third", "[jose]") {
  const TestKey& rs = KeyFor("RS256");
  const KeySet keys = SetOf({rs.Jwk()});
  const std::string a = rs.Token({{"sub", "a"}});
  const std::string b = rs.Token({{"sub", "b"}});
  const std::string spliced = a.substr(0, a.rfind('.')) + b.substr(b.rfind('.'));
  CHECK(IsAccepted(a, keys, kAll));
  CHECK_FALSE(IsAccepted(spliced, keys, kAll));
}

}  // namespace
}  // namespace sallyport::jose
