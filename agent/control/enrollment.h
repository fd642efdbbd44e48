#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/control/join_string.h"
#include "agent/link/channel.h"
#include "common/clock.h"

namespace sallyport::agent {

// What an enrolled agent is, as it stands in data_dir: agent.key (0600), agent.crt, ca.pem and
// enrollment.json.
struct Enrollment {
  std::string name;
  std::vector<std::string> servers;
  // host:port of the control plane.
  std::string address;
  LinkIdentity identity;
  absl::Time not_before;
  absl::Time not_after;
};

// kNotFound when this agent has never enrolled. kFailedPrecondition when its certificate has run
// out (it needs a new join string), the files do not belong together or their modes let others read
// them.
absl::StatusOr<Enrollment> LoadEnrollment(const std::string& data_dir, const Clock& clock);

// Enrolls: checks that the door at the join string's address shows a chain with the pinned CA,
// before the secret leaves; has a fresh key signed; keeps everything in `data_dir` (made when
// absent). Blocks, at most about 30 s; for start-up. JOIN_TOKEN_INVALID when the control plane
// refuses the secret, kUnauthenticated when it is not the one that was pinned, kUnavailable when it
// cannot be reached.
absl::StatusOr<Enrollment> Enroll(const JoinString& join, const std::string& data_dir,
                                  const Clock& clock);

// Loads the enrollment, or enrolls with the join string in `join_token_file` when there is none, or
// none that still holds. An agent that is enrolled never opens that file. kFailedPrecondition with
// what to do when it is needed and not given.
absl::StatusOr<Enrollment> LoadOrEnroll(const std::string& data_dir,
                                        const std::string& join_token_file, const Clock& clock);

// Replaces key and certificate in `data_dir`; a crash leaves either the old pair or the new one.
absl::Status SaveIdentity(const std::string& data_dir, const LinkIdentity& identity);

}  // namespace sallyport::agent
