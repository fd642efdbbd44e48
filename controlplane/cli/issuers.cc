#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "common/denial.h"
#include "common/json_printer.h"
#include "common/strings.h"
#include "common/time_text.h"
#include "controlplane/cli/cli.h"
#include "controlplane/cli/client_call.h"
#include "controlplane/cli/principal_text.h"
#include "controlplane/cli/word_or_file.h"
#include "sallyport/admin/v1/issuer_service.grpc.pb.h"

namespace sallyport::controlplane {
namespace {

using admin::v1::ExplainTokenResponse;
using admin::v1::IssuerService;
using admin::v1::IssuerState;
using admin::v1::TokenVerdict;

std::string AgeOf(const IssuerState& state) {
  if (!state.has_fetched_at()) return "none";
  const absl::Duration age = absl::Now() - absl::FromUnixSeconds(state.fetched_at().seconds());
  return DurationText(std::max(absl::Floor(age, absl::Seconds(1)), absl::ZeroDuration()));
}

void ShowIssuers(const admin::v1::CheckIssuersResponse& response) {
  Table table({"ID", "REALM", "STATE", "KEYS", "AGE", "ISSUER", "KEYS FROM"});
  for (const IssuerState& state : response.items()) {
    table.Add({state.id(), state.realm(), state.error().empty() ? "ok" : "FAILED",
               absl::StrCat(state.keys_size()), AgeOf(state), state.issuer(), state.keys_from()});
  }
  std::fputs(table.Text().c_str(), stdout);
  for (const IssuerState& state : response.items()) {
    if (!state.error().empty()) {
      std::printf("%s: %s%s\n", state.id().c_str(), Printable(state.error()).c_str(),
                  state.has_fetched_at() ? "; the keys fetched before serve on"
                                         : "; its tokens are refused (issuer_unavailable)");
    }
    for (const std::string& skipped : state.skipped()) {
      std::printf("%s: not used: %s\n", state.id().c_str(), Printable(skipped).c_str());
    }
  }
}

// 1 when an issuer could not be asked, for monitoring.
int CheckIssuers(const ClientOptions& options, const std::string& issuer) {
  admin::v1::CheckIssuersRequest request;
  request.set_issuer(issuer);
  return Ask<IssuerService>(
      options, &IssuerService::Stub::CheckIssuers, request,
      [&](const admin::v1::CheckIssuersResponse& response) {
        if (options.format == "table") {
          ShowIssuers(response);
        } else {
          PrintMessage(response, options.format);
        }
        return std::all_of(response.items().begin(), response.items().end(),
                           [](const IssuerState& state) { return state.error().empty(); })
                   ? 0
                   : 1;
      });
}

void Line(std::string_view name, std::string_view value) {
  if (value.empty()) return;
  std::printf("  %-12s %s\n", std::string(name).c_str(), Printable(value).c_str());
}

void ShowVerdict(std::string_view who, const TokenVerdict& verdict) {
  std::printf("%s: %s\n", std::string(who).c_str(),
              verdict.is_accepted()
                  ? "accepted"
                  : absl::StrCat("refused (", ToAbsl(ReasonName(verdict.reason())), ")").c_str());
  Line("because", verdict.detail());
  Line("issuer", verdict.issuer());
  if (!verdict.is_accepted()) return;
  const types::v1::Principal& principal = verdict.principal();
  Line("audience", verdict.audience());
  Line("principal",
       absl::StrCat(EnumWord(principal.kind()), ":", principal.realm(), ":", principal.subject()));
  Line("client", principal.client_id());
  Line("scopes", absl::StrJoin(principal.scopes(), " "));
  Line("groups", absl::StrJoin(principal.groups(), " "));
  Line("claims", ClaimsText(principal));
  Line("roles", absl::StrJoin(verdict.roles(), " "));
  Line("good for", verdict.may_manage()
                       ? verdict.may_access() ? "managing, and access to servers" : "managing"
                       : "access to servers");
  Line("issued", TimeCell(verdict.issued_at(), verdict.has_issued_at()));
  Line("until", TimeCell(verdict.expires_at(), verdict.has_expires_at()));
}

void ShowToken(const ExplainTokenResponse& response) {
  ShowVerdict("people's API", response.people());
  ShowVerdict("agents", response.agents());
  if (!response.agents().is_accepted()) return;
  if (response.policies().empty()) std::printf("no policy names it\n");
  for (const admin::v1::NamedBy& named : response.policies()) {
    std::printf("named by policy %s for %s%s\n", named.policy().c_str(),
                Printable(absl::StrJoin(named.servers(), ", ")).c_str(),
                named.required_scopes().empty()
                    ? ""
                    : Printable(absl::StrCat(", had it the scopes ",
                                             absl::StrJoin(named.required_scopes(), " ")))
                          .c_str());
  }
}

int ExplainToken(const ClientOptions& options, const std::string& word) {
  absl::StatusOr<std::string> token = ReadToken(word);
  if (!token.ok()) return Fail(token.status());
  admin::v1::ExplainTokenRequest request;
  request.set_token(*std::move(token));
  return Ask<IssuerService>(options, &IssuerService::Stub::ExplainToken, request,
                            [&](const ExplainTokenResponse& response) {
                              if (options.format == "table") {
                                ShowToken(response);
                              } else {
                                PrintMessage(response, options.format);
                              }
                              return 0;
                            });
}

}  // namespace

void AddIssuerCommands(CommandLine& line) {
  const ClientOptions& options = line.options();
  auto word = std::make_shared<std::string>();
  CLI::App* issuers = line.app().add_subcommand("issuers", "The identity providers.");
  issuers->require_subcommand(0, 1);
  CLI::App* check = issuers->add_subcommand(
      "check", "Ask them for their keys now; exit 1 when one does not answer");
  check->add_option("ID", *word, "one entry; unset: all");
  line.OnRun(check, [&options, word] { return CheckIssuers(options, *word); });

  CLI::App* token = line.app().add_subcommand("token", "Tokens of the identity providers.");
  token->require_subcommand(0, 1);
  CLI::App* explain = token->add_subcommand("explain", "What the control plane makes of a token");
  explain->add_option("TOKEN", *word, "a JWT, or a file that holds one; - reads standard input")
      ->required();
  line.OnRun(explain, [&options, word] { return ExplainToken(options, *word); });
}

}  // namespace sallyport::controlplane
