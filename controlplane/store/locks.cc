#include "controlplane/store/locks.h"

#include <string>
#include <vector>

#include "common/status_macros.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/store/audit_log.h"
#include "controlplane/store/sessions.h"

namespace sallyport::controlplane::locks {
namespace {

// What a field leaves out is a wildcard.
bool Matches(const std::string& wanted, const std::string& actual) {
  return wanted.empty() || wanted == actual;
}

bool LockMatches(const types::v1::LockSpec& lock, const types::v1::Session& session) {
  const types::v1::Principal& principal = session.principal();
  if (lock.has_principal()) {
    const types::v1::LockedPrincipal& locked = lock.principal();
    const bool is_same_kind =
        locked.kind() == types::v1::PRINCIPAL_KIND_UNSPECIFIED || locked.kind() == principal.kind();
    if (!is_same_kind || !Matches(locked.realm(), principal.realm()) ||
        !Matches(locked.subject(), principal.subject()) ||
        !Matches(locked.client_id(), principal.client_id())) {
      return false;
    }
  }
  return Matches(lock.server(), session.server()) && Matches(lock.agent(), session.agent());
}

}  // namespace

absl::Status Enforce(WriteTransaction& t, const types::v1::Document& lock, const Caller& caller,
                     absl::Time now) {
  if (lock.lock().has_expires() && FromProto(lock.lock().expires()) <= now) return absl::OkStatus();
  const std::string detail = "lock " + lock.name();
  ASSIGN_OR_RETURN(std::vector<Session> live, sessions::AllLive(t));
  for (Session& session : live) {
    if (!LockMatches(lock.lock(), session.proto())) continue;
    RETURN_IF_ERROR(sessions::EndLive(t, session, types::v1::END_REASON_REVOKED, detail, now));
    RETURN_IF_ERROR(audit_log::Append(
        t, audit_log::LineOf(caller, now, "session.revoke", session.id(), detail)));
  }
  return absl::OkStatus();
}

}  // namespace sallyport::controlplane::locks
