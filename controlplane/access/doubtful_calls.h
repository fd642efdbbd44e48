#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controlplane/model/agent.h"
#include "controlplane/model/reserved_call.h"
#include "controlplane/model/session.h"
#include "controlplane/store/database.h"

namespace sallyport::controlplane {

// So many calls in doubt an approval of their repetition names; where there are more, they have to
// be settled first.
inline constexpr size_t kMaxRepeats = 16;

// Calls identical to one of `session` of which nobody can say whether they were done, oldest first:
// those in doubt, then those that other agents have under way and are away with. Of either one more
// than kMaxRepeats at most.
absl::StatusOr<std::vector<ReservedCall>> DoubtfulCalls(Transaction& t, const Session& session,
                                                        std::string_view digest,
                                                        const IsConnected& is_connected,
                                                        absl::Time now);

}  // namespace sallyport::controlplane
