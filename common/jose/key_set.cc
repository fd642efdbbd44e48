#include "common/jose/key_set.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/status/status.h"
#include "common/jose/base64url.h"
#include "common/jose/strict_json.h"

namespace sallyport::jose {
namespace {

using Json = nlohmann::json;
using EvpKey = std::shared_ptr<EVP_PKEY>;

constexpr int kJwkDepth = 16;
constexpr std::size_t kMaxKeyIdBytes = 256;
constexpr int kMinRsaBits = 2048;
constexpr int kMaxRsaBits = 8192;

struct Deleter {
  void operator()(BIGNUM* n) const { BN_free(n); }
  void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
  void operator()(OSSL_PARAM_BLD* builder) const { OSSL_PARAM_BLD_free(builder); }
  void operator()(OSSL_PARAM* params) const { OSSL_PARAM_free(params); }
};
template <class T>
using Ptr = std::unique_ptr<T, Deleter>;

absl::Status Unusable(const std::string& why) { return absl::InvalidArgumentError(why); }

// A string member. nullopt: absent or no string.
std::optional<std::string> Text(const Json& jwk, const char* name) {
  const auto member = jwk.find(name);
  if (member == jwk.end() || !member->is_string()) return std::nullopt;
  return member->get<std::string>();
}

absl::StatusOr<std::string> Bytes(const Json& jwk, const char* name) {
  const std::optional<std::string> text = Text(jwk, name);
  std::optional<std::string> bytes = text.has_value() ? Base64UrlDecode(*text) : std::nullopt;
  if (!bytes.has_value() || bytes->empty()) {
    return Unusable(std::string("no base64url in \"") + name + "\"");
  }
  return *std::move(bytes);
}

EvpKey FromParams(const char* type, OSSL_PARAM_BLD* builder) {
  Ptr<OSSL_PARAM> params(OSSL_PARAM_BLD_to_param(builder));
  Ptr<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (params == nullptr || context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
    return nullptr;
  }
  return EvpKey(key, EVP_PKEY_free);
}

absl::StatusOr<EvpKey> RsaKey(const Json& jwk) {
  auto modulus = Bytes(jwk, "n");
  if (!modulus.ok()) return modulus.status();
  auto exponent = Bytes(jwk, "e");
  if (!exponent.ok()) return exponent.status();
  // Before any arithmetic: its cost grows with the cube of the length.
  if (modulus->size() > kMaxRsaBits / 8 || exponent->size() > 8) {
    return Unusable("RSA key is too large");
  }
  const auto number = [](const std::string& bytes) {
    return Ptr<BIGNUM>(BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()),
                                 static_cast<int>(bytes.size()), nullptr));
  };
  const Ptr<BIGNUM> n = number(*modulus);
  const Ptr<BIGNUM> e = number(*exponent);
  if (BN_num_bits(n.get()) < kMinRsaBits) {
    return Unusable("RSA key of " + std::to_string(BN_num_bits(n.get())) + " bits");
  }
  if (!BN_is_odd(n.get())) return Unusable("RSA modulus is even");
  if (!BN_is_odd(e.get()) || BN_is_one(e.get())) {
    return Unusable("RSA exponent is even or 1");
  }
  Ptr<OSSL_PARAM_BLD> builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get());
  EvpKey key = FromParams("RSA", builder.get());
  if (key == nullptr) return Unusable("RSA key is not valid");
  return key;
}

absl::StatusOr<EvpKey> EcKey(const Json& jwk, const char* group, std::size_t coordinate_bytes) {
  auto x = Bytes(jwk, "x");
  if (!x.ok()) return x.status();
  auto y = Bytes(jwk, "y");
  if (!y.ok()) return y.status();
  if (x->size() != coordinate_bytes || y->size() != coordinate_bytes) {
    return Unusable("coordinates of another curve");
  }
  const std::string point = '\x04' + *x + *y;
  Ptr<OSSL_PARAM_BLD> builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, group, 0);
  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                   point.size());
  EvpKey key = FromParams("EC", builder.get());
  if (key != nullptr) {
    Ptr<EVP_PKEY_CTX> check(EVP_PKEY_CTX_new(key.get(), nullptr));
    if (check != nullptr && EVP_PKEY_public_check(check.get()) == 1) return key;
  }
  return Unusable("point is not on the curve");
}

