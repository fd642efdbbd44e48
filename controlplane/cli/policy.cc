#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "controlplane/cli/cli.h"
#include "controlplane/cli/output.h"
#include "controlplane/policies/test_policy.h"

namespace sallyport::controlplane {
namespace {

// A line for each case and a summary, as test runners write them.
int RunPolicyTest(const std::string& file) {
  const auto results = TestPolicy(file, absl::Now());
  if (!results.ok()) return Fail(results.status());
  for (const PolicyTestResult& result : *results) {
    fmt::print("{}  {}\n", result.has_passed ? "pass" : "FAIL", Printable(result.name));
    if (!result.has_passed) fmt::print("      {}\n", Printable(result.explanation));
  }
  const auto failed = std::count_if(results->begin(), results->end(),
                                    [](const PolicyTestResult& r) { return !r.has_passed; });
  fmt::print("{} passed, {} failed\n", results->size() - static_cast<std::size_t>(failed), failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace

void AddPolicyCommands(CommandLine& line) {
  CLI::App* policy = line.app().add_subcommand("policy", "Try policies before they are applied");
  CLI::App* test = policy->add_subcommand(
      "test", "Decide the cases of a PolicyTest file, without a server; exit 1 when one fails");
  auto file = std::make_shared<std::string>();
  test->add_option("FILE", *file, "a document of the kind PolicyTest")->required();
  line.OnRun(test, [file] { return RunPolicyTest(*file); });
}

}  // namespace sallyport::controlplane
