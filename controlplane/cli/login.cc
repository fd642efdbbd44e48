#include <cstdio>
#include <cstdlib>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
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

int Login(const ClientOptions& options, Flags flags) {
  const std::string address = TargetAddress(options);
  if (absl::StartsWith(address, "unix:")) {
    return Fail(absl::InvalidArgumentError(absl::StrCat(
        address,
        " needs no login: the admin socket knows its users. Set SALLYPORT_ADDR (or --addr) "
        "to the control plane's host:port to act as yourself")));
  }
  flags.login.opens_browser = !flags.no_browser;
  absl::StatusOr<ObtainedToken> token = LogIn(flags.login);
  if (!token.ok()) return Fail(token.status());
  if (absl::Status kept = KeepToken(address, token->token, token->expires); !kept.ok())
    return Fail(kept);
  std::fprintf(stderr, "Logged in for %s until %s.\n", Printable(address).c_str(),
               TimeText(token->expires).c_str());
  if (std::getenv("SALLYPORT_TOKEN") != nullptr) {
    std::fputs("SALLYPORT_TOKEN is set, and goes before what was kept now.\n", stderr);
  }
  return ShowCaller(options);
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
