#include "controlplane/access/end_session.h"

#include <optional>
#include <span>

#include "common/denial.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "controlplane/access/operator_lock.h"
#include "controlplane/access/read_sessions.h"
#include "controlplane/store/documents.h"
#include "controlplane/store/locks.h"
#include "controlplane/store/sessions.h"

namespace sallyport::controlplane {
namespace {

constexpr size_t kMaxDetailBytes = 1000;

bool IsLive(const Session& session) {
  return session.is_pending() || session.state() == types::v1::SESSION_STATE_ACTIVE;
}

OperatorLock LockOf(const Session& session, const std::string& reason) {
  const types::v1::Principal& principal = session.proto().principal();
  OperatorLock lock{.name = "end-" + session.id(),
                    .server = session.proto().server(),
                    .reason = reason.empty() ? "session " + session.id() + " was ended" : reason};
  lock.principal.set_realm(principal.realm());
  lock.principal.set_kind(principal.kind());
  lock.principal.set_subject(principal.subject());
  return lock;
}

void Tell(const std::string& name, const types::v1::LockSpec& lock,
          admin::v1::EndSessionResponse& response) {
  response.set_lock(name);
  if (lock.has_expires()) *response.mutable_lock_expires_at() = lock.expires();
}

// By its caller, or by its agent, which lost the recording. Nothing where it is over.
absl::Status EndOwn(WriteTransaction& t, Session& session, const Caller& caller,
                    const std::string& detail, absl::Time now) {
  if (!IsLive(session)) return absl::OkStatus();
  const bool is_damaged = caller.agent() != nullptr;
  const sessions::End end{
      .reason = is_damaged ? types::v1::END_REASON_REVOKED : types::v1::END_REASON_COMPLETED,
      .detail = detail,
      .action = is_damaged ? "recording.damaged" : "session.end"};
  RETURN_IF_ERROR(sessions::EndLive(t, session, end, caller, now));
  if (is_damaged) {
    t.AfterCommit([id = session.id(), agent = caller.agent()->name, detail] {
      LogError("recording_damaged", {{"session", id}, {"agent", agent}, {"detail", detail}});
    });
  }
  return t.Commit();
}

absl::Status EndByOperator(WriteTransaction& t, const admin::v1::EndSessionRequest& request,
                           std::optional<absl::Duration> lock_duration, const Caller& caller,
                           absl::Time now, admin::v1::EndSessionResponse& response,
                           std::optional<Session>& session) {
  RETURN_IF_ERROR(locks::RefuseShutOut(
      t, audit_log::LineOf(caller, now, "session.end", request.id(), request.reason()), caller,
      now));
  ASSIGN_OR_RETURN(session, sessions::Find(t, request.id()));
  if (!session.has_value()) return absl::NotFoundError("there is no session " + request.id());
  if (!IsLive(*session)) {
    response.set_had_ended(true);
    *response.mutable_session() = session->proto();
    ASSIGN_OR_RETURN(const auto lock,
                     documents::Find(t, types::v1::DOCUMENT_KIND_LOCK, "end-" + session->id()));
    if (lock.has_value()) Tell(lock->name(), lock->lock(), response);
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(sessions::EndLive(t, *session, sessions::Revoked(request.reason()), caller, now));
  if (!request.no_lock()) {
    const OperatorLock lock = LockOf(*session, request.reason());
    ASSIGN_OR_RETURN(const HeldLock held, PutLock(t, lock, lock_duration, caller, now));
    Tell(held.name, held.spec, response);
  }
  *response.mutable_session() = session->proto();
  return t.Commit();
}

}  // namespace

absl::StatusOr<access::v1::EndSessionResponse> EndSession::Run(
    const Caller& caller, const access::v1::EndSessionRequest& request) {
  if (request.detail().size() > kMaxDetailBytes)
    return absl::InvalidArgumentError("detail is longer than 1,000 bytes");
  const absl::Time now = clock_.Now();
  access::v1::EndSessionResponse response;
  RETURN_IF_ERROR(control_.Write(WriteFor::kRevocation, [&](WriteTransaction& t) -> absl::Status {
    ASSIGN_OR_RETURN(std::optional<Session> session, sessions::Find(t, request.session_id()));
    if (!session.has_value() || !ReadSessions::IsOwn(caller, *session))
      return absl::NotFoundError("there is no session " + request.session_id());
    RETURN_IF_ERROR(EndOwn(t, *session, caller, request.detail(), now));
    *response.mutable_session() = session->proto();
    return absl::OkStatus();
  }));
  return response;
}

absl::StatusOr<admin::v1::EndSessionResponse> EndSession::Run(
    const Caller& caller, const admin::v1::EndSessionRequest& request) {
  if (!caller.is_admin())
    return Denied(types::v1::DENIAL_REASON_ROLE_MISSING, "sessions are ended by admins");
  if (request.reason().size() > kMaxDetailBytes)
    return absl::InvalidArgumentError("reason is longer than 1,000 bytes");
  ASSIGN_OR_RETURN(const std::optional<absl::Duration> lock_duration,
                   LockDuration(request.has_lock_duration() ? &request.lock_duration() : nullptr));
  const absl::Time now = clock_.Now();
  admin::v1::EndSessionResponse response;
  std::optional<Session> ended;
  RETURN_IF_ERROR(control_.Write(WriteFor::kRevocation, [&](WriteTransaction& t) {
    response.Clear();
    return EndByOperator(t, request, lock_duration, caller, now, response, ended);
  }));
  // Also of one that was over before, while its agent has not said that it knows.
  ASSIGN_OR_RETURN(const auto away, confirmed_.AwaitUnconfirmed(std::span(&*ended, 1)));
  for (const admin::v1::AwayAgent& agent : away) *response.mutable_away_agent() = agent;
  return response;
}

}  // namespace sallyport::controlplane
