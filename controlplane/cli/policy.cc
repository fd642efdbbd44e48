#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "common/value.h"
#include "controlplane/cli/applied.h"
#include "controlplane/cli/cli.h"
#include "controlplane/cli/client_call.h"
#include "controlplane/cli/document_kind.h"
#include "controlplane/policies/test_policy.h"
#include "sallyport/admin/v1/policy_service.grpc.pb.h"

namespace sallyport::controlplane {
namespace {

using admin::v1::PolicyService;

// A line for each case and a summary, as test runners write them.
void Show(const std::vector<PolicyTestResult>& results, std::size_t failed) {
  for (const PolicyTestResult& result : results) {
    fmt::print("{}  {}\n", result.has_passed ? "pass" : "FAIL", Printable(result.name));
    if (!result.has_passed) fmt::print("      {}\n", Printable(result.explanation));
  }
  fmt::print("{} passed, {} failed\n", results.size() - failed, failed);
}

// {"items": [{"name", "passed", "explanation"?}], "passed", "failed"}
Value ToValue(const std::vector<PolicyTestResult>& results, std::size_t failed) {
  Value items = Value::List();
  for (const PolicyTestResult& result : results) {
    Value& item = items.items.emplace_back(Value::Object());
    item.members.push_back({"name", Value::String(result.name)});
    item.members.push_back({"passed", Value::Literal(result.has_passed ? "true" : "false")});
    if (!result.has_passed) {
      item.members.push_back({"explanation", Value::String(result.explanation)});
    }
  }
  Value value = Value::Object();
  value.members.push_back({"items", std::move(items)});
  value.members.push_back({"passed", Value::Literal(std::to_string(results.size() - failed))});
  value.members.push_back({"failed", Value::Literal(std::to_string(failed))});
  return value;
}

int RunPolicyTest(const std::string& file, std::string_view format) {
  const auto results = TestPolicy(file, absl::Now());
  if (!results.ok()) return Fail(results.status());
  const auto failed = static_cast<std::size_t>(std::count_if(
      results->begin(), results->end(), [](const PolicyTestResult& r) { return !r.has_passed; }));
  if (format == "table") {
    Show(*results, failed);
  } else {
    PrintValue(ToValue(*results, failed), format);
  }
  return failed == 0 ? 0 : 1;
}

struct RollbackFlags {
  std::string kind = "policy";
  std::string name;
  uint64_t to = 0;
  uint64_t base = 0;
  bool dry_run = false;
};

int Rollback(const ClientOptions& options, const RollbackFlags& flags) {
  admin::v1::RollbackDocumentRequest request;
  request.set_kind(KindOf(flags.kind));
  request.set_name(flags.name);
  request.set_to_version(flags.to);
  request.set_base_version(flags.base);
  request.set_dry_run(flags.dry_run);
  return Ask<PolicyService>(options, &PolicyService::Stub::RollbackDocument, request,
                            [&](const admin::v1::RollbackDocumentResponse& response) {
                              if (options.format != "table") {
                                PrintMessage(response, options.format);
                                return 0;
                              }
                              ShowApplied(response.document(), flags.dry_run);
                              fmt::print("restored from version {}\n", response.restored_from());
                              return 0;
                            });
}

void AddRollbackCommand(CommandLine& line, CLI::App* policy) {
  CLI::App* rollback =
      policy->add_subcommand("rollback", "Puts an older version in force again, as a new one");
  auto flags = std::make_shared<RollbackFlags>();
  rollback->add_option("NAME", flags->name)->required();
  rollback->add_option("--to", flags->to, "the version; unset: the one before that in force");
  rollback->add_option("--kind", flags->kind, "of the document: policy, mask-profile, server, lock")
      ->check(CLI::IsMember(KindWords()))
      ->capture_default_str();
  rollback->add_option("--base-version", flags->base,
                       "the version that was seen: refuse if another is in force");
  rollback->add_flag("--dry-run", flags->dry_run, "show the difference, change nothing");
  line.OnRun(rollback, [&options = line.options(), flags] { return Rollback(options, *flags); });
}

}  // namespace

void AddPolicyCommands(CommandLine& line) {
  CLI::App* policy =
      line.app().add_subcommand("policy", "Try policies before they are applied, and go back");
  policy->require_subcommand(0, 1);
  AddRollbackCommand(line, policy);
  CLI::App* test = policy->add_subcommand(
      "test", "Decide the cases of a PolicyTest file, without a server; exit 1 when one fails");
  auto file = std::make_shared<std::string>();
  test->add_option("FILE", *file, "a document of the kind PolicyTest")->required();
  line.OnRun(test,
             [&options = line.options(), file] { return RunPolicyTest(*file, options.format); });
}

}  // namespace sallyport::controlplane
