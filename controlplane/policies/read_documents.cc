#include "controlplane/policies/read_documents.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "controlplane/policies/check_documents.h"
#include "controlplane/policies/put_documents.h"
#include "controlplane/store/documents.h"

namespace sallyport::controlplane {
namespace {

constexpr int kDefaultPage = 100;
constexpr int kLargestPage = 1000;

absl::StatusOr<int> PageSize(int asked) {
  if (asked < 0) return absl::InvalidArgumentError("page_size: must not be negative");
  return asked == 0 ? kDefaultPage : std::min(asked, kLargestPage);
}

// The version that the last page ended with. 0: there was none.
absl::StatusOr<uint64_t> VersionFrom(const std::string& page_token) {
  uint64_t version = 0;
  if (page_token.empty() || (absl::SimpleAtoi(page_token, &version) && version > 0)) return version;
  return absl::InvalidArgumentError("page_token: is none that this list gave");
}

admin::v1::DocumentVersion Describe(const documents::Version& version, uint64_t in_force) {
  const types::v1::Document& document = version.document;
  admin::v1::DocumentVersion shown;
  shown.set_version(document.version());
  shown.set_change(version.is_deletion          ? admin::v1::VERSION_CHANGE_DELETED
                   : version.restored_from != 0 ? admin::v1::VERSION_CHANGE_RESTORED
                                                : admin::v1::VERSION_CHANGE_APPLIED);
  *shown.mutable_changed_at() = document.updated_at();
  shown.set_changed_by(document.updated_by());
  if (version.restored_from != 0) shown.set_restored_from(version.restored_from);
  shown.set_is_in_force(document.version() == in_force);
  return shown;
}

absl::StatusOr<types::v1::Document> FindOne(Transaction& t,
                                            const admin::v1::GetDocumentRequest& request) {
  const std::string name = NameOf(request.kind(), request.name());
  if (request.version() == 0) {
    ASSIGN_OR_RETURN(std::optional<types::v1::Document> document,
                     documents::Find(t, request.kind(), request.name()));
    if (!document) return absl::NotFoundError(absl::StrCat(name, " does not exist"));
    return *std::move(document);
  }
  ASSIGN_OR_RETURN(std::optional<documents::Version> version,
                   documents::FindVersion(t, request.kind(), request.name(), request.version()));
  if (!version) {
    return absl::NotFoundError(
        absl::StrCat(name, " version ", request.version(), " does not exist"));
  }
  return std::move(version->document);
}

}  // namespace

absl::StatusOr<admin::v1::GetDocumentResponse> ReadDocuments::Run(
    const admin::v1::GetDocumentRequest& request) const {
  RETURN_IF_ERROR(CheckDocumentKind(request.kind()));
  ASSIGN_OR_RETURN(const auto t, control_.Read());
  admin::v1::GetDocumentResponse response;
  ASSIGN_OR_RETURN(*response.mutable_document(), FindOne(*t, request));
  return response;
}

absl::StatusOr<admin::v1::ListDocumentsResponse> ReadDocuments::Run(
    const admin::v1::ListDocumentsRequest& request) const {
  RETURN_IF_ERROR(CheckDocumentKind(request.kind()));
  ASSIGN_OR_RETURN(const int limit, PageSize(request.page_size()));
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

absl::StatusOr<admin::v1::ListDocumentVersionsResponse> ReadDocuments::Run(
    const admin::v1::ListDocumentVersionsRequest& request) const {
  RETURN_IF_ERROR(CheckDocumentKind(request.kind()));
  ASSIGN_OR_RETURN(const int limit, PageSize(request.page_size()));
  ASSIGN_OR_RETURN(const uint64_t before, VersionFrom(request.page_token()));
  ASSIGN_OR_RETURN(const auto t, control_.Read());
  ASSIGN_OR_RETURN(std::vector<documents::Version> found,
                   documents::History(*t, request.kind(), request.name(), before, limit + 1));
  if (found.empty() && before == 0) {
    return absl::NotFoundError(
        absl::StrCat(NameOf(request.kind(), request.name()), " does not exist"));
  }
  ASSIGN_OR_RETURN(const std::optional<types::v1::Document> in_force,
                   documents::Find(*t, request.kind(), request.name()));
  admin::v1::ListDocumentVersionsResponse response;
  if (found.size() > static_cast<std::size_t>(limit)) {
    found.pop_back();
    response.set_next_page_token(absl::StrCat(found.back().document.version()));
  }
  for (const documents::Version& version : found) {
    *response.add_items() = Describe(version, in_force ? in_force->version() : 0);
  }
  return response;
}

}  // namespace sallyport::controlplane
