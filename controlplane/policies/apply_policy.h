#pragma once

#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "controlplane/model/caller.h"
#include "controlplane/store/database.h"
#include "sallyport/admin/v1/policy_service.pb.h"

namespace sallyport::controlplane {

// The realms of the issuer entries in the configuration.
struct KnownRealms {
  std::set<std::string> all;
  // Those whose people can sign in to decide: an `id_token` entry, or an access-token entry while
  // `admin_audiences` is set.
  std::set<std::string> with_people;
};

// Applies documents: all of a request in one transaction, or none of them.
class ApplyPolicy {
 public:
  // `control` and `clock` outlive it.
  ApplyPolicy(Database& control, const Clock& clock, KnownRealms realms)
      : control_(control), clock_(clock), realms_(std::move(realms)) {}

  // kInvalidArgument naming file, line and key for a document that is no good; also where approvers
  // are of a realm that has no people, or a policy would then name a mask profile that is not
  // there. What is there already stays as it is.
  absl::StatusOr<admin::v1::ApplyDocumentsResponse> Run(
      const Caller& caller, const admin::v1::ApplyDocumentsRequest& request);

 private:
  Database& control_;
  const Clock& clock_;
  KnownRealms realms_;
};

}  // namespace sallyport::controlplane
