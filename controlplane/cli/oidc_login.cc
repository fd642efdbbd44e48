#include "controlplane/cli/oidc_login.h"

#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/ids.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "controlplane/cli/loopback_receiver.h"
#include "controlplane/cli/output.h"
#include "controlplane/identity/discovery.h"
#include "controlplane/identity/https_client.h"

namespace sallyport::controlplane {
namespace {

std::string Encode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
    if (is_plain) {
      out += c;
    } else {
      absl::StrAppend(&out, "%", absl::Hex(static_cast<unsigned char>(c), absl::kZeroPad2));
    }
  }
  return out;
}

using Parameters = std::vector<std::pair<std::string, std::string>>;

std::string WithQuery(const std::string& url, const Parameters& parameters) {
  std::string out = url;
  char joint = url.find('?') == url.npos ? '?' : '&';
  for (const auto& [name, value] : parameters) {
    if (value.empty()) continue;
    absl::StrAppend(&out, std::string(1, std::exchange(joint, '&')), name, "=", Encode(value));
  }
  return out;
}

void OpenBrowser(const std::string& url) {
  std::string program = "xdg-open", target = url;
  char* arguments[] = {program.data(), target.data(), nullptr};
  pid_t child = 0;
  if (posix_spawnp(&child, program.c_str(), nullptr, nullptr, arguments, environ) == 0)
    waitpid(child, nullptr, WNOHANG);
}

absl::StatusOr<std::string> ReceiveCode(const OidcLogin& login, LoopbackReceiver& receiver,
                                        const std::string& state) {
  ASSIGN_OR_RETURN(auto answer, receiver.Receive(state, login.patience));
  if (auto iss = answer.find("iss"); iss != answer.end() && iss->second != login.issuer) {
    return absl::PermissionDeniedError(
        "the answer came from another issuer than the one that was asked (RFC 9207)");
  }
  if (auto error = answer.find("error"); error != answer.end()) {
    return absl::PermissionDeniedError(
        absl::StrCat("the issuer refused: ", error->second, " ", answer["error_description"]));
  }
  if (answer["code"].empty()) return absl::InvalidArgumentError("the issuer sent no code");
  return answer["code"];
}

// The nonce of an ID token that came straight from the token endpoint over TLS; the services check
// everything else of it.
bool HasNonce(const std::string& id_token, const std::string& nonce) {
  const std::size_t first = id_token.find('.'), second = id_token.find('.', first + 1);
  std::string payload;
  if (second == id_token.npos ||
      !absl::WebSafeBase64Unescape(id_token.substr(first + 1, second - first - 1), &payload))
    return false;
  const auto claims = nlohmann::json::parse(payload, nullptr, /*allow_exceptions=*/false);
  return claims.is_object() && claims.value("nonce", nlohmann::json()) == nlohmann::json(nonce);
}

absl::StatusOr<ObtainedToken> Redeem(const OidcLogin& login, const Discovery& issuer,
                                     const Parameters& form, const std::string& nonce) {
  HttpsOptions options;
  options.ca_file = login.ca_file;
  ASSIGN_OR_RETURN(HttpsResponse response, HttpsPostForm(issuer.token_endpoint, form, options));
  const auto answer = nlohmann::json::parse(response.body, nullptr, /*allow_exceptions=*/false);
  if (response.status != 200 || !answer.is_object()) {
    const auto error =
        answer.is_object() ? answer.value("error", nlohmann::json()) : nlohmann::json();
    return absl::PermissionDeniedError(
        absl::StrCat(issuer.token_endpoint, " answered HTTP ", response.status, " ",
                     error.is_string() ? error.get<std::string>() : ""));
  }
  const bool wants_access_token = !login.gets_id_token();
  const auto id_token = answer.value("id_token", nlohmann::json());
  if (id_token.is_string() && !HasNonce(id_token.get<std::string>(), nonce)) {
    return absl::PermissionDeniedError("the ID token is not for this login: its nonce is another");
  }
  const auto token = wants_access_token ? answer.value("access_token", nlohmann::json()) : id_token;
  if (!token.is_string()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the issuer sent no ", wants_access_token ? "access token" : "ID token",
                     wants_access_token ? "" : "; ask for the scope openid, or for a --resource"));
  }
  const auto seconds = answer.value("expires_in", nlohmann::json(300));
  return ObtainedToken{
      token.get<std::string>(),
      absl::Now() + absl::Seconds(seconds.is_number_integer() ? seconds.get<int64_t>() : 300)};
}

}  // namespace

absl::StatusOr<ObtainedToken> LogIn(const OidcLogin& login) {
  HttpsOptions options;
  options.ca_file = login.ca_file;
  const absl::StatusOr<Discovery> discovered = Discover(login.issuer, options);
  if (!discovered.ok()) {
    return absl::Status(discovered.status().code(), absl::StrCat("--issuer ", login.issuer, ": ",
                                                                 discovered.status().message()));
  }
  const Discovery& issuer = *discovered;
  if (issuer.authorization_endpoint.empty() || issuer.token_endpoint.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat(login.issuer, " has no authorization code flow: it names no such endpoints"));
  }
  const auto& methods = issuer.code_challenge_methods;
  if (!methods.empty() && std::find(methods.begin(), methods.end(), "S256") == methods.end()) {
    return absl::FailedPreconditionError(
        absl::StrCat(login.issuer, " does not offer PKCE with S256"));
  }
  ASSIGN_OR_RETURN(LoopbackReceiver receiver, LoopbackReceiver::Listen());
  const std::string state = NewRandomToken(), nonce = NewRandomToken(), verifier = NewRandomToken();
  std::string challenge = absl::WebSafeBase64Escape(Sha256(verifier));
  const std::string url =
      WithQuery(issuer.authorization_endpoint, {{"response_type", "code"},
                                                {"client_id", login.client_id},
                                                {"redirect_uri", receiver.redirect_uri()},
                                                {"scope", login.scope},
                                                {"state", state},
                                                {"nonce", nonce},
                                                {"resource", login.resource},
                                                {"audience", login.audience},
                                                {"code_challenge_method", "S256"},
                                                {"code_challenge", challenge}});
  std::fprintf(stderr, "To log in, visit\n\n  %s\n\n", url.c_str());
  if (login.opens_browser) OpenBrowser(url);
  ASSIGN_OR_RETURN(std::string code, ReceiveCode(login, receiver, state));
  Parameters form = {{"grant_type", "authorization_code"},
                     {"client_id", login.client_id},
                     {"redirect_uri", receiver.redirect_uri()},
                     {"code", code},
                     {"code_verifier", verifier}};
  if (!login.resource.empty()) form.emplace_back("resource", login.resource);
  return Redeem(login, issuer, form, nonce);
}

}  // namespace sallyport::controlplane
