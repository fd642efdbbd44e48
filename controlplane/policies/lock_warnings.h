#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controlplane/model/caller.h"
#include "controlplane/store/database.h"
#include "sallyport/types/v1/policy.pb.h"

namespace sallyport::controlplane {

// Why a lock shuts less than it reads, a sentence each: it has ended already, or it names a server,
// an agent or a principal of which nobody has heard, or an agent that does not front the server. It
// stands all the same: they may come yet. Beside, that it shuts out `caller`.
absl::StatusOr<std::vector<std::string>> LockWarnings(Transaction& t,
                                                      const types::v1::Document& lock,
                                                      const Caller& caller, absl::Time now);

}  // namespace sallyport::controlplane
