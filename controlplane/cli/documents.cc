#include <cstdio>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "common/json_printer.h"
#include "common/value.h"
#include "controlplane/cli/base_versions.h"
#include "controlplane/cli/cli.h"
#include "controlplane/cli/client_call.h"
#include "controlplane/cli/document_kind.h"
#include "controlplane/cli/option_values.h"
#include "sallyport/admin/v1/policy_service.grpc.pb.h"

namespace sallyport::controlplane {
namespace {

using admin::v1::PolicyService;
using types::v1::Document;
using types::v1::DocumentKind;

struct Flags {
  std::string kind;
  std::string name;
  uint64_t version = 0;
  bool history = false;
  uint64_t base_version = 0;
};

std::vector<std::string> Row(const Document& document) {
  return {document.name(), absl::StrCat(document.version()),
          TimeCell(document.updated_at(), document.has_updated_at()), document.updated_by()};
}

// `on wiki for okta:0oa1deploy`: what a lock leaves out it shuts for everything.
std::string ShutText(const types::v1::LockSpec& lock) {
  if (!lock.has_principal() && lock.server().empty() && lock.agent().empty()) return "everything";
  std::vector<std::string> parts;
  if (!lock.server().empty()) parts.push_back(absl::StrCat("server ", lock.server()));
  if (!lock.agent().empty()) parts.push_back(absl::StrCat("agent ", lock.agent()));
  if (lock.has_principal()) {
    const types::v1::LockedPrincipal& who = lock.principal();
    for (const std::string& name : {who.name(), who.subject(), who.client_id()}) {
      if (!name.empty()) parts.push_back(absl::StrCat(who.realm(), ":", name));
    }
    if (who.name().empty() && who.subject().empty() && who.client_id().empty())
      parts.push_back(absl::StrCat("realm ", who.realm()));
  }
  return absl::StrJoin(parts, ", ");
}

std::vector<std::string> LockRow(const Document& document) {
  const types::v1::LockSpec& lock = document.lock();
  const bool is_over =
      lock.has_expires() && absl::FromUnixSeconds(lock.expires().seconds()) <= absl::Now();
  return {document.name(),
          is_over ? absl::StrCat("nothing: it has ended (", ShutText(lock), ")") : ShutText(lock),
          TimeCell(lock.expires(), lock.has_expires()),
          TimeCell(document.updated_at(), document.has_updated_at()),
          document.updated_by(),
          lock.reason()};
}

int List(const ClientOptions& options, DocumentKind kind) {
  admin::v1::ListDocumentsRequest request;
  request.set_kind(kind);
  return AskAll<PolicyService, admin::v1::ListDocumentsRequest, admin::v1::ListDocumentsResponse>(
      options, &PolicyService::Stub::ListDocuments, request, [&](const auto& pages) {
        if (kind == types::v1::DOCUMENT_KIND_LOCK) {
          return ShowList(pages, options.format, KindPlural(kind),
                          Table({"NAME", "SHUTS", "EXPIRES", "UPDATED", "BY", "REASON"}), LockRow);
        }
        return ShowList(pages, options.format, KindPlural(kind),
                        Table({"NAME", "VERSION", "UPDATED", "BY"}), Row);
      });
}

std::vector<std::string> VersionRow(const admin::v1::DocumentVersion& version) {
  std::string change = EnumWord(version.change());
  if (version.has_restored_from()) absl::StrAppend(&change, " from ", version.restored_from());
  return {absl::StrCat(version.version()), std::move(change),
          TimeCell(version.changed_at(), version.has_changed_at()), version.changed_by(),
          version.is_in_force() ? "yes" : ""};
}

int ListVersions(const ClientOptions& options, DocumentKind kind, const std::string& name) {
  admin::v1::ListDocumentVersionsRequest request;
  request.set_kind(kind);
  request.set_name(name);
  return AskAll<PolicyService, admin::v1::ListDocumentVersionsRequest,
                admin::v1::ListDocumentVersionsResponse>(
      options, &PolicyService::Stub::ListDocumentVersions, request, [&](const auto& pages) {
        return ShowList(pages, options.format, "versions",
                        Table({"VERSION", "CHANGE", "AT", "BY", "IN FORCE"}), VersionRow);
      });
}

// As it was applied, ready to be edited and applied again.
int ShowSource(const Document& document, bool is_in_force) {
  if (document.source().empty()) {
    return Fail(absl::NotFoundError(absl::StrCat(KindWord(document.kind()), "/", document.name(),
                                                 " was deleted by version ", document.version())));
  }
  if (is_in_force) std::fputs(SeenLine(document).c_str(), stdout);
  std::fputs(document.source().c_str(), stdout);
  return 0;
}

int Get(const ClientOptions& options, const Flags& flags) {
  admin::v1::GetDocumentRequest request;
  request.set_kind(KindOf(flags.kind));
  request.set_name(flags.name);
  request.set_version(flags.version);
  return Ask<PolicyService>(options, &PolicyService::Stub::GetDocument, request,
                            [&](const admin::v1::GetDocumentResponse& response) {
                              if (options.format == "table") {
                                return ShowSource(response.document(), flags.version == 0);
                              }
                              PrintMessage(response.document(), options.format);
                              return 0;
                            });
}

int RunGet(const ClientOptions& options, const Flags& flags) {
  const DocumentKind kind = KindOf(flags.kind);
  if (flags.name.empty()) return List(options, kind);
  return flags.history ? ListVersions(options, kind, flags.name) : Get(options, flags);
}

void ShowDeleted(const ClientOptions& options, const Flags& flags) {
  if (options.format == "table") {
    std::printf("%s/%s deleted\n", flags.kind.c_str(), flags.name.c_str());
    return;
  }
  Value value = Value::Object();
  value.members.push_back({"kind", Value::String(EnumWord(KindOf(flags.kind)))});
  value.members.push_back({"name", Value::String(flags.name)});
  value.members.push_back({"change", Value::String("deleted")});
  PrintValue(value, options.format);
}

int Delete(const ClientOptions& options, const Flags& flags) {
  admin::v1::DeleteDocumentRequest request;
  request.set_kind(KindOf(flags.kind));
  request.set_name(flags.name);
  request.set_base_version(flags.base_version);
  return Ask<PolicyService>(options, &PolicyService::Stub::DeleteDocument, request,
                            [&](const admin::v1::DeleteDocumentResponse&) {
                              ShowDeleted(options, flags);
                              return 0;
                            });
}

}  // namespace

void AddDocumentCommands(CommandLine& line) {
  const ClientOptions& options = line.options();
  auto flags = std::make_shared<Flags>();
  const auto add_kind = [&flags](CLI::App* command) {
    command->add_option("KIND", flags->kind, "policy, mask-profile, server or lock")
        ->required()
        ->check(OneOf(KindWords()));
  };

  CLI::App* get = line.app().add_subcommand("get", "Lists documents of a kind, or shows one.");
  add_kind(get);
  CLI::Option* name = get->add_option("NAME", flags->name);
  CLI::Option* version = get->add_option("--version", flags->version, "as it was then")
                             ->needs(name)
                             ->check(WholeNumber(1));
  get->add_flag("--history", flags->history, "its versions: when, by whom")
      ->needs(name)
      ->excludes(version);
  line.OnRun(get, [&options, flags] { return RunGet(options, *flags); });

  CLI::App* remove = line.app().add_subcommand("delete", "Deletes a document; its versions stay.");
  add_kind(remove);
  remove->add_option("NAME", flags->name)->required();
  remove
      ->add_option("--base-version", flags->base_version,
                   "the version that was seen: refuse if another is in force")
      ->check(WholeNumber(1));
  line.OnRun(remove, [&options, flags] { return Delete(options, *flags); });
}

}  // namespace sallyport::controlplane
