#include "common/jose/token.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "common/jose/base64url.h"
#include "common/jose/strict_json.h"

namespace sallyport::jose {
namespace {

using Json = nlohmann::json;

constexpr int kHeaderDepth = 8;
constexpr std::size_t kMaxKeyIdBytes = 256;

absl::Status Bad(const std::string& why) { return absl::InvalidArgumentError(why); }

struct Parts {
  std::string_view signed_part;
  std::string header;
  std::string payload;
  std::string signature;
};

absl::StatusOr<Parts> Split(std::string_view text) {
  const auto dots = std::count(text.begin(), text.end(), '.');
  if (dots == 4) return absl::UnimplementedError("an encrypted token: set the issuer to sign only");
  if (dots != 2) return Bad("not three parts");
  const std::size_t first = text.find('.');
  const std::size_t second = text.rfind('.');
  auto header = Base64UrlDecode(text.substr(0, first));
  auto payload = Base64UrlDecode(text.substr(first + 1, second - first - 1));
  auto signature = Base64UrlDecode(text.substr(second + 1));
  if (!header.has_value() || !payload.has_value() || !signature.has_value()) {
    return Bad("not canonical base64url");
  }
  if (header->empty() || payload->empty() || signature->empty()) return Bad("an empty part");
  return Parts{text.substr(0, second), *std::move(header), *std::move(payload),
               *std::move(signature)};
}

absl::StatusOr<Json> Object(const std::string& text, int max_depth, const char* part) {
  absl::StatusOr<Json> value = ParseStrictJson(text, max_depth);
  if (!value.ok()) return Bad(std::string(part) + ": " + std::string(value.status().message()));
  if (!value->is_object()) return Bad(std::string(part) + ": not an object");
  return value;
}

}  // namespace

Token::~Token() = default;
Token::Token(Token&&) noexcept = default;
Token& Token::operator=(Token&&) noexcept = default;

absl::StatusOr<Token> Token::Parse(std::string_view text, const TokenLimits& limits) {
  if (text.size() > limits.max_bytes) return absl::ResourceExhaustedError("token is too long");
  absl::StatusOr<Parts> parts = Split(text);
  if (!parts.ok()) return parts.status();
  absl::StatusOr<Json> header = Object(parts->header, kHeaderDepth, "header");
  if (!header.ok()) return header.status();

  // Extensions that change what a signature means, none of which we have.
  for (const char* name : {"crit", "b64", "zip"}) {
    if (header->contains(name)) return Bad(std::string("header: has \"") + name + '"');
  }
  Token token;
  const auto algorithm = header->find("alg");
  if (algorithm == header->end() || !algorithm->is_string()) return Bad("header: no algorithm");
  const auto known = AlgorithmFromName(algorithm->get_ref<const std::string&>());
  if (!known.has_value()) return Bad("header: algorithm is not one of ours");
  token.algorithm_ = *known;

  const auto key_id = header->find("kid");
  if (key_id == header->end() || !key_id->is_string()) return Bad("header: no key id");
  token.key_id_ = key_id->get<std::string>();
  if (token.key_id_.empty() || token.key_id_.size() > kMaxKeyIdBytes) {
    return Bad("header: key id is empty or longer than 256 bytes");
  }
  if (const auto type = header->find("typ"); type != header->end()) {
    if (!type->is_string()) return Bad("header: type is no string");
    token.type_ = NormalType(type->get_ref<const std::string&>());
  }

  absl::StatusOr<Json> claims = Object(parts->payload, limits.max_depth, "payload");
  if (!claims.ok()) return claims.status();
  token.claims_ = std::make_unique<const Json>(*std::move(claims));
  token.signed_part_ = parts->signed_part;
  token.signature_ = std::move(parts->signature);
  return token;
}

absl::Status Token::Verify(const PublicKey& key, std::span<const Algorithm> allowed) const {
  if (std::find(allowed.begin(), allowed.end(), algorithm_) == allowed.end()) {
    return absl::UnauthenticatedError("algorithm is not allowed");
  }
  if (!key.Serves(algorithm_, allowed)) {
    return absl::UnauthenticatedError("algorithm does not fit the key");
  }
  if (!key.Verify(algorithm_, signed_part_, signature_)) {
    return absl::UnauthenticatedError("signature is wrong");
  }
  return absl::OkStatus();
}

std::string NormalType(std::string_view type) {
  std::string normal(type);
  for (char& c : normal) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  constexpr std::string_view kPrefix = "application/";
  if (normal.compare(0, kPrefix.size(), kPrefix) == 0) normal.erase(0, kPrefix.size());
  return normal;
}

}  // namespace sallyport::jose
