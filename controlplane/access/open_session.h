#pragma once

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "controlplane/access/approval_notices.h"
#include "controlplane/access/current_policies.h"
#include "controlplane/access/session_grants.h"
#include "controlplane/model/caller.h"
#include "controlplane/store/database.h"
#include "sallyport/access/v1/access_service.pb.h"

namespace sallyport::controlplane {

class Issuers;

// Opens a just-in-time session, or attaches to the one there is.
class OpenSession {
 public:
  // All of them outlive it.
  struct Needs {
    Database& control;
    const Clock& clock;
    Issuers& issuers;
    CurrentPolicies& policies;
    const SessionGrants& grants;
    const ApprovalNotices& notices;
  };
  explicit OpenSession(Needs needs) : needs_(needs) {}

  // For an agent on behalf of the token's owner, or for a person or service on the people's door. A
  // refusal that concerns the caller is in the response; a status says that the request is no good
  // (kInvalidArgument), that the agent does not front the server (kPermissionDenied,
  // SERVER_UNKNOWN), or that we cannot (kUnavailable, kResourceExhausted, ...).
  absl::StatusOr<access::v1::OpenSessionResponse> Run(
      const Caller& caller, const access::v1::OpenSessionRequest& request);

 private:
  Needs needs_;
};

}  // namespace sallyport::controlplane
