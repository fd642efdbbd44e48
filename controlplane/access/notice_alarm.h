#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controlplane/model/session.h"
#include "controlplane/store/database.h"
#include "controlplane/store/outbox.h"

namespace sallyport::controlplane {

// Whether anybody has been told of a pending approval, as its notices stand: one that no notifier
// concerns, or whose notices have all been given up or have failed three times, carries an alarm
// that says why, until one of them is delivered. True: the alarm is raised now, for the first time.
absl::StatusOr<bool> UpdateNoticeAlarm(WriteTransaction& t, std::string_view approval_id);

// The same of a session that broke glass and that nobody has reviewed. It carries the alarm for as
// long as a single one of those who were skipped has no notifier, for each of them is owed the
// news. The system's line in the audit log says that it is raised, and that it is over.
absl::StatusOr<bool> UpdateGlassAlarm(WriteTransaction& t, std::string_view session_id,
                                      absl::Time now);

// Of whatever the notice is about, which has just been tried.
absl::Status UpdateAlarmOf(WriteTransaction& t, const outbox::Notice& notice, absl::Time now);

// As the session stands that is about to be written: with its alarm, which is said once `t`
// commits.
void RaiseGlassAlarm(WriteTransaction& t, Session& session, std::string_view why);

}  // namespace sallyport::controlplane
