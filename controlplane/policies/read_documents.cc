#include "controlplane/policies/read_documents.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/policy/documents.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "controlplane/store/documents.h"

namespace sallyport::controlplane {
namespace {

constexpr int kDefaultPage = 100;
constexpr int kLargestPage = 1000;

absl::Status CheckKind(types::v1::DocumentKind kind) {
  if (!DocumentKindName(kind).empty()) return absl::OkStatus();
  return absl::InvalidArgumentError("kind: expected policy, mask-profile or lock");
}

}  // namespace

absl::StatusOr<admin::v1::GetDocumentResponse> ReadDocuments::Run(
    const admin::v1::GetDocumentRequest& request) const {
  RETURN_IF_ERROR(CheckKind(request.kind()));
  ASSIGN_OR_RETURN(const auto t, control_.Read());
  ASSIGN_OR_RETURN(std::optional<types::v1::Document> document,
                   documents::Find(*t, request.kind(), request.name()));
  if (!document) {
    return absl::NotFoundError(absl::StrCat(ToAbsl(DocumentKindName(request.kind())), " \"",
                                            request.name(), "\" does not exist"));
  }
  admin::v1::GetDocumentResponse response;
  *response.mutable_document() = *std::move(document);
  return response;
}

absl::StatusOr<admin::v1::ListDocumentsResponse> ReadDocuments::Run(
    const admin::v1::ListDocumentsRequest& request) const {
  RETURN_IF_ERROR(CheckKind(request.kind()));
  if (request.page_size() < 0) return absl::InvalidArgumentError("page_size: must not be negative");
  const int limit =
      request.page_size() == 0 ? kDefaultPage : std::min(request.page_size(), kLargestPage);
  ASSIGN_OR_RETURN(const auto t, control_.Read());
  ASSIGN_OR_RETURN(std::vector<types::v1::Document> found,
                   documents::List(*t, request.kind(), request.page_token(), limit + 1));
  admin::v1::ListDocumentsResponse response;
  if (found.size() > static_cast<std::size_t>(limit)) {
    found.pop_back();
    response.set_next_page_token(found.back().name());
  }
  for (types::v1::Document& document : found) *response.add_items() = std::move(document);
  return response;
}

}  // namespace sallyport::controlplane