// The encodings of points of small order, sign bit cleared: under such a key a signature can be
// made that fits any message.
bool IsSmallOrder(std::string point) {
  static const std::array<std::string, 7> kPoints = [] {
    std::string zero(32, '\0');
    std::string one = zero;
    one[0] = 1;
    std::string p_minus_1(32, '\xff');
    p_minus_1[0] = '\xec';
    p_minus_1[31] = '\x7f';
    std::string p = p_minus_1;
    p[0] = '\xed';
    std::string p_plus_1 = p_minus_1;
    p_plus_1[0] = '\xee';
    return std::array<std::string, 7>{
        zero,
        one,
        p_minus_1,
        p,
        p_plus_1,
        *Base64UrlDecode("JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_AU"),
        *Base64UrlDecode("xxdqcD1N2E-6PAt2DRBnDyogU_osOczGTsf9d5KsA3o"),
    };
  }();
  point[31] = static_cast<char>(point[31] & 0x7f);
  return std::find(kPoints.begin(), kPoints.end(), point) != kPoints.end();
}

absl::StatusOr<EvpKey> Ed25519Key(const Json& jwk) {
  auto x = Bytes(jwk, "x");
  if (!x.ok()) return x.status();
  if (x->size() != 32) return Unusable("Ed25519 key is not 32 bytes");
  if (IsSmallOrder(*x)) return Unusable("Ed25519 point of small order");
  EvpKey key(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr,
                                  reinterpret_cast<const unsigned char*>(x->data()), x->size()),
      EVP_PKEY_free);
  if (key == nullptr) return Unusable("Ed25519 key is not valid");
  return key;
}

absl::Status CheckPurpose(const Json& jwk) {
  for (const char* name : {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}) {
    if (jwk.contains(name)) return Unusable("has private members");
  }
  if (jwk.contains("use") && Text(jwk, "use") != "sig") return Unusable("not for signatures");
  if (const auto operations = jwk.find("key_ops"); operations != jwk.end()) {
    const bool may_verify =
        operations->is_array() &&
        std::find(operations->begin(), operations->end(), Json("verify")) != operations->end();
    if (!may_verify) return Unusable("not for verifying");
  }
  return absl::OkStatus();
}

// A copy of what may be published and is needed, in a fixed order.
std::string PublicJwk(const Json& jwk) {
  Json copy = {{"use", "sig"}};
  for (const char* name : {"kty", "kid", "alg", "crv", "n", "e", "x", "y"}) {
    if (const auto member = jwk.find(name); member != jwk.end()) copy[name] = *member;
  }
  return copy.dump();
}

// RFC 7638: the members that make the key, in the order of their names.
std::string Thumbprint(const Json& jwk) {
  Json made_of = Json::object();
  for (const char* name : {"crv", "e", "kty", "n", "x", "y"}) {
    if (const auto member = jwk.find(name); member != jwk.end()) made_of[name] = *member;
  }
  const std::string text = made_of.dump();
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr);
  return Base64UrlEncode({reinterpret_cast<const char*>(digest.data()), size});
}

std::string KeyIdOf(const Json& jwk) {
  if (!jwk.is_object()) return {};
  std::string id = Text(jwk, "kid").value_or("");
  return id.size() <= kMaxKeyIdBytes ? id : std::string();
}

}  // namespace

absl::StatusOr<PublicKey> PublicKey::FromJwk(const Json& jwk) {
  if (absl::Status purpose = CheckPurpose(jwk); !purpose.ok()) return purpose;
  PublicKey result;
  if (jwk.contains("alg")) {
    result.named_ = AlgorithmFromName(Text(jwk, "alg").value_or(""));
    if (!result.named_.has_value()) return Unusable("another algorithm");
  }
  const std::string type = Text(jwk, "kty").value_or("");
  const std::string curve = Text(jwk, "crv").value_or("");
  absl::StatusOr<EvpKey> key = Unusable("another type or curve of key");
  if (type == "RSA") {
    result.type_ = Type::kRsa;
    key = RsaKey(jwk);
  } else if (type == "EC" && curve == "P-256") {
    result.type_ = Type::kP256;
    key = EcKey(jwk, "prime256v1", 32);
  } else if (type == "EC" && curve == "P-384") {
    result.type_ = Type::kP384;
    key = EcKey(jwk, "secp384r1", 48);
  } else if (type == "OKP" && curve == "Ed25519") {
    result.type_ = Type::kEd25519;
    key = Ed25519Key(jwk);
  }
  if (!key.ok()) return key.status();
  if (result.named_.has_value() && !result.Fits(*result.named_)) {
    return Unusable("algorithm of another type of key");
  }
  result.key_ = *std::move(key);
  result.jwk_ = PublicJwk(jwk);
  result.thumbprint_ = Thumbprint(jwk);
  return result;
}

