#include "controlplane/policies/delete_document.h"

#include <algorithm>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/denial.h"
#include "common/policy/documents.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "controlplane/store/documents.h"

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
  if (DocumentKindName(request.kind()).empty()) {
    return absl::InvalidArgumentError("kind: expected policy, mask-profile or lock");
  }
  ASSIGN_OR_RETURN(const auto t, control_.Write());
  if (request.kind() == types::v1::DOCUMENT_KIND_MASK_PROFILE) {
    RETURN_IF_ERROR(CheckUnused(*t, request.name()));
  }
  ASSIGN_OR_RETURN(
      const bool was_there,
      documents::DeleteDocument(*t, request.kind(), request.name(), caller, clock_.Now()));
  if (!was_there) {
    return absl::NotFoundError(absl::StrCat(ToAbsl(DocumentKindName(request.kind())), " \"",
                                            request.name(), "\" does not exist"));
  }
  RETURN_IF_ERROR(t->Commit());
  return admin::v1::DeleteDocumentResponse();
}

}  // namespace sallyport::controlplane
