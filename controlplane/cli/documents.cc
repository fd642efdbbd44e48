#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/config_file.h"
#include "common/file.h"
#include "common/json_printer.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "common/value.h"
#include "controlplane/cli/cli.h"
#include "controlplane/cli/client_call.h"
#include "sallyport/admin/v1/policy_service.grpc.pb.h"

namespace sallyport::controlplane {
namespace {

using admin::v1::PolicyService;
using types::v1::Document;
using types::v1::DocumentKind;

// As they are written on the command line.
const std::map<std::string, DocumentKind> kKinds = {
    {"policy", types::v1::DOCUMENT_KIND_POLICY},
    {"mask-profile", types::v1::DOCUMENT_KIND_MASK_PROFILE},
    {"lock", types::v1::DOCUMENT_KIND_LOCK},
};

std::string KindWord(DocumentKind kind) {
  return absl::StrReplaceAll(EnumWord(kind), {{"_", "-"}});
}

// Tests of policies may lie beside them: they are for `policy test`. What cannot be read is no
// test; the control plane says what is wrong with it.
bool IsPolicyTest(const std::string& text, const std::string& name) {
  const auto documents = SplitDocuments(text, name);
  return documents.ok() && !documents->empty() &&
         std::ranges::all_of(*documents, [](const YamlDocument& document) {
           return document.kind == "PolicyTest";
         });
}

absl::Status AddFile(const std::string& path, admin::v1::ApplyDocumentsRequest& request) {
  admin::v1::SourceFile file;
  file.set_name(path == "-" ? "standard input" : path);
  if (path == "-") {
    file.set_text(std::string(std::istreambuf_iterator<char>(std::cin), {}));
  } else {
    ASSIGN_OR_RETURN(*file.mutable_text(), ReadFile(path));
  }
  if (IsPolicyTest(file.text(), file.name())) {
    std::cerr << Printable(file.name()) << ": a PolicyTest, not applied (`sallyport policy test "
              << Printable(path) << "` runs it)\n";
  } else {
    *request.add_files() = std::move(file);
  }
  return absl::OkStatus();
}

// A file, standard input, or the .yaml and .yml files of a folder in the order of their names.
absl::Status AddPath(const std::string& path, admin::v1::ApplyDocumentsRequest& request) {
  struct stat status {};
  if (path == "-" || stat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
    return AddFile(path, request);
  }
  std::vector<std::string> names;
  std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir(path.c_str()), closedir);
  if (folder == nullptr) return absl::PermissionDeniedError(absl::StrCat("cannot read ", path));
  while (const dirent* entry = readdir(folder.get())) {
    if (absl::EndsWith(entry->d_name, ".yaml") || absl::EndsWith(entry->d_name, ".yml")) {
      names.emplace_back(entry->d_name);
    }
  }
  if (names.empty()) return absl::NotFoundError(absl::StrCat("no .yaml file in ", path));
  std::sort(names.begin(), names.end());
  const std::string_view separator = path.ends_with('/') ? "" : "/";
  for (const std::string& name : names)
    RETURN_IF_ERROR(AddFile(absl::StrCat(path, ToAbsl(separator), name), request));
  return absl::OkStatus();
}

int Apply(const ClientOptions& options, const std::vector<std::string>& paths, bool dry_run) {
  admin::v1::ApplyDocumentsRequest request;
  request.set_dry_run(dry_run);
  for (const std::string& path : paths) {
    if (absl::Status added = AddPath(path, request); !added.ok()) return Fail(added);
  }
  if (request.files().empty()) return Fail(absl::NotFoundError("there is nothing to apply"));
  return Ask<PolicyService>(
      options, &PolicyService::Stub::ApplyDocuments, request,
      [&](const admin::v1::ApplyDocumentsResponse& response) {
        if (options.format != "table") {
          PrintMessage(response, options.format);
          return 0;
        }
        for (const admin::v1::AppliedDocument& document : response.documents()) {
          std::printf("%s/%s %s%s\n", KindWord(document.kind()).c_str(), document.name().c_str(),
                      EnumWord(document.change()).c_str(), dry_run ? " (dry run)" : "");
        }
        return 0;
      });
}

std::vector<std::string> Row(const Document& document) {
  return {document.name(), absl::StrCat(document.version()),
          TimeCell(document.updated_at(), document.has_updated_at()), document.updated_by()};
}

// As a person says how many: `no policies`.
std::string Plural(DocumentKind kind) {
  return kind == types::v1::DOCUMENT_KIND_POLICY ? "policies" : absl::StrCat(KindWord(kind), "s");
}

int List(const ClientOptions& options, DocumentKind kind) {
  admin::v1::ListDocumentsRequest request;
  request.set_kind(kind);
  return AskAll<PolicyService, admin::v1::ListDocumentsRequest, admin::v1::ListDocumentsResponse>(
      options, &PolicyService::Stub::ListDocuments, request, [&](const auto& pages) {
        return ShowList(pages, options.format, Plural(kind),
                        Table({"NAME", "VERSION", "UPDATED", "BY"}), Row);
      });
}

int Get(const ClientOptions& options, DocumentKind kind, const std::string& name) {
  admin::v1::GetDocumentRequest request;
  request.set_kind(kind);
  request.set_name(name);
  return Ask<PolicyService>(options, &PolicyService::Stub::GetDocument, request,
                            [&](const admin::v1::GetDocumentResponse& response) {
                              if (options.format == "table") {
                                // As it was applied, ready to be edited and applied again.
                                std::fputs(response.document().source().c_str(), stdout);
                              } else {
                                PrintMessage(response.document(), options.format);
                              }
                              return 0;
                            });
}

void ShowDeleted(const ClientOptions& options, DocumentKind kind, const std::string& name) {
  if (options.format == "table") {
    std::printf("%s/%s deleted\n", KindWord(kind).c_str(), name.c_str());
    return;
  }
  Value value = Value::Object();
  value.members.push_back({"kind", Value::String(EnumWord(kind))});
  value.members.push_back({"name", Value::String(name)});
  value.members.push_back({"change", Value::String("deleted")});
  PrintValue(value, options.format);
}

int Delete(const ClientOptions& options, DocumentKind kind, const std::string& name) {
  admin::v1::DeleteDocumentRequest request;
  request.set_kind(kind);
  request.set_name(name);
  return Ask<PolicyService>(options, &PolicyService::Stub::DeleteDocument, request,
                            [&](const admin::v1::DeleteDocumentResponse&) {
                              ShowDeleted(options, kind, name);
                              return 0;
                            });
}

}  // namespace

