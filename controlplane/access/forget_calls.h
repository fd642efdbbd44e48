#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/policy/documents.h"
#include "controlplane/store/database.h"

namespace sallyport::controlplane {

// For how long a settled call is kept: as far back as any rule may ask.
inline constexpr absl::Duration kKeepSettledCalls = kLongestEffectWindow;

// Deletes calls that nothing can need any more, some hundreds at most. One transaction, none where
// there is nothing.
absl::Status ForgetCalls(Database& control, absl::Time now);

}  // namespace sallyport::controlplane
