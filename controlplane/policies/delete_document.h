#pragma once

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "controlplane/model/caller.h"
#include "controlplane/store/database.h"
#include "sallyport/admin/v1/policy_service.pb.h"

namespace sallyport::controlplane {

class DeleteDocument {
 public:
  // Both outlive it.
  DeleteDocument(Database& control, const Clock& clock) : control_(control), clock_(clock) {}

  // kNotFound where there is none; kFailedPrecondition for a mask profile that a policy names;
  // kAborted where the document is not of the version that the request has seen.
  absl::StatusOr<admin::v1::DeleteDocumentResponse> Run(
      const Caller& caller, const admin::v1::DeleteDocumentRequest& request);

 private:
  Database& control_;
  const Clock& clock_;
};

}  // namespace sallyport::controlplane
