#include "controlplane/access/expire_sessions.h"

#include <optional>
#include <vector>

#include "common/status_macros.h"
#include "controlplane/store/approvals.h"
#include "controlplane/store/audit_log.h"
#include "controlplane/store/sessions.h"

namespace sallyport::controlplane {
namespace {

absl::Status ExpireApproval(WriteTransaction& t, Approval& approval, absl::Time now) {
  const Caller system(SystemCaller{}, "");
  RETURN_IF_ERROR(approval.Expire(now));
  RETURN_IF_ERROR(approvals::Update(t, approval));
  RETURN_IF_ERROR(
      audit_log::Append(t, audit_log::LineOf(system, now, "approval.expire", approval.id())));
  if (approval.is_for_call()) return absl::OkStatus();
  ASSIGN_OR_RETURN(std::optional<Session> session,
                   sessions::Find(t, approval.proto().session_id()));
  if (!session.has_value() || !session->is_pending()) return absl::OkStatus();
  RETURN_IF_ERROR(
      session->Deny(types::v1::DENIAL_REASON_APPROVAL_EXPIRED, "nobody decided in time", now));
  return sessions::Update(
      t, *session,
      audit_log::LineOf(system, now, "session.deny", session->id(), "nobody decided in time"));
}

absl::StatusOr<bool> HasWork(Database& control, absl::Time now) {
  ASSIGN_OR_RETURN(const auto t, control.Read());
  ASSIGN_OR_RETURN(const std::vector<Approval> approvals, approvals::PastEnd(*t, now));
  ASSIGN_OR_RETURN(const std::vector<Session> sessions,
                   sessions::PastEnd(*t, now - ExpireSessions::kReportGrace));
  return !approvals.empty() || !sessions.empty();
}

}  // namespace

absl::Status ExpireSessions::Run() {
  const absl::Time now = clock_.Now();
  ASSIGN_OR_RETURN(const bool has_work, HasWork(control_, now));
  if (!has_work) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto t, control_.Write(WriteFor::kOperators));
  ASSIGN_OR_RETURN(std::vector<Approval> approvals, approvals::PastEnd(*t, now));
  for (Approval& approval : approvals) RETURN_IF_ERROR(ExpireApproval(*t, approval, now));
  ASSIGN_OR_RETURN(std::vector<Session> sessions, sessions::PastEnd(*t, now - kReportGrace));
  for (Session& session : sessions) {
    RETURN_IF_ERROR(sessions::EndLive(*t, session, {.reason = types::v1::END_REASON_EXPIRED},
                                      Caller(SystemCaller{}, ""), now));
  }
  return t->Commit();
}

}  // namespace sallyport::controlplane
