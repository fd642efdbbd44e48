#include "controlplane/policies/delete_document.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/denial.h"
#include "common/status_macros.h"
#include "controlplane/policies/check_documents.h"
#include "controlplane/policies/put_documents.h"
#include "controlplane/store/audit_log.h"
#include "controlplane/store/documents.h"
#include "controlplane/store/locks.h"

namespace sallyport::controlplane {
namespace {

absl::Status CheckUnused(Transaction& t, const std::string& profile) {
  ASSIGN_OR_RETURN(const std::vector<types::v1::Document> all, documents::All(t));
  for (const types::v1::Document& document : all) {
    const auto& mask = document.policy().mask();
    if (std::find(mask.begin(), mask.end(), profile) == mask.end()) continue;
    return absl::FailedPreconditionError(absl::StrCat("MaskProfile \"", profile,
                                                      "\" is used by the policy ", document.name(),
                                                      ": take it out there first"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<admin::v1::DeleteDocumentResponse> DeleteDocument::Run(
    const Caller& caller, const admin::v1::DeleteDocumentRequest& request) {
  if (!caller.is_admin()) {
    return Denied(types::v1::DENIAL_REASON_ROLE_MISSING, "documents are deleted by admins");
  }
  RETURN_IF_ERROR(CheckDocumentKind(request.kind()));
  ASSIGN_OR_RETURN(const auto t, control_.Write(WriteFor::kOperators));
  const absl::Time now = clock_.Now();
  const std::string name = NameOf(request.kind(), request.name());
  RETURN_IF_ERROR(locks::RefuseShutOut(*t, audit_log::LineOf(caller, now, "document.delete", name),
                                       caller, now));
  if (request.kind() == types::v1::DOCUMENT_KIND_MASK_PROFILE) {
    RETURN_IF_ERROR(CheckUnused(*t, request.name()));
  }
  ASSIGN_OR_RETURN(const std::optional<types::v1::Document> in_force,
                   documents::Find(*t, request.kind(), request.name()));
  if (!in_force.has_value()) return absl::NotFoundError(absl::StrCat(name, " does not exist"));
  if (request.base_version() != 0) {
    RETURN_IF_ERROR(CheckBase(name, in_force, request.base_version()));
  }
  RETURN_IF_ERROR(
      documents::DeleteDocument(*t, request.kind(), request.name(), caller, now).status());
  RETURN_IF_ERROR(t->Commit());
  return admin::v1::DeleteDocumentResponse();
}

}  // namespace sallyport::controlplane
