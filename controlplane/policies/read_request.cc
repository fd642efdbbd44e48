#include "controlplane/policies/read_request.h"

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/time_text.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/store/audit_log.h"

namespace sallyport::controlplane {

bool MayReadRecordings(const Caller& caller) {
  const PersonCaller* person = caller.person();
  return person != nullptr && person->may_manage && (person->is_admin || person->is_auditor);
}

bool MayReadContent(const Caller& caller) {
  return MayReadRecordings(caller) && caller.person()->is_auditor;
}

absl::Status NoteReading(Database& control, const Caller& caller, absl::Time now,
                         const std::string& action, const admin::v1::RecordedCalls& calls,
                         bool is_allowed) {
  audit_log::Line line = audit_log::LineOf(
      caller, now, action, calls.principal().empty() ? "everybody" : calls.principal(),
      absl::StrCat("calls since ", TimeText(FromProto(calls.since())), " on ",
                   calls.server().empty() ? "every server" : calls.server()));
  if (!is_allowed) line.denial_reason = types::v1::DENIAL_REASON_ROLE_MISSING;
  ASSIGN_OR_RETURN(const auto t, control.Write(WriteFor::kOperators));
  if (!is_allowed) return audit_log::CommitRefusal(*t, line);
  RETURN_IF_ERROR(audit_log::Append(*t, line));
  return t->Commit();
}

absl::StatusOr<CallFilter> FilterOf(const admin::v1::RecordedCalls& calls, absl::Time now) {
  if (!calls.has_since()) return absl::InvalidArgumentError("calls.since is missing");
  CallFilter filter{.since = FromProto(calls.since()),
                    .until = calls.has_until() ? FromProto(calls.until()) : now,
                    .server = calls.server()};
  if (filter.since > filter.until) {
    return absl::InvalidArgumentError("calls.since is behind calls.until");
  }
  if (calls.principal().empty()) return filter;
  const std::size_t colon = calls.principal().find(':');
  if (colon == 0 || colon == std::string::npos || colon + 1 == calls.principal().size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("principal \"", calls.principal(),
                     "\": expected REALM:NAME, the name being a subject or a client id"));
  }
  filter.realm = calls.principal().substr(0, colon);
  filter.name = calls.principal().substr(colon + 1);
  return filter;
}

}  // namespace sallyport::controlplane
