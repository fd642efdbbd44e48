#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/config_file.h"
#include "common/json_printer.h"
#include "common/policy/documents.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "controlplane/cli/applied.h"
#include "controlplane/cli/base_versions.h"
#include "controlplane/cli/cli.h"
#include "controlplane/cli/client_call.h"
#include "controlplane/cli/document_kind.h"
#include "controlplane/cli/option_values.h"
#include "controlplane/cli/source_files.h"
#include "sallyport/admin/v1/policy_service.grpc.pb.h"

namespace sallyport::controlplane {
namespace {

using admin::v1::ApplyDocumentsRequest;
using admin::v1::BaseVersion;
using admin::v1::PolicyService;

struct Flags {
  std::vector<std::string> paths;
  std::vector<std::string> bases;
  bool dry_run = false;
};

// What the files hold, as far as it can be told here: the control plane says what is wrong with
// them.
std::vector<BaseVersion> NamesIn(const ApplyDocumentsRequest& request) {
  std::vector<BaseVersion> names;
  for (const admin::v1::SourceFile& file : request.files()) {
    const auto documents = SplitDocuments(file.text(), file.name());
    if (!documents.ok()) continue;
    for (const YamlDocument& document : *documents) {
      BaseVersion& name = names.emplace_back();
      name.set_kind(DocumentKindFromName(document.kind));
      name.set_name(document.name);
    }
  }
  return names;
}

// The versions that flags name, and those that the files themselves do of the other documents.
absl::Status AddBases(const std::vector<std::string>& flags, std::vector<BaseVersion> seen,
                      ApplyDocumentsRequest& request) {
  const std::vector<BaseVersion> names = NamesIn(request);
  for (const std::string& flag : flags) {
    ASSIGN_OR_RETURN(*request.add_base_versions(),
                     ParseBaseVersion(flag, names.size() == 1 ? names.data() : nullptr));
  }
  for (BaseVersion& base : seen) {
    const bool has_flag =
        std::any_of(request.base_versions().begin(), request.base_versions().end(),
                    [&](const BaseVersion& other) {
                      return other.kind() == base.kind() && other.name() == base.name();
                    });
    if (!has_flag) *request.add_base_versions() = std::move(base);
  }
  return absl::OkStatus();
}

absl::StatusOr<ApplyDocumentsRequest> RequestOf(const Flags& flags) {
  ApplyDocumentsRequest request;
  request.set_dry_run(flags.dry_run);
  ASSIGN_OR_RETURN(*request.mutable_files(), ReadSourceFiles(flags.paths));
  std::vector<BaseVersion> seen;
  for (admin::v1::SourceFile& file : *request.mutable_files()) {
    TakeSeenLines(*file.mutable_text(), seen);
  }
  RETURN_IF_ERROR(AddBases(flags.bases, std::move(seen), request));
  return request;
}

int Apply(const ClientOptions& options, const Flags& flags) {
  const absl::StatusOr<ApplyDocumentsRequest> request = RequestOf(flags);
  if (!request.ok()) return Fail(request.status());
  return Ask<PolicyService>(options, &PolicyService::Stub::ApplyDocuments, *request,
                            [&](const admin::v1::ApplyDocumentsResponse& response) {
                              for (const auto& document : response.documents()) WarnOf(document);
                              if (options.format != "table") {
                                PrintMessage(response, options.format);
                                return 0;
                              }
                              for (const auto& document : response.documents()) {
                                ShowApplied(document, flags.dry_run);
                              }
                              return 0;
                            });
}

}  // namespace

void ShowApplied(const admin::v1::AppliedDocument& document, bool dry_run) {
  if (dry_run) {
    for (const absl::string_view line : absl::StrSplit(document.diff(), '\n', absl::SkipEmpty())) {
      std::printf("%s\n", Printable(ToStd(line)).c_str());
    }
  }
  std::printf("%s/%s %s%s%s\n", KindWord(document.kind()).c_str(), document.name().c_str(),
              EnumWord(document.change()).c_str(),
              document.change() == admin::v1::CHANGE_KIND_CHANGED
                  ? absl::StrCat(" (version ", document.version(), ")").c_str()
                  : "",
              dry_run ? " (dry run)" : "");
}

void WarnOf(const admin::v1::AppliedDocument& document) {
  for (const std::string& warning : document.warnings()) {
    std::fprintf(stderr, "sallyport: %s/%s: %s\n", KindWord(document.kind()).c_str(),
                 document.name().c_str(), Printable(warning).c_str());
  }
}

void AddApplyCommand(CommandLine& line) {
  const ClientOptions& options = line.options();
  auto flags = std::make_shared<Flags>();
  CLI::App* apply = line.app().add_subcommand("apply", "Applies documents: all of them, or none.");
  apply->add_option("-f,--file", flags->paths, "a file, a folder, or - for standard input")
      ->required();
  apply->add_flag("--dry-run", flags->dry_run, "check, show the difference, change nothing");
  apply
      ->add_option(
          "--base-version", flags->bases,
          "KIND/NAME=VERSION that was seen (0: none): refuse to replace another; what is in "
          "force already, word for word, stays")
      ->check(ABaseVersion());
  line.OnRun(apply, [&options, flags] { return Apply(options, *flags); });
}

}  // namespace sallyport::controlplane
