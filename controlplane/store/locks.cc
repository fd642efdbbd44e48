#include "controlplane/store/locks.h"

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "common/denial.h"
#include "common/policy/compiled_policies.h"
#include "common/status_macros.h"
#include "controlplane/store/documents.h"
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

absl::StatusOr<bool> KnowsName(Transaction& t, std::string_view realm, std::string_view name) {
  ASSIGN_OR_RETURN(const bool had_session, sessions::KnowsName(t, realm, name));
  if (had_session) return true;
  return audit_log::KnowsActor(t, realm, name);
}

absl::Status ShutOut(std::string_view lock) {
  return Denied(types::v1::DENIAL_REASON_LOCKED,
                "the lock " + std::string(lock) + " shuts you out");
}

absl::Status RefuseShutOut(WriteTransaction& t, audit_log::Line line, const Caller& caller,
                           absl::Time now) {
  if (caller.person() == nullptr) return absl::OkStatus();
  ASSIGN_OR_RETURN(
      const std::vector<types::v1::Document> locks,
      documents::List(t, types::v1::DOCUMENT_KIND_LOCK, {}, std::numeric_limits<int>::max()));
  ASSIGN_OR_RETURN(const auto compiled, CompiledPolicies::Compile(locks));
  const std::string_view lock = compiled->LockOut(caller.person()->principal, now);
  if (lock.empty()) return absl::OkStatus();
  return audit_log::Refuse(t, std::move(line), ShutOut(lock));
}

}  // namespace sallyport::controlplane::locks
