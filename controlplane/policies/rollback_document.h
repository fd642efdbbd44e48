#pragma once

#include <utility>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "controlplane/model/caller.h"
#include "controlplane/policies/check_documents.h"
#include "controlplane/store/database.h"
#include "sallyport/admin/v1/policy_service.pb.h"

namespace sallyport::controlplane {

// Puts the content of an older version in force again, as a new version.
class RollbackDocument {
 public:
  // `control` and `clock` outlive it.
  RollbackDocument(Database& control, const Clock& clock, KnownRealms realms)
      : control_(control), clock_(clock), realms_(std::move(realms)) {}

  // The old text is judged as if it were applied now: kInvalidArgument for what this version of the
  // program or this deployment does not take any more. kNotFound: there never was such a document
  // or version. kFailedPrecondition: that version is a deletion, or there is none to go back to.
  // kAborted as in ApplyPolicy. What is in force already stays as it is.
  absl::StatusOr<admin::v1::RollbackDocumentResponse> Run(
      const Caller& caller, const admin::v1::RollbackDocumentRequest& request);

 private:
  Database& control_;
  const Clock& clock_;
  const KnownRealms realms_;
};

}  // namespace sallyport::controlplane
