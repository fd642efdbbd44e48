#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "common/value.h"
#include "controlplane/cli/output.h"
#include "controlplane/cli/policy_commands.h"
#include "controlplane/cli/source_files.h"
#include "controlplane/policies/test_policy.h"

namespace sallyport::controlplane {
namespace {

struct FileResults {
  std::string file;
  std::vector<PolicyTestResult> results;
};

std::size_t FailedIn(const FileResults& of) {
  return static_cast<std::size_t>(std::count_if(of.results.begin(), of.results.end(),
                                                [](const auto& r) { return !r.has_passed; }));
}

// A line for each case, as test runners write them; which file, where there are several.
void Show(const std::vector<FileResults>& files) {
  for (const FileResults& of : files) {
    if (files.size() > 1) fmt::print("{}\n", Printable(of.file));
    for (const PolicyTestResult& result : of.results) {
      fmt::print("{}  {}\n", result.has_passed ? "pass" : "FAIL", Printable(result.name));
      if (!result.has_passed) fmt::print("      {}\n", Printable(result.explanation));
    }
  }
}

// {"file", "name", "passed", "explanation"?}
Value ToValue(const std::string& file, const PolicyTestResult& result) {
  Value item = Value::Object();
  item.members.push_back({"file", Value::String(file)});
  item.members.push_back({"name", Value::String(result.name)});
  item.members.push_back({"passed", Value::Literal(result.has_passed ? "true" : "false")});
  if (!result.has_passed) {
    item.members.push_back({"explanation", Value::String(result.explanation)});
  }
  return item;
}

// {"items": [...], "passed", "failed"}
Value ToValue(const std::vector<FileResults>& files, std::size_t passed, std::size_t failed) {
  Value items = Value::List();
  for (const FileResults& of : files) {
    for (const PolicyTestResult& result : of.results) {
      items.items.push_back(ToValue(of.file, result));
    }
  }
  Value value = Value::Object();
  value.members.push_back({"items", std::move(items)});
  value.members.push_back({"passed", Value::Literal(std::to_string(passed))});
  value.members.push_back({"failed", Value::Literal(std::to_string(failed))});
  return value;
}

// A file that is no good ends it: what its cases would have said is not known.
int RunPolicyTests(const std::vector<std::string>& paths, std::string_view format) {
  const absl::StatusOr<std::vector<std::string>> tests = PolicyTestFiles(paths);
  if (!tests.ok()) return Fail(tests.status());
  std::vector<FileResults> files;
  std::size_t cases = 0;
  std::size_t failed = 0;
  for (const std::string& path : *tests) {
    auto results = TestPolicy(path, absl::Now());
    if (!results.ok()) return Fail(results.status());
    files.push_back({path, *std::move(results)});
    cases += files.back().results.size();
    failed += FailedIn(files.back());
  }
  if (format == "table") {
    Show(files);
    fmt::print("{} passed, {} failed\n", cases - failed, failed);
  } else {
    PrintValue(ToValue(files, cases - failed, failed), format);
  }
  return failed == 0 ? 0 : 1;
}

}  // namespace

void AddPolicyTestCommand(CommandLine& line, CLI::App* policy) {
  CLI::App* test = policy->add_subcommand(
      "test", "Decide the cases of PolicyTest files, without a server; exit 1 when one fails");
  auto files = std::make_shared<std::vector<std::string>>();
  test->add_option("FILE", *files,
                   "a document of the kind PolicyTest, or a folder with such; several are one run")
      ->required();
  line.OnRun(test,
             [&options = line.options(), files] { return RunPolicyTests(*files, options.format); });
}

}  // namespace sallyport::controlplane
