#include <cstdio>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/denial.h"
#include "common/json_printer.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "common/time_text.h"
#include "controlplane/cli/client_call.h"
#include "controlplane/cli/option_values.h"
#include "controlplane/cli/policy_commands.h"
#include "controlplane/cli/principal_text.h"
#include "controlplane/cli/word_or_file.h"
#include "sallyport/admin/v1/policy_service.grpc.pb.h"

namespace sallyport::controlplane {
namespace {

using admin::v1::ExplainPolicyRequest;
using admin::v1::ExplainPolicyResponse;
using admin::v1::PolicyService;
using types::v1::Explanation;

struct Flags {
  ExplainPolicyRequest request;
  std::string token;
  std::string claims;
  std::string issuer;
  std::string at;
};

absl::StatusOr<ExplainPolicyRequest> RequestOf(const Flags& flags) {
  ExplainPolicyRequest request = flags.request;
  if (!flags.token.empty()) {
    ASSIGN_OR_RETURN(*request.mutable_token(), ReadToken(flags.token));
  } else {
    ASSIGN_OR_RETURN(*request.mutable_claims()->mutable_json(),
                     ReadJsonObject("--claims", flags.claims));
    request.mutable_claims()->set_issuer(flags.issuer);
  }
  if (std::string& arguments = *request.mutable_call()->mutable_arguments_json();
      !arguments.empty()) {
    ASSIGN_OR_RETURN(arguments, ReadJsonObject("--args", arguments));
  }
  if (flags.at.empty()) return request;
  ASSIGN_OR_RETURN(const absl::Time at, ParseTime(flags.at));
  request.mutable_at()->set_seconds(absl::ToUnixSeconds(at));
  return request;
}

void Line(std::string_view name, const std::string& value) {
  if (value.empty()) return;
  std::printf("  %-12s %s\n", std::string(name).c_str(), Printable(value).c_str());
}

std::string WhoDecides(const Explanation& explanation) {
  if (explanation.policy().empty()) return "no rule";
  if (!explanation.has_rule()) return absl::StrCat("policy ", explanation.policy());
  return absl::StrCat("rules[", explanation.rule(), "] of policy ", explanation.policy());
}

void ShowPolicies(const Explanation& explanation) {
  for (const types::v1::PolicyExplanation& policy : explanation.policies()) {
    std::printf("  %s: %s%s%s\n", policy.name().c_str(),
                policy.applies() ? "applies" : "does not apply", policy.why().empty() ? "" : ": ",
                Printable(policy.why()).c_str());
    for (const types::v1::RuleExplanation& rule : policy.rules()) {
      std::printf("    %s rules[%u] %s: %s\n", rule.matches() ? "*" : " ", rule.rule(),
                  rule.effect().c_str(), Printable(rule.why()).c_str());
    }
  }
}

void Show(std::string_view what, const Explanation& explanation) {
  const std::string_view reason = ReasonName(explanation.reason());
  std::printf("%s: %s%s\n", std::string(what).c_str(), explanation.decision().c_str(),
              reason.empty() ? "" : absl::StrCat(" (", ToAbsl(reason), ")").c_str());
  for (const types::v1::Obstacle& obstacle : explanation.obstacles()) {
    Line("but", absl::StrCat(ToAbsl(ReasonName(obstacle.reason())), ": ", obstacle.detail()));
  }
  // Of an opening the terms say whose they are.
  if (explanation.terms().empty()) Line("decided by", WhoDecides(explanation));
  Line("because", explanation.detail());
  if (!explanation.approvers().empty()) {
    Line("approvers",
         absl::StrCat(explanation.count(), " of ", absl::StrJoin(explanation.approvers(), ", ")));
  }
  Line("observed", std::string(ReasonName(explanation.observed())));
  for (const types::v1::TermExplanation& term : explanation.terms()) {
    Line("term", absl::StrCat(term.term(), ": ", term.value(), " (",
                              absl::StrJoin(term.documents(), ", "), ")"));
  }
  ShowPolicies(explanation);
  for (const std::string& change : explanation.changes()) Line("to change", change);
}

void Show(const ExplainPolicyResponse& response) {
  const types::v1::Principal& principal = response.principal();
  for (const std::string& warning : response.warnings()) {
    std::fprintf(stderr, "sallyport: %s\n", Printable(warning).c_str());
  }
  std::printf("principal: %s\n",
              Printable(absl::StrCat(EnumWord(principal.kind()), ":", principal.realm(), ":",
                                     principal.subject()))
                  .c_str());
  Line("client", principal.client_id());
  Line("scopes", absl::StrJoin(principal.scopes(), " "));
  Line("groups", absl::StrJoin(principal.groups(), " "));
  Line("claims", ClaimsText(principal));
  Show("opening", response.opening());
  if (response.has_call()) Show("call", response.call());
}

int Explain(const ClientOptions& options, const Flags& flags) {
  const absl::StatusOr<ExplainPolicyRequest> request = RequestOf(flags);
  // What --args and --claims hold is no object.
  if (absl::IsInvalidArgument(request.status())) {
    Fail(request.status());
    return 2;
  }
  if (!request.ok()) return Fail(request.status());
  return Ask<PolicyService>(options, &PolicyService::Stub::ExplainPolicy, *request,
                            [&](const ExplainPolicyResponse& response) {
                              if (options.format == "table") {
                                Show(response);
                              } else {
                                PrintMessage(response, options.format);
                              }
                              return 0;
                            });
}

}  // namespace

void AddExplainPolicyCommand(CommandLine& line, CLI::App* policy) {
  CLI::App* explain = policy->add_subcommand(
      "explain", "Which rule of which document decides a call, and what would change that");
  auto flags = std::make_shared<Flags>();
  types::v1::PolicyTestCall& call = *flags->request.mutable_call();
  explain->add_option("--server", *call.mutable_server(), "alone: the opening of a session")
      ->required();
  CLI::Option* tool = explain->add_option("--tool", *call.mutable_tool());
  CLI::Option_group* what = explain->add_option_group("what");
  what->add_option(tool);
  what->add_option("--resource", *call.mutable_resource(), "its URI");
  what->add_option("--prompt", *call.mutable_prompt());
  what->add_option("--server-request", *call.mutable_server_request(),
                   "sampling, elicitation or roots");
  what->require_option(0, 1);
  explain->add_option("--method", *call.mutable_method(),
                      "unset: that of the tool, resource or prompt");
  explain
      ->add_option("--args", *call.mutable_arguments_json(), "of a tool: a JSON object, likewise")
      ->needs(tool);
  CLI::Option_group* who = explain->add_option_group("who");
  who->add_option("--token", flags->token,
                  "a JWT, or a file that holds one; - reads standard input");
  CLI::Option* claims =
      who->add_option("--claims", flags->claims, "what a token would say: a JSON object, likewise");
  who->require_option(1);
  explain->add_option("--issuer", flags->issuer, "the claims' issuer entry")->needs(claims);
  explain->add_option("--at", flags->at, "the time to judge for; unset: now")->check(ATime());
  line.OnRun(explain, [&options = line.options(), flags] { return Explain(options, *flags); });
}

}  // namespace sallyport::controlplane
