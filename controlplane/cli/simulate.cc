#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "common/denial.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "common/value.h"
#include "controlplane/cli/client_call.h"
#include "controlplane/cli/policy_commands.h"
#include "controlplane/cli/recorded_calls_flags.h"
#include "controlplane/cli/source_files.h"
#include "sallyport/admin/v1/policy_service.grpc.pb.h"

namespace sallyport::controlplane {
namespace {

using admin::v1::PolicyAnswer;
using admin::v1::PolicyService;
using admin::v1::SimulatedCall;
using admin::v1::SimulationSummary;

struct Flags {
  std::vector<std::string> paths;
  bool is_alone = false;
  RecordedCallsFlags calls;
};

struct Outcome {
  std::vector<SimulatedCall> calls;
  SimulationSummary summary;
};

absl::StatusOr<admin::v1::SimulatePolicyRequest> RequestOf(const Flags& flags) {
  admin::v1::SimulatePolicyRequest request;
  ASSIGN_OR_RETURN(*request.mutable_files(), ReadSourceFiles(flags.paths));
  ASSIGN_OR_RETURN(*request.mutable_calls(), flags.calls.Read(absl::Now()));
  request.set_alone(flags.is_alone);
  return request;
}

std::string Words(const PolicyAnswer& answer) {
  if (!answer.approvers().empty()) {
    return absl::StrCat(answer.decision(), " (", answer.count(), " of ",
                        absl::StrJoin(answer.approvers(), ", "), ")");
  }
  const std::string_view reason = ReasonName(answer.reason());
  return absl::StrCat(answer.decision(), reason.empty() ? "" : " (", ToAbsl(reason),
                      reason.empty() ? "" : ")");
}

// What a call's row says beside how many there are of it.
std::vector<std::string> RowOf(const SimulatedCall& call) {
  const bool is_decided = call.has_would_be();
  std::string why = is_decided ? call.would_be().policy() : call.undecided();
  if (is_decided && !call.would_be().detail().empty()) {
    absl::StrAppend(&why, why.empty() ? "" : ": ", call.would_be().detail());
  }
  return {Words(call.was()), is_decided ? Words(call.would_be()) : "undecided",
          call.server(),     call.method().empty() ? "(opening)" : call.method(),
          call.target(),     call.principal(),
          std::move(why)};
}

// Calls that differ in nothing but their time are one row, with the first of them to look at.
void Show(const Outcome& outcome) {
  struct Group {
    std::size_t calls = 0;
    std::string first;
  };
  std::map<std::vector<std::string>, Group> groups;
  for (const SimulatedCall& call : outcome.calls) {
    Group& group = groups[RowOf(call)];
    if (group.calls++ == 0) group.first = absl::StrCat(call.session_id(), " #", call.record());
  }
  Table table(
      {"WAS", "WOULD BE", "SERVER", "METHOD", "TARGET", "PRINCIPAL", "BY", "CALLS", "SUCH AS"});
  for (const auto& [row, group] : groups) {
    std::vector<std::string> cells = row;
    cells.push_back(absl::StrCat(group.calls));
    cells.push_back(group.first);
    table.Add(std::move(cells));
  }
  if (!groups.empty()) std::fputs(table.Text().c_str(), stdout);
  const SimulationSummary& summary = outcome.summary;
  std::printf("%s\n", absl::StrCat(summary.calls(), " calls in ", summary.sessions(), " sessions: ",
                                   summary.changed(), " changed, ", summary.undecided(),
                                   " undecided, ", summary.unchanged(), " unchanged, ",
                                   summary.passed_over(), " refused for what is no policy")
                          .c_str());
  if (summary.not_listed() > 0) {
    std::printf("%s\n", absl::StrCat(summary.not_listed(),
                                     " of them are not listed: there are too "
                                     "many; narrow --since or --principal")
                            .c_str());
  }
  if (summary.unreadable() > 0) {
    std::printf("%s\n",
                absl::StrCat(summary.unreadable(),
                             " recordings cannot be read whole: `sallyport sessions verify`")
                    .c_str());
  }
}

// {"items": [...], "summary": {...}}
void Print(const Outcome& outcome, std::string_view format) {
  Value items = Value::List();
  for (const SimulatedCall& call : outcome.calls) items.items.push_back(ToValue(call, {}));
  Value value = Value::Object();
  value.members.push_back({"items", std::move(items)});
  value.members.push_back({"summary", ToValue(outcome.summary, {})});
  PrintValue(value, format);
}

int Simulate(const ClientOptions& options, const Flags& flags) {
  const absl::StatusOr<admin::v1::SimulatePolicyRequest> request = RequestOf(flags);
  if (!request.ok()) return Fail(request.status());
  absl::StatusOr<ApiConnection> connection = ApiConnection::Open(options);
  if (!connection.ok()) return Fail(connection.status());
  auto context = connection->Context(absl::InfiniteDuration());
  auto stub = connection->Stub<PolicyService>();
  auto reader = stub->SimulatePolicy(context.get(), *request);
  ProgressLine progress;
  Outcome outcome;
  admin::v1::SimulatePolicyResponse response;
  while (reader->Read(&response)) {
    if (response.has_progress()) progress.Show(response.progress());
    if (response.has_call()) outcome.calls.push_back(std::move(*response.mutable_call()));
    if (response.has_summary()) outcome.summary = response.summary();
  }
  progress.Clear();
  const grpc::Status status = reader->Finish();
  if (!status.ok()) return Fail(status, connection->address());
  if (options.format == "table") {
    Show(outcome);
  } else {
    Print(outcome, options.format);
  }
  return 0;
}

}  // namespace

void AddSimulateCommand(CommandLine& line, CLI::App* policy) {
  CLI::App* simulate = policy->add_subcommand(
      "simulate", "What recorded calls would have been decided under other documents");
  auto flags = std::make_shared<Flags>();
  simulate->add_option("-f,--file", flags->paths, "a file, a folder, or - for standard input")
      ->required();
  simulate->add_flag("--alone", flags->is_alone,
                     "only these documents; unset: in the place of those in force of their names");
  flags->calls.AddTo(simulate, /*is_of_one=*/false);
  line.OnRun(simulate, [&options = line.options(), flags] { return Simulate(options, *flags); });
}

}  // namespace sallyport::controlplane
