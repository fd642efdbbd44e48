#include "controlplane/policies/read_request.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/time_text.h"
#include "controlplane/model/named_principal.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/store/audit_log.h"
#include "controlplane/store/known_names.h"
#include "controlplane/store/locks.h"

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
  RETURN_IF_ERROR(locks::RefuseShutOut(*t, line, caller, now));
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
  ASSIGN_OR_RETURN(NamedPrincipal named, ParseNamedPrincipal(calls.principal()));
  filter.realm = std::move(named.realm);
  filter.name = std::move(named.name);
  return filter;
}

absl::Status CheckNames(Database& control, const CallFilter& filter) {
  ASSIGN_OR_RETURN(const auto t, control.Read());
  return known_names::Check(*t, filter.server, filter.realm, filter.name);
}

}  // namespace sallyport::controlplane
