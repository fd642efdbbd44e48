#include "controlplane/identity/discovery.h"

#include <nlohmann/json.hpp>

#include "absl/status/status.h"
#include "common/jose/strict_json.h"
#include "common/principal/endpoint_url.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::controlplane {
namespace {

using Json = nlohmann::json;

constexpr int kMaxDepth = 16;

absl::Status Bad(const std::string& what) {
  return absl::InvalidArgumentError("discovery document: " + what);
}

// Empty where it is absent.
absl::StatusOr<std::string> Endpoint(const Json& document, const char* name) {
  const auto member = document.find(name);
  if (member == document.end()) return std::string();
  if (!member->is_string()) return Bad(std::string(name) + " is no string");
  auto url = member->get<std::string>();
  if (absl::Status checked = CheckEndpointUrl(url); !checked.ok()) {
    return Bad(std::string(name) + ": " + std::string(ToStd(checked.message())));
  }
  return url;
}

}  // namespace

absl::StatusOr<Discovery> ParseDiscovery(std::string_view json, std::string_view issuer) {
  const absl::StatusOr<Json> document = jose::ParseStrictJson(json, kMaxDepth);
  if (!document.ok()) return Bad(std::string(ToStd(document.status().message())));
  if (!document->is_object()) return Bad("not an object");
  if (document->value("issuer", Json()) != Json(std::string(issuer))) {
    return Bad("it is about another issuer than " + std::string(issuer));
  }
  Discovery discovery{.issuer = std::string(issuer)};
  ASSIGN_OR_RETURN(discovery.jwks_uri, Endpoint(*document, "jwks_uri"));
  if (discovery.jwks_uri.empty()) return Bad("it has no jwks_uri");
  ASSIGN_OR_RETURN(discovery.authorization_endpoint, Endpoint(*document, "authorization_endpoint"));
  ASSIGN_OR_RETURN(discovery.token_endpoint, Endpoint(*document, "token_endpoint"));
  const auto methods = document->find("code_challenge_methods_supported");
  if (methods != document->end() && methods->is_array()) {
    for (const Json& method : *methods) {
      if (method.is_string()) discovery.code_challenge_methods.push_back(method.get<std::string>());
    }
  }
  return discovery;
}

absl::StatusOr<Discovery> Discover(const std::string& issuer, const HttpsOptions& options) {
  std::string base = issuer;
  if (!base.empty() && base.back() == '/') base.pop_back();
  ASSIGN_OR_RETURN(const HttpsResponse response,
                   HttpsGet(base + "/.well-known/openid-configuration", options));
  if (response.status != 200) {
    return absl::UnavailableError(issuer + ": discovery answers " +
                                  std::to_string(response.status));
  }
  return ParseDiscovery(response.body, issuer);
}

}  // namespace sallyport::controlplane
