#pragma once

#include <utility>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "controlplane/model/caller.h"
#include "controlplane/policies/check_documents.h"
#include "controlplane/store/database.h"
#include "sallyport/admin/v1/policy_service.pb.h"

namespace sallyport::controlplane {

// Applies documents: all of a request in one transaction, or none of them.
class ApplyPolicy {
 public:
  // `control` and `clock` outlive it.
  ApplyPolicy(Database& control, const Clock& clock, KnownRealms realms)
      : control_(control), clock_(clock), realms_(std::move(realms)) {}

  // kInvalidArgument naming file, line and key for a document that is no good; also where approvers
  // are of a realm that has no people, or a policy would then name a mask profile that is not
  // there. kAborted where a document is not the version that the request has seen. What is there
  // already stays as it is.
  absl::StatusOr<admin::v1::ApplyDocumentsResponse> Run(
      const Caller& caller, const admin::v1::ApplyDocumentsRequest& request);

 private:
  Database& control_;
  const Clock& clock_;
  const KnownRealms realms_;
};

}  // namespace sallyport::controlplane
