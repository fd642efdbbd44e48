#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controlplane/model/caller.h"
#include "controlplane/model/recorded_call.h"
#include "controlplane/store/database.h"
#include "sallyport/admin/v1/policy_service.pb.h"

// What every use case that reads recordings asks first.
namespace sallyport::controlplane {

// Admin or auditor by a token of his own: who has the machine does not have what was recorded.
bool MayReadRecordings(const Caller& caller);
// Auditor: may see what was said, not only that it was.
bool MayReadContent(const Caller& caller);

// The audit line, committed before anything is read. For a refusal too.
absl::Status NoteReading(Database& control, const Caller& caller, absl::Time now,
                         const std::string& action, const admin::v1::RecordedCalls& calls,
                         bool is_allowed);

// kInvalidArgument for a time that is missing or a principal that is not REALM:NAME.
absl::StatusOr<CallFilter> FilterOf(const admin::v1::RecordedCalls& calls, absl::Time now);

// Of calls that no recording has: kNotFound, naming it, where they are those of a server or of a
// principal of which nobody has heard.
absl::Status CheckNames(Database& control, const CallFilter& filter);

}  // namespace sallyport::controlplane
