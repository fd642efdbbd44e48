#include "controlplane/access/doubtful_calls.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "common/status_macros.h"
#include "controlplane/store/calls.h"

namespace sallyport::controlplane {

absl::StatusOr<std::vector<ReservedCall>> DoubtfulCalls(Transaction& t, const Session& session,
                                                        std::string_view digest,
                                                        const IsConnected& is_connected,
                                                        absl::Time now) {
  constexpr int kLimit = kMaxRepeats + 1;
  const std::string& server = session.proto().server();
  ASSIGN_OR_RETURN(std::vector<ReservedCall> doubtful,
                   calls::IdenticalInDoubt(t, server, digest, now, kLimit));
  ASSIGN_OR_RETURN(std::vector<ReservedCall> elsewhere,
                   calls::IdenticalElsewhere(
                       t, server, digest, session.proto().agent(),
                       [&](std::string_view agent) { return !is_connected(agent); }, now, kLimit));
  std::ranges::move(elsewhere, std::back_inserter(doubtful));
  return doubtful;
}

}  // namespace sallyport::controlplane
