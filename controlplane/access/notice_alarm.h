#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "controlplane/store/database.h"

namespace sallyport::controlplane {

// Whether anybody has been told of a pending approval, as its notices stand: one that no notifier
// concerns, or whose notices have all been given up or have failed three times, carries an alarm
// that says why, until one of them is delivered. True: the alarm is raised now, for the first time.
absl::StatusOr<bool> UpdateNoticeAlarm(WriteTransaction& t, std::string_view approval_id);

}  // namespace sallyport::controlplane
