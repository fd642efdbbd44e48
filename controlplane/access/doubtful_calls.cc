#include "controlplane/access/doubtful_calls.h"

#include <string>
#include <utility>

#include "common/status_macros.h"
#include "controlplane/store/calls.h"

namespace sallyport::controlplane {

absl::StatusOr<std::vector<ReservedCall>> DoubtfulCalls(Transaction& t, const Session& session,
                                                        std::string_view digest,
                                                        const IsConnected& is_connected,
                                                        absl::Time now, int limit) {
  const std::string& server = session.proto().server();
  ASSIGN_OR_RETURN(std::vector<ReservedCall> doubtful,
                   calls::IdenticalInDoubt(t, server, digest, now, limit));
  ASSIGN_OR_RETURN(
      std::vector<calls::UnderWay> elsewhere,
      calls::IdenticalElsewhere(t, server, digest, session.proto().agent(), now, limit));
  for (calls::UnderWay& one : elsewhere) {
    if (!is_connected(one.agent)) doubtful.push_back(std::move(one.call));
  }
  return doubtful;
}

}  // namespace sallyport::controlplane