void AddDocumentCommands(CommandLine& line) {
  const ClientOptions& options = line.options();
  struct Flags {
    std::vector<std::string> paths;
    bool dry_run = false;
    std::string kind;
    std::string name;
  };
  auto flags = std::make_shared<Flags>();
  std::vector<std::string> words;
  for (const auto& [word, kind] : kKinds) words.push_back(word);

  CLI::App* apply = line.app().add_subcommand("apply", "Applies documents: all of them, or none.");
  apply->add_option("-f,--file", flags->paths, "a file, a folder, or - for standard input")
      ->required();
  apply->add_flag("--dry-run", flags->dry_run, "check and compare, change nothing");
  line.OnRun(apply, [&options, flags] { return Apply(options, flags->paths, flags->dry_run); });

  CLI::App* get = line.app().add_subcommand("get", "Lists documents of a kind, or shows one.");
  get->add_option("KIND", flags->kind, "policy, mask-profile or lock")
      ->required()
      ->check(CLI::IsMember(words));
  get->add_option("NAME", flags->name);
  line.OnRun(get, [&options, flags] {
    const DocumentKind kind = kKinds.at(flags->kind);
    return flags->name.empty() ? List(options, kind) : Get(options, kind, flags->name);
  });

  CLI::App* remove = line.app().add_subcommand("delete", "Deletes a document.");
  remove->add_option("KIND", flags->kind, "policy, mask-profile or lock")
      ->required()
      ->check(CLI::IsMember(words));
  remove->add_option("NAME", flags->name)->required();
  line.OnRun(remove,
             [&options, flags] { return Delete(options, kKinds.at(flags->kind), flags->name); });
}

}  // namespace sallyport::controlplane
