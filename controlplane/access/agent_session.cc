#include "controlplane/access/agent_session.h"

#include <optional>
#include <utility>

#include "common/denial.h"
#include "common/status_macros.h"
#include "controlplane/store/approvals.h"
#include "controlplane/store/sessions.h"

namespace sallyport::controlplane {

absl::StatusOr<Session> FindSessionOfAgent(Transaction& t, const Caller& caller,
                                           const std::string& id) {
  if (caller.agent() == nullptr)
    return Denied(types::v1::DENIAL_REASON_ROLE_MISSING, "calls are let through for agents");
  ASSIGN_OR_RETURN(std::optional<Session> session, sessions::Find(t, id));
  if (!session.has_value() || session->proto().agent() != caller.agent()->name) {
    return absl::NotFoundError("there is no session " + id);
  }
  return *std::move(session);
}

absl::StatusOr<Approval> FindCallApproval(Transaction& t, const Session& session,
                                          const std::string& id) {
  ASSIGN_OR_RETURN(std::optional<Approval> approval, approvals::FindWhole(t, id));
  if (!approval.has_value() || !approval->is_for_call() ||
      approval->proto().session_id() != session.id()) {
    return absl::NotFoundError("session " + session.id() + " has no approval " + id);
  }
  return *std::move(approval);
}

absl::Status CheckGoesOn(const Session& session, const CompiledPolicies& policies, absl::Time now) {
  const types::v1::Session& proto = session.proto();
  if (session.is_pending())
    return Denied(types::v1::DENIAL_REASON_SESSION_PENDING, "the session waits for its approval");
  if (!session.IsActiveAt(now))
    return Denied(types::v1::DENIAL_REASON_SESSION_ENDED, "the session is over");
  if (const std::string_view lock =
          policies.LockOn(proto.principal(), proto.server(), proto.agent(), now);
      !lock.empty()) {
    return Denied(types::v1::DENIAL_REASON_LOCKED, "lock " + std::string(lock) + " shuts it out");
  }
  return absl::OkStatus();
}

}  // namespace sallyport::controlplane
