#include <cstdio>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "controlplane/cli/client_call.h"
#include "controlplane/cli/policy_commands.h"
#include "controlplane/cli/recorded_calls_flags.h"
#include "sallyport/admin/v1/policy_service.grpc.pb.h"

namespace sallyport::controlplane {
namespace {

using admin::v1::PolicyService;

struct Flags {
  RecordedCallsFlags calls;
  bool with_arguments = false;
};

// The documents alone go to stdout, so that they can be written to a file.
void Show(const admin::v1::Suggestion& suggestion) {
  std::fputs(suggestion.source().c_str(), stdout);
  for (const std::string& note : suggestion.notes()) {
    std::fprintf(stderr, "note: %s\n", Printable(note).c_str());
  }
  std::fprintf(
      stderr, "%s\n",
      absl::StrCat("covers ", suggestion.covered(), " of ", suggestion.calls(), " recorded calls")
          .c_str());
}

int Suggest(const ClientOptions& options, const Flags& flags) {
  admin::v1::SuggestPolicyRequest request;
  absl::StatusOr<admin::v1::RecordedCalls> calls = flags.calls.Read(absl::Now());
  if (!calls.ok()) return Fail(calls.status());
  *request.mutable_calls() = *std::move(calls);
  request.set_with_arguments(flags.with_arguments);
  absl::StatusOr<ApiConnection> connection = ApiConnection::Open(options);
  if (!connection.ok()) return Fail(connection.status());
  auto context = connection->Context(absl::InfiniteDuration());
  auto stub = connection->Stub<PolicyService>();
  auto reader = stub->SuggestPolicy(context.get(), request);
  ProgressLine progress;
  admin::v1::Suggestion suggestion;
  admin::v1::SuggestPolicyResponse response;
  while (reader->Read(&response)) {
    if (response.has_progress()) progress.Show(response.progress());
    if (response.has_suggestion()) suggestion = std::move(*response.mutable_suggestion());
  }
  progress.Clear();
  const grpc::Status status = reader->Finish();
  if (!status.ok()) return Fail(status, connection->address());
  if (options.format == "table") {
    Show(suggestion);
  } else {
    PrintMessage(suggestion, options.format);
  }
  return 0;
}

}  // namespace

void AddSuggestCommand(CommandLine& line, CLI::App* policy) {
  CLI::App* suggest = policy->add_subcommand(
      "suggest", "The least policies that cover what a principal did, from its recordings");
  auto flags = std::make_shared<Flags>();
  flags->calls.AddTo(suggest, /*is_of_one=*/true);
  suggest->add_flag(
      "--arguments", flags->with_arguments,
      "write a `when` for each argument of a tool that had at most five values in all "
      "of its calls, and refuse every other value (auditors; the values are in what "
      "is printed)");
  line.OnRun(suggest, [&options = line.options(), flags] { return Suggest(options, *flags); });
}

}  // namespace sallyport::controlplane
