#include "common/jose/key_set.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "common/tls.h"
#include "tests/fakes/test_key.h"

namespace sallyport::jose {
namespace {

using nlohmann::json;

const TestKey& Rsa() {
  static auto& key = *new TestKey("RS256", "rs");
  return key;
}
const TestKey& Es() {
  static auto& key = *new TestKey("ES256", "es");
  return key;
}

json With(json jwk, const char* name, const json& value) {
  jwk[name] = value;
  return jwk;
}
json Without(json jwk, const char* name) {
  jwk.erase(name);
  return jwk;
}

TEST_CASE("a key is known by its thumbprint, whatever it is published as", "[jose]") {
  // RFC 7638, 3.1.
  const json example = {
      {"kty", "RSA"},
      {"n",
       "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJEC"
       "PebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2Qvz"
       "qY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZ"
       "u0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"},
      {"e", "AQAB"},
      {"alg", "RS256"},
      {"kid", "2011-04-29"}};
  const KeySet keys = *KeySet::Parse(json{{"keys", {example, Es().Jwk()}}}.dump());
  constexpr char kThumbprint[] = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
  CHECK(keys.Find("2011-04-29")->thumbprint() == kThumbprint);
  CHECK(keys.Holds(kThumbprint));
  CHECK(keys.Holds(keys.Find("es")->thumbprint()));
  const KeySet renamed = *KeySet::Parse(json{{"keys", {With(example, "kid", "another")}}}.dump());
  CHECK(renamed.Holds(kThumbprint));
  CHECK_FALSE(renamed.Holds(keys.Find("es")->thumbprint()));
}

TEST_CASE("keys that cannot verify for us are skipped and the rest are taken", "[jose]") {
  const TestKey es384("ES384", "es384");
  const TestKey ed("EdDSA", "ed");
  const std::string even_modulus = [] {
    std::string n = *Base64UrlDecode(Rsa().Jwk()["n"].get<std::string>());
    n.back() = static_cast<char>(n.back() & 0xfe);
    return Base64UrlEncode(n);
  }();
  struct Case {
    const char* name;
    json jwk;
  };
  const std::vector<Case> unusable = {
      {"no object", json("x")},
      {"no kid", Without(Rsa().Jwk(), "kid")},
      {"kid empty", With(Rsa().Jwk(), "kid", "")},
      {"kid is a number", With(Rsa().Jwk(), "kid", 1)},
      {"kid too long", With(Rsa().Jwk(), "kid", std::string(257, 'k'))},
      {"oct", {{"kty", "oct"}, {"kid", "x"}, {"k", "c2VjcmV0"}}},
      {"no kty", Without(Rsa().Jwk(), "kty")},
      {"for encryption", With(Rsa().Jwk(), "use", "enc")},
      {"use is a list", With(Rsa().Jwk(), "use", {"sig"})},
      {"key_ops without verify", With(Rsa().Jwk(), "key_ops", {"encrypt"})},
      {"key_ops is a string", With(Rsa().Jwk(), "key_ops", "verify")},
      {"alg that is not ours", With(Rsa().Jwk(), "alg", "RS512")},
      {"alg HS256", With(Rsa().Jwk(), "alg", "HS256")},
      {"alg is a number", With(Rsa().Jwk(), "alg", 5)},
      {"alg of another type", With(Rsa().Jwk(), "alg", "ES256")},
      {"alg of another curve", With(Es().Jwk(), "alg", "ES384")},
      {"private RSA", With(Rsa().Jwk(), "d", "AQAB")},
      {"private prime", With(Rsa().Jwk(), "p", "AQAB")},
      {"private EC", With(Es().Jwk(), "d", "AQAB")},
      {"RSA 512", TestKey("RS256", "x", 512).Jwk()},
      {"RSA 1024", TestKey("RS256", "x", 1024).Jwk()},
      {"RSA 2047", TestKey("RS256", "x", 2047).Jwk()},
      {"RSA 8200 bits of modulus",
       With(Rsa().Jwk(), "n", Base64UrlEncode(std::string(1025, '\xff')))},
      {"RSA even modulus", With(Rsa().Jwk(), "n", even_modulus)},
      {"RSA exponent 1", With(Rsa().Jwk(), "e", "AQ")},
      {"RSA exponent 2", With(Rsa().Jwk(), "e", "Ag")},
      {"RSA exponent 0", With(Rsa().Jwk(), "e", "AA")},
      {"RSA exponent of nine bytes",
       With(Rsa().Jwk(), "e", Base64UrlEncode(std::string(9, '\x01')))},
      {"RSA without modulus", Without(Rsa().Jwk(), "n")},
      {"RSA modulus not base64url", With(Rsa().Jwk(), "n", "a+b/")},
      {"EC point off the curve", With(Es().Jwk(), "y", Base64UrlEncode(std::string(32, '\x07')))},
      {"EC point at zero", With(With(Es().Jwk(), "x", Base64UrlEncode(std::string(32, '\0'))), "y",
                                Base64UrlEncode(std::string(32, '\0')))},
      {"EC coordinate too short", With(Es().Jwk(), "x", Base64UrlEncode(std::string(31, '\x01')))},
      {"EC curve of another length", With(Es().Jwk(), "crv", "P-384")},
      {"EC P-521", With(Es().Jwk(), "crv", "P-521")},
      {"EC secp256k1", With(Es().Jwk(), "crv", "secp256k1")},
      {"OKP X25519", With(ed.Jwk(), "crv", "X25519")},
      {"OKP too short", With(ed.Jwk(), "x", Base64UrlEncode(std::string(31, '\x01')))},
      {"OKP of small order: zero", With(ed.Jwk(), "x", Base64UrlEncode(std::string(32, '\0')))},
      {"OKP of small order: one",
       With(ed.Jwk(), "x", Base64UrlEncode('\x01' + std::string(31, '\0')))},
      {"OKP of small order: order 8",
       With(ed.Jwk(), "x", "JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_AU")},
      {"OKP of small order: order 8, the other sign",
       With(ed.Jwk(), "x", "JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_IU")},
  };
  for (const Case& c : unusable) {
    INFO(c.name);
    const auto set = KeySet::Parse(JwksOf({c.jwk, With(es384.Jwk(), "kid", "good")}));
    REQUIRE(set.ok());
    CHECK(set->size() == 1);
    CHECK(set->Find("good") != nullptr);
    REQUIRE(set->skipped().size() == 1);
    CHECK(set->skipped()[0].rfind("key 1: ", 0) == 0);
  }
}

TEST_CASE("a key id on two keys names neither", "[jose]") {
  const auto set = KeySet::Parse(JwksOf({Rsa().Jwk(), With(Es().Jwk(), "kid", "rs"), Es().Jwk()}));
  REQUIRE(set.ok());
  CHECK(set->Find("rs") == nullptr);
  CHECK(set->Find("es") != nullptr);
  CHECK(set->skipped().size() == 2);
}

TEST_CASE("what is no key set fails whole", "[jose]") {
  for (const char* text : {"", "null", "[]", "{}", R"({"keys":{}})", R"({"keys":[)",
                           R"({"keys":[],"keys":[]})", "<html>"}) {
    INFO(text);
    CHECK(absl::IsInvalidArgument(KeySet::Parse(text).status()));
  }
  json many = json::array_t(101, Es().Jwk());
  CHECK(absl::IsResourceExhausted(KeySet::Parse(json{{"keys", many}}.dump()).status()));
  CHECK(absl::IsResourceExhausted(KeySet::Parse(std::string(kMaxKeySetBytes + 1, ' ')).status()));
  const auto empty = KeySet::Parse(R"({"keys":[]})");
  REQUIRE(empty.ok());
  CHECK(empty->empty());
}

TEST_CASE("the set that is passed on holds the usable keys alone, and reads back as itself",
          "[jose]") {
  const json noisy = With(With(Es().Jwk(), "x5c", {"AAAA"}), "note", "mine");
  const auto set = KeySet::Parse(
      JwksOf({noisy, With(Rsa().Jwk(), "use", "enc"), With(Rsa().Jwk(), "kid", "a")}));
  REQUIRE(set.ok());
  const json passed_on = json::parse(set->ToJson());
  REQUIRE(passed_on["keys"].size() == 2);
  CHECK(passed_on["keys"][0]["kid"] == "a");
  CHECK_FALSE(passed_on["keys"][1].contains("x5c"));
  CHECK_FALSE(passed_on["keys"][1].contains("note"));
  const auto again = KeySet::Parse(set->ToJson());
  REQUIRE(again.ok());
  CHECK(again->ToJson() == set->ToJson());
}

TEST_CASE("our own P-256 key becomes a JWK, and no other key does", "[jose]") {
  const PrivateKey key = GenerateKey();
  const auto jwk = P256Jwk(*key, "mine");
  REQUIRE(jwk.ok());
  const auto set = KeySet::Parse(JwkSet({&*jwk, 1}));
  REQUIRE(set.ok());
  CHECK(set->Find("mine") != nullptr);
  CHECK_FALSE(P256Jwk(*Rsa().key(), "x").ok());
  CHECK_FALSE(P256Jwk(*TestKey("ES384", "x").key(), "x").ok());
}

}  // namespace
}  // namespace sallyport::jose
