#include "controlplane/recordings/replay_recording.h"

#include <utility>

#include "common/denial.h"
#include "common/status_macros.h"
#include "controlplane/recordings/recording.h"
#include "controlplane/store/audit_log.h"
#include "controlplane/store/locks.h"

namespace sallyport::controlplane {
namespace {

bool MayReplay(const Caller& caller) {
  const PersonCaller* person = caller.person();
  return person != nullptr && person->may_manage && person->is_auditor;
}

}  // namespace

absl::Status ReplayRecording::Run(
    const Caller& caller, const admin::v1::ReplaySessionRequest& request,
    absl::FunctionRef<bool(const admin::v1::ReplaySessionResponse&)> sink) {
  const bool may_replay = MayReplay(caller);
  if (may_replay) RETURN_IF_ERROR(FindRecording(control_, recordings_, request.id()).status());
  RETURN_IF_ERROR(Note(caller, request.id(), may_replay));
  if (!may_replay) {
    return Denied(types::v1::DENIAL_REASON_ROLE_MISSING, "recordings are replayed by auditors");
  }
  return ForEachRecord(recordings_, request.id(), [&](types::v1::Record& record) {
    admin::v1::ReplaySessionResponse response;
    *response.mutable_record() = std::move(record);
    return sink(response);
  });
}

absl::Status ReplayRecording::Note(const Caller& caller, const std::string& id, bool is_allowed) {
  const absl::Time now = clock_.Now();
  audit_log::Line line = audit_log::LineOf(caller, now, "session.replay", id);
  if (!is_allowed) line.denial_reason = types::v1::DENIAL_REASON_ROLE_MISSING;
  ASSIGN_OR_RETURN(const auto t, control_.Write(WriteFor::kOperators));
  if (!is_allowed) return audit_log::CommitRefusal(*t, line);
  RETURN_IF_ERROR(locks::RefuseShutOut(*t, line, caller, now));
  RETURN_IF_ERROR(audit_log::Append(*t, line));
  return t->Commit();
}

}  // namespace sallyport::controlplane
