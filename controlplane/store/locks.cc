#include "controlplane/store/locks.h"

#include <string>
#include <vector>

#include "common/policy/compiled_policies.h"
#include "common/status_macros.h"
#include "controlplane/store/sessions.h"

namespace sallyport::controlplane::locks {

absl::Status Enforce(WriteTransaction& t, const types::v1::Document& lock, const Caller& caller,
                     absl::Time now) {
  const std::string detail = "lock " + lock.name();
  ASSIGN_OR_RETURN(std::vector<Session> live, sessions::AllLive(t));
  for (Session& session : live) {
    const types::v1::Session& proto = session.proto();
    if (!LockMatches(lock.lock(), proto.principal(), proto.server(), proto.agent(), now)) continue;
    RETURN_IF_ERROR(sessions::EndLive(t, session, sessions::Revoked(detail), caller, now));
  }
  return absl::OkStatus();
}

}  // namespace sallyport::controlplane::locks
