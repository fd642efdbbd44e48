#include "controlplane/policies/rollback_document.h"

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/denial.h"
#include "common/policy/documents.h"
#include "common/status_macros.h"
#include "controlplane/policies/put_documents.h"
#include "controlplane/store/audit_log.h"
#include "controlplane/store/documents.h"
#include "controlplane/store/locks.h"

namespace sallyport::controlplane {
namespace {

constexpr int kPage = 100;

// The version whose content this one has again; itself, where it was applied.
absl::StatusOr<uint64_t> Origin(Transaction& t, types::v1::DocumentKind kind,
                                const std::string& name, uint64_t version) {
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<documents::Version> found,
                     documents::FindVersion(t, kind, name, version));
    if (!found.has_value() || found->restored_from == 0) return version;
    version = found->restored_from;
  }
}

// The last version before the content in force that is no deletion: what was restored is as old as
// where it came from, so that a second rollback goes on and never puts back what the first took
// away. Of a deleted document the last one.
absl::StatusOr<documents::Version> VersionBefore(Transaction& t, types::v1::DocumentKind kind,
                                                 const std::string& name) {
  ASSIGN_OR_RETURN(const std::optional<types::v1::Document> in_force,
                   documents::Find(t, kind, name));
  uint64_t origin = 0;
  if (in_force.has_value()) {
    ASSIGN_OR_RETURN(origin, Origin(t, kind, name, in_force->version()));
  }
  uint64_t before = origin;
  while (true) {
    ASSIGN_OR_RETURN(std::vector<documents::Version> versions,
                     documents::History(t, kind, name, before, kPage));
    for (documents::Version& version : versions) {
      if (!version.is_deletion) return std::move(version);
    }
    if (versions.empty() || versions.back().document.version() == 1) break;
    before = versions.back().document.version();
  }
  if (!in_force.has_value()) {
    return absl::NotFoundError(absl::StrCat(NameOf(kind, name), " does not exist"));
  }
  return absl::FailedPreconditionError(absl::StrCat(
      NameOf(kind, name), ": there is no version before ", origin,
      origin == in_force->version() ? "" : ", which is in force again,", " to go back to"));
}

absl::StatusOr<documents::Version> VersionToRestore(
    Transaction& t, const admin::v1::RollbackDocumentRequest& request) {
  if (request.to_version() == 0) return VersionBefore(t, request.kind(), request.name());
  ASSIGN_OR_RETURN(std::optional<documents::Version> found,
                   documents::FindVersion(t, request.kind(), request.name(), request.to_version()));
  const std::string what =
      absl::StrCat(NameOf(request.kind(), request.name()), " version ", request.to_version());
  if (!found.has_value()) return absl::NotFoundError(absl::StrCat(what, " does not exist"));
  if (found->is_deletion) {
    return absl::FailedPreconditionError(
        absl::StrCat(what, " is its deletion: `sallyport delete` does that"));
  }
  return *std::move(found);
}

// Old text by present rules.
absl::StatusOr<types::v1::Document> ParseAgain(const documents::Version& version,
                                               const KnownRealms& realms) {
  const types::v1::Document& old = version.document;
  const std::string where =
      absl::StrCat(NameOf(old.kind(), old.name()), " version ", old.version());
  ASSIGN_OR_RETURN(std::vector<types::v1::Document> parsed, ParseDocuments(old.source(), where));
  if (parsed.size() != 1) {
    return absl::DataLossError(absl::StrCat(where, ": its text is not one document"));
  }
  RETURN_IF_ERROR(CheckRealms(where, parsed[0], realms));
  return std::move(parsed[0]);
}

}  // namespace

absl::StatusOr<admin::v1::RollbackDocumentResponse> RollbackDocument::Run(
    const Caller& caller, const admin::v1::RollbackDocumentRequest& request) {
  if (!caller.is_admin()) {
    return Denied(types::v1::DENIAL_REASON_ROLE_MISSING, "documents are rolled back by admins");
  }
  RETURN_IF_ERROR(CheckDocumentKind(request.kind()));
  admin::v1::RollbackDocumentResponse response;
  Replaced replaced;
  {
    ASSIGN_OR_RETURN(const auto t, control_.Write(WriteFor::kOperators));
    const absl::Time now = clock_.Now();
    RETURN_IF_ERROR(locks::RefuseShutOut(
        *t, audit_log::LineOf(caller, now, "document.put", NameOf(request.kind(), request.name())),
        caller, now));
    ASSIGN_OR_RETURN(const documents::Version old, VersionToRestore(*t, request));
    NewDocument restored{.restored_from = old.document.version()};
    if (request.base_version() != 0) restored.base_version = request.base_version();
    ASSIGN_OR_RETURN(restored.document, ParseAgain(old, realms_));
    ASSIGN_OR_RETURN(replaced, PutOver(*t, restored, caller, now));
    RETURN_IF_ERROR(CheckInForce(*t, {replaced}));
    RETURN_IF_ERROR(AddWarnings(*t, caller, now, replaced));
    if (!request.dry_run()) RETURN_IF_ERROR(t->Commit());
    response.set_restored_from(restored.restored_from);
  }
  *response.mutable_document() = Describe(replaced);
  return response;
}

}  // namespace sallyport::controlplane
