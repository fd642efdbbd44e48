#pragma once

#include "absl/status/statusor.h"
#include "controlplane/store/database.h"
#include "sallyport/admin/v1/policy_service.pb.h"

namespace sallyport::controlplane {

// Documents as they were applied. Whoever may read them has been let in by the authorization table.
class ReadDocuments {
 public:
  // `control` outlives it.
  explicit ReadDocuments(Database& control) : control_(control) {}

  // kNotFound where there is none.
  absl::StatusOr<admin::v1::GetDocumentResponse> Run(
      const admin::v1::GetDocumentRequest& request) const;
  // By name.
  absl::StatusOr<admin::v1::ListDocumentsResponse> Run(
      const admin::v1::ListDocumentsRequest& request) const;

 private:
  Database& control_;
};

}  // namespace sallyport::controlplane
