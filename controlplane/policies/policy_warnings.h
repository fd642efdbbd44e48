#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controlplane/store/database.h"
#include "sallyport/types/v1/policy.pb.h"

namespace sallyport::controlplane {

// What a policy does otherwise than it reads, a sentence each: one of its `servers` is no server of
// which anybody has heard, or its `observe_until` is over. It stands all the same: an agent may
// come for it yet.
absl::StatusOr<std::vector<std::string>> PolicyWarnings(Transaction& t,
                                                        const types::v1::PolicySpec& policy,
                                                        absl::Time now);

}  // namespace sallyport::controlplane
