#pragma once

#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "controlplane/store/database.h"
#include "sallyport/types/v1/record.pb.h"
#include "sallyport/types/v1/session.pb.h"

namespace sallyport::controlplane {

// `agent:NAME:SUFFIX` (or without suffix): a chain of that agent's refusals before there was a
// session. The suffix is drawn with the agent's spool, so that an agent that lost its disk begins
// another chain and does not contradict its former self.
bool IsDenialChainOf(std::string_view agent, std::string_view id);

// What a recording is of.
struct RecordingSubject {
  // Unset for an agent's denial chain.
  types::v1::Session session;
  bool is_session = false;
  // Its agent has closed it, or has nothing to close.
  bool is_closed = false;
};

// The session, or an agent's denial chain that has begun. kNotFound.
absl::StatusOr<RecordingSubject> FindRecording(Database& control, Database& recordings,
                                               std::string_view id);

// Gives each record to `take`, in order, until it returns false. Holds no transaction while `take`
// runs, so that a slow reader holds up no checkpoint. kDataLoss: what comes next cannot be read
// any more.
absl::Status ForEachRecord(Database& recordings, std::string_view id,
                           absl::FunctionRef<bool(types::v1::Record&)> take);

}  // namespace sallyport::controlplane
