#pragma once

#include "absl/status/statusor.h"
#include "controlplane/store/database.h"
#include "sallyport/admin/v1/policy_service.pb.h"

namespace sallyport::controlplane {

// Documents as they were applied, and what they were before. Whoever may read them has been let in
// by the authorization table.
class ReadDocuments {
 public:
  // `control` outlives it.
  explicit ReadDocuments(Database& control) : control_(control) {}

  // kNotFound where there is none, or no such version. A version that is a deletion has no source.
  absl::StatusOr<admin::v1::GetDocumentResponse> Run(
      const admin::v1::GetDocumentRequest& request) const;
  // By name.
  absl::StatusOr<admin::v1::ListDocumentsResponse> Run(
      const admin::v1::ListDocumentsRequest& request) const;
  // Latest first. kNotFound where there never was one.
  absl::StatusOr<admin::v1::ListDocumentVersionsResponse> Run(
      const admin::v1::ListDocumentVersionsRequest& request) const;

 private:
  Database& control_;
};

}  // namespace sallyport::controlplane
