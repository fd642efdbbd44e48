#include "controlplane/access/end_session.h"

#include <optional>

#include "common/denial.h"
#include "common/json_printer.h"
#include "common/json_string.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "common/time_text.h"
#include "controlplane/access/read_sessions.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/store/audit_log.h"
#include "controlplane/store/documents.h"
#include "controlplane/store/sessions.h"

namespace sallyport::controlplane {
namespace {

constexpr size_t kMaxDetailBytes = 1000;

bool IsLive(const Session& session) {
  return session.is_pending() || session.state() == types::v1::SESSION_STATE_ACTIVE;
}

// The document that `sallyport get lock NAME` shows and an operator may keep: what the spec says,
// as YAML.
std::string LockSource(const types::v1::Document& lock) {
  const types::v1::LockSpec& spec = lock.lock();
  std::string source = "kind: Lock\nname: " + lock.name() +
                       "\nspec:\n  principal: {realm: " + JsonString(spec.principal().realm()) +
                       ", kind: " + EnumWord(spec.principal().kind()) +
                       ", subject: " + JsonString(spec.principal().subject()) +
                       "}\n  server: " + JsonString(spec.server()) +
                       "\n  reason: " + JsonString(spec.reason()) + "\n";
  if (spec.has_expires()) source += "  expires: " + TimeText(FromProto(spec.expires())) + "\n";
  return source;
}

std::string LockName(const Session& session) { return "end-" + session.id(); }

types::v1::Document LockOf(const Session& session, const admin::v1::EndSessionRequest& request,
                           absl::Time now) {
  types::v1::Document lock;
  lock.set_kind(types::v1::DOCUMENT_KIND_LOCK);
  lock.set_name(LockName(session));
  types::v1::LockSpec& spec = *lock.mutable_lock();
  const types::v1::Principal& principal = session.proto().principal();
  spec.mutable_principal()->set_realm(principal.realm());
  spec.mutable_principal()->set_kind(principal.kind());
  spec.mutable_principal()->set_subject(principal.subject());
  spec.set_server(session.proto().server());
  spec.set_reason(request.reason().empty() ? "session " + session.id() + " was ended"
                                           : request.reason());
  if (request.has_lock_duration()) {
    const absl::Time expires = now + FromProto(request.lock_duration());
    // Whole seconds, rounded up: what the source says is what holds.
    *spec.mutable_expires() =
        ToProto(absl::FromUnixSeconds(absl::ToUnixSeconds(expires - absl::Nanoseconds(1)) + 1));
  }
  lock.set_source(LockSource(lock));
  return lock;
}

}  // namespace

absl::StatusOr<access::v1::EndSessionResponse> EndSession::Run(
    const Caller& caller, const access::v1::EndSessionRequest& request) {
  if (request.detail().size() > kMaxDetailBytes)
    return absl::InvalidArgumentError("detail is longer than 1,000 bytes");
  const absl::Time now = clock_.Now();
  ASSIGN_OR_RETURN(const auto t, control_.Write());
  ASSIGN_OR_RETURN(std::optional<Session> session, sessions::Find(*t, request.session_id()));
  if (!session.has_value() || !ReadSessions::IsOwn(caller, *session)) {
    return absl::NotFoundError("there is no session " + request.session_id());
  }
  if (IsLive(*session)) {
    const bool is_damaged = caller.agent() != nullptr;
    const types::v1::EndReason reason =
        is_damaged ? types::v1::END_REASON_REVOKED : types::v1::END_REASON_COMPLETED;
    const std::string action = is_damaged ? "recording.damaged" : "session.end";
    RETURN_IF_ERROR(sessions::EndLive(*t, *session, reason, request.detail(), now));
    RETURN_IF_ERROR(audit_log::Append(
        *t, audit_log::LineOf(caller, now, action, session->id(), request.detail())));
    RETURN_IF_ERROR(t->Commit());
    if (is_damaged) {
      LogError("recording_damaged", {{"session", session->id()},
                                     {"agent", caller.agent()->name},
                                     {"detail", request.detail()}});
    }
  }
  access::v1::EndSessionResponse response;
  *response.mutable_session() = session->proto();
  return response;
}

absl::StatusOr<admin::v1::EndSessionResponse> EndSession::Run(
    const Caller& caller, const admin::v1::EndSessionRequest& request) {
  if (!caller.is_admin())
    return Denied(types::v1::DENIAL_REASON_ROLE_MISSING, "sessions are ended by admins");
  if (request.reason().size() > kMaxDetailBytes)
    return absl::InvalidArgumentError("reason is longer than 1,000 bytes");
  if (request.has_lock_duration() && FromProto(request.lock_duration()) <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError("lock_duration must be positive");
  }
  const absl::Time now = clock_.Now();
  ASSIGN_OR_RETURN(const auto t, control_.Write());
  ASSIGN_OR_RETURN(std::optional<Session> session, sessions::Find(*t, request.id()));
  if (!session.has_value()) return absl::NotFoundError("there is no session " + request.id());
  admin::v1::EndSessionResponse response;
  if (!IsLive(*session)) {
    response.set_had_ended(true);
    *response.mutable_session() = session->proto();
    ASSIGN_OR_RETURN(const auto lock,
                     documents::Find(*t, types::v1::DOCUMENT_KIND_LOCK, LockName(*session)));
    if (lock.has_value()) response.set_lock(lock->name());
    return response;
  }
  RETURN_IF_ERROR(
      sessions::EndLive(*t, *session, types::v1::END_REASON_REVOKED, request.reason(), now));
  RETURN_IF_ERROR(audit_log::Append(
      *t, audit_log::LineOf(caller, now, "session.revoke", session->id(), request.reason())));
  if (!request.no_lock()) {
    const types::v1::Document lock = LockOf(*session, request, now);
    RETURN_IF_ERROR(documents::PutDocument(*t, lock, caller, now).status());
    response.set_lock(lock.name());
  }
  RETURN_IF_ERROR(t->Commit());
  *response.mutable_session() = session->proto();
  return response;
}

}  // namespace sallyport::controlplane
