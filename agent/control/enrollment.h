#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/control/join_string.h"
#include "agent/link/channel.h"
#include "common/clock.h"
#include "sallyport/agent/v1/enrollment_service.pb.h"

namespace sallyport::agent {

// What an enrolled agent is, as it stands in data_dir: agent.pem (0600: the key and its
// certificate), ca.pem and enrollment.json.
struct Enrollment {
  std::string name;
  std::vector<std::string> servers;
  // host:port of the control plane.
  std::string address;
  LinkIdentity identity;
  absl::Time not_before;
  absl::Time not_after;
};

// kNotFound when this agent has never enrolled; kFailedPrecondition, naming the file, when what is
// there does not belong together or its mode lets others read it. The certificate may have run out:
// `not_after` says.
absl::StatusOr<Enrollment> LoadEnrollment(const std::string& data_dir);

// Enrolls: checks that the door at the join string's address shows a chain with the pinned CA,
// before the secret leaves; has a fresh key signed; keeps everything in `data_dir` (made when
// absent). Blocks, at most about 30 s; for start-up. JOIN_TOKEN_INVALID when the control plane
// refuses the secret, kUnauthenticated when it is not the one that was pinned, kUnavailable when it
// cannot be reached.
absl::StatusOr<Enrollment> Enroll(const JoinString& join, const std::string& data_dir,
                                  const Clock& clock);

// Loads the enrollment, or enrolls with the join string in `join_token_file` when there is none, or
// none whose certificate still holds. An agent that is enrolled never opens that file.
// kFailedPrecondition with what to do when it is needed and not given.
absl::StatusOr<Enrollment> LoadOrEnroll(const std::string& data_dir,
                                        const std::string& join_token_file, const Clock& clock);

// What LoadOrEnroll would begin with, without the network: the enrollment there is, or nullopt
// where there is none that still holds and the join string in `join_token_file` can be read.
absl::StatusOr<std::optional<Enrollment>> CheckEnrollment(const std::string& data_dir,
                                                          const std::string& join_token_file,
                                                          const Clock& clock);

// What the control plane signed for `key_pem`, as the agent's identity: the chain must be for that
// key, lead to `ca` now and name the agent. kUnauthenticated otherwise.
absl::StatusOr<LinkIdentity> AcceptCertificate(const v1::AgentCertificate& certificate,
                                               const std::string& key_pem, const std::string& ca,
                                               const std::string& agent_name, absl::Time now);

// Replaces agent.pem: a crash leaves either the old key and certificate or the new ones.
absl::Status SaveIdentity(const std::string& data_dir, const LinkIdentity& identity);

}  // namespace sallyport::agent
