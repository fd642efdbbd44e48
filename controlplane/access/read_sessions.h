#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "controlplane/model/caller.h"
#include "controlplane/model/session.h"
#include "controlplane/store/database.h"
#include "sallyport/admin/v1/session_service.pb.h"
#include "sallyport/types/v1/session.pb.h"

namespace sallyport::controlplane {

// What a caller may see of sessions.
class ReadSessions {
 public:
  // All of them outlive it.
  ReadSessions(Database& control, Database& recordings, const Clock& clock)
      : control_(control), recordings_(recordings), clock_(clock) {}

  // Admin, auditor or the admin socket; and, of those that broke glass, who would have been asked:
  // he lists what nobody has reviewed. kPermissionDenied (ROLE_MISSING) for anybody else.
  absl::StatusOr<admin::v1::ListSessionsResponse> Run(
      const Caller& caller, const admin::v1::ListSessionsRequest& request);
  absl::StatusOr<admin::v1::GetSessionResponse> Run(const Caller& caller,
                                                    const admin::v1::GetSessionRequest& request);

  // The caller's own session, as WatchSession streams it. kNotFound also for anybody else's.
  absl::StatusOr<types::v1::Session> Own(const Caller& caller, std::string_view session_id);

  // The caller is the agent that serves it, or its own principal and client on the API for callers.
  static bool IsOwn(const Caller& caller, const Session& session);

 private:
  // With the calls that are known of by now.
  absl::StatusOr<types::v1::Session> Shown(const Session& session);
  // And with those in doubt.
  absl::StatusOr<types::v1::Session> ShownWithDoubts(Transaction& t, Transaction& recorded,
                                                     const Session& session);

  Database& control_;
  Database& recordings_;
  const Clock& clock_;
};

}  // namespace sallyport::controlplane
