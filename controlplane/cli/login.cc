#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/denial.h"
#include "common/jose/claims.h"
#include "common/jose/token.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "common/time_text.h"
#include "controlplane/cli/cli.h"
#include "controlplane/cli/connection.h"
#include "controlplane/cli/oidc_login.h"
#include "controlplane/cli/output.h"
#include "controlplane/cli/token_file.h"
#include "controlplane/cli/whoami.h"

namespace sallyport::controlplane {
namespace {

struct Flags {
  OidcLogin login;
  bool no_browser = false;
};

// What a token says that it is for. Empty: it cannot be read, as those that are no JWT.
std::string AudienceOf(std::string_view token) {
  const absl::StatusOr<jose::Token> parsed = jose::Token::Parse(token);
  if (!parsed.ok()) return {};
  const absl::StatusOr<std::vector<std::string>> audiences = jose::Audiences(parsed->claims());
  return audiences.ok() ? absl::StrJoin(*audiences, ", ") : "";
}

// Of a token that the control plane does not take, and that is thrown away.
std::string WhyRefused(std::string_view address, std::string_view token, bool is_id_token) {
  const std::string audience = AudienceOf(token);
  const std::string refused =
      absl::StrCat(ToAbsl(address), " does not take what the issuer gave, and nothing was kept: ");
  if (is_id_token) {
    return absl::StrCat(
        refused, "an ID token whose aud is ", audience.empty() ? "unknown" : audience,
        ". Log in with --resource and one of the control plane's `admin_audiences`, which gets an "
        "access token; or let an entry of its `issuers` with `token_kind: id_token` name that aud "
        "among its `audiences`. Its log says more (event token_refused)");
  }
  if (audience.empty()) {
    return absl::StrCat(refused,
                        "an access token that is no JWT. Leave --resource (--audience) out to use "
                        "the ID token, or name one of the control plane's `admin_audiences`");
  }
  return absl::StrCat(
      refused, "an access token whose aud is ", audience,
      ". Log in with --resource (for some providers --audience) and one of the control plane's "
      "`admin_audiences`, or put that aud among them. Its log says more (event token_refused)");
}

// Before anybody signs in for it. Says nothing to it.
absl::Status CheckReachable(ClientOptions options) {
  options.token = "not sent";
  ASSIGN_OR_RETURN(const ApiConnection connection, ApiConnection::Open(options));
  if (connection.Connect()) return absl::OkStatus();
  // Only a call says what is in the way.
  const absl::Status asked = AskCaller(options).status();
  return ReasonOf(asked) == types::v1::DENIAL_REASON_UNSPECIFIED ? asked : absl::OkStatus();
}

int Login(const ClientOptions& options, Flags flags) {
  const std::string address = TargetAddress(options);
  if (absl::StartsWith(address, "unix:")) {
    return Fail(absl::InvalidArgumentError(absl::StrCat(
        address,
        " needs no login: the admin socket knows its users. Set SALLYPORT_ADDR (or --addr) "
        "to the control plane's host:port to act as yourself")));
  }
  if (const absl::Status reachable = CheckReachable(options); !reachable.ok())
    return Fail(reachable);
  flags.login.opens_browser = !flags.no_browser;
  absl::StatusOr<ObtainedToken> token = LogIn(flags.login);
  if (!token.ok()) return Fail(token.status());
  ClientOptions as_person = options;
  as_person.token = token->token;
  const absl::StatusOr<admin::v1::GetCallerResponse> caller = AskCaller(as_person);
  if (ReasonOf(caller.status()) == types::v1::DENIAL_REASON_TOKEN_INVALID) {
    return Fail(absl::PermissionDeniedError(
        WhyRefused(address, token->token, /*is_id_token=*/flags.login.gets_id_token())));
  }
  if (!caller.ok() && ReasonOf(caller.status()) == types::v1::DENIAL_REASON_UNSPECIFIED) {
    return Fail(absl::Status(
        caller.status().code(),
        absl::StrCat(caller.status().message(), "; it could not be asked, and nothing was kept")));
  }
  if (absl::Status kept = KeepToken(address, token->token, token->expires); !kept.ok())
    return Fail(kept);
  std::fprintf(stderr, "Logged in for %s until %s.\n", Printable(address).c_str(),
               TimeText(token->expires).c_str());
  if (std::getenv("SALLYPORT_TOKEN") != nullptr) {
    std::fputs("SALLYPORT_TOKEN is set, and goes before what was kept now.\n", stderr);
  }
  if (!caller.ok()) return Fail(caller.status());
  ShowCaller(*caller, options.format);
  return 0;
}

}  // namespace

void AddLoginCommand(CommandLine& line) {
  const ClientOptions& options = line.options();
  auto flags = std::make_shared<Flags>();
  CLI::App* login =
      line.app().add_subcommand("login", "Gets a person's token with the browser, and keeps it.");
  login->add_option("--issuer", flags->login.issuer, "the issuer's URL, to the letter")->required();
  login
      ->add_option("--client-id", flags->login.client_id,
                   "a public client with the redirect URI http://127.0.0.1/callback")
      ->required();
  login->add_option("--resource", flags->login.resource,
                    "an access token for this (RFC 8707) instead of the ID token");
  login->add_option("--audience", flags->login.audience,
                    "likewise, for providers that call it audience");
  login->add_option("--scope", flags->login.scope, "what to ask for")->capture_default_str();
  login->add_option("--issuer-ca-file", flags->login.ca_file, "the issuer's CA, PEM");
  login->add_flag("--no-browser", flags->no_browser, "only print the URL");
  line.OnRun(login, [&options, flags] { return Login(options, *flags); });
}

}  // namespace sallyport::controlplane