absl::StatusOr<KeySet> KeySet::Parse(std::string_view json) {
  if (json.size() > kMaxKeySetBytes) {
    return absl::ResourceExhaustedError("key set is longer than 256 KiB");
  }
  absl::StatusOr<Json> set = ParseStrictJson(json, kJwkDepth);
  if (!set.ok())
    return absl::InvalidArgumentError("key set: " + std::string(set.status().message()));
  const auto keys = set->is_object() ? set->find("keys") : set->end();
  if (keys == set->end() || !keys->is_array()) {
    return absl::InvalidArgumentError("key set has no list \"keys\"");
  }
  if (keys->size() > kMaxKeys) return absl::ResourceExhaustedError("key set of more than 100 keys");

  std::map<std::string, int> uses;
  for (const Json& jwk : *keys) ++uses[KeyIdOf(jwk)];
  KeySet result;
  int number = 0;
  for (const Json& jwk : *keys) {
    ++number;
    const auto skip = [&](std::string_view why) {
      result.skipped_.push_back("key " + std::to_string(number) + ": " + std::string(why));
    };
    std::string id = KeyIdOf(jwk);
    if (id.empty()) {
      skip("no key id");
      continue;
    }
    if (uses[id] > 1) {
      skip("its key id stands on two keys");
      continue;
    }
    absl::StatusOr<PublicKey> key = PublicKey::FromJwk(jwk);
    if (!key.ok()) {
      ERR_clear_error();
      skip({key.status().message().data(), key.status().message().size()});
      continue;
    }
    result.keys_.emplace(std::move(id), *std::move(key));
  }
  return result;
}

const PublicKey* KeySet::Find(std::string_view kid) const {
  const auto key = keys_.find(kid);
  return key == keys_.end() ? nullptr : &key->second;
}

bool KeySet::Holds(std::string_view thumbprint) const {
  return std::any_of(keys_.begin(), keys_.end(),
                     [&](const auto& entry) { return entry.second.thumbprint() == thumbprint; });
}

std::vector<std::string> KeySet::KeyIds() const {
  std::vector<std::string> ids;
  for (const auto& [id, key] : keys_) ids.push_back(id);
  return ids;
}

std::string KeySet::ToJson() const {
  std::vector<std::string> jwks;
  jwks.reserve(keys_.size());
  for (const auto& [id, key] : keys_) jwks.push_back(key.jwk());
  return JwkSet(jwks);
}

absl::StatusOr<std::string> P256Jwk(const EVP_PKEY& key, std::string_view kid) {
  std::array<unsigned char, 65> point{};
  std::size_t length = 0;
  std::array<char, 32> group{};
  std::size_t group_length = 0;
  if (EVP_PKEY_get_group_name(&key, group.data(), group.size(), &group_length) != 1 ||
      std::string_view(group.data(), group_length) != "prime256v1" ||
      EVP_PKEY_get_octet_string_param(&key, OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size(),
                                      &length) != 1 ||
      length != point.size() || point[0] != 4) {
    return absl::InvalidArgumentError("no P-256 key");
  }
  const auto coordinate = [&](std::size_t at) {
    return Base64UrlEncode({reinterpret_cast<const char*>(point.data()) + at, 32});
  };
  return Json{{"kty", "EC"},    {"crv", "P-256"}, {"x", coordinate(1)},     {"y", coordinate(33)},
              {"alg", "ES256"}, {"use", "sig"},   {"kid", std::string(kid)}}
      .dump();
}

std::string JwkSet(std::span<const std::string> jwks) {
  std::string json = R"({"keys":[)";
  for (const std::string& jwk : jwks) {
    if (json.back() == '}') json += ',';
    json += jwk;
  }
  return json + "]}";
}

}  // namespace sallyport::jose
