#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "sallyport/types/v1/denial.pb.h"
#include "sallyport/types/v1/principal.pb.h"
#include "sallyport/types/v1/session.pb.h"

namespace sallyport::controlplane {

// Something that policy decided, as a recording shows it.
struct RecordedCall {
  enum class Kind : std::uint8_t {
    kOpening,        // of a session
    kRequest,        // of the client
    kServerRequest,  // of the server to the client
  };
  enum class Outcome : std::uint8_t {
    kPassed,
    kApproved,     // passed because a person said yes
    kAsked,        // a person was asked, and it did not pass
    kRefused,      // by policy
    kNotOfPolicy,  // refused for something else
  };

  Kind kind = Kind::kRequest;
  uint64_t record = 0;  // 0: an opening
  absl::Time at;
  // kServerRequest: policy's word for it, such as sampling. subscriptions/listen: one for each URI,
  // with that as its target, for policy judges each by itself.
  std::string method;
  std::string target;
  // What the target was is not known: something of it was masked, or it was not recorded.
  bool is_target_hidden = false;
  // completion/complete: what it completes is a resource. nullopt: the recording does not say.
  std::optional<bool> ref_is_resource = false;
  // The bytes of tools/call's `arguments` as they were recorded; empty: there were none. nullopt:
  // not recorded, as of refused calls and under `content: none`.
  std::optional<std::string> arguments = std::string();
  // RFC 6901 pointers into `arguments` where something was masked.
  std::vector<std::string> masked;
  Outcome outcome = Outcome::kPassed;
  // Only when refused or asked.
  types::v1::DenialReason reason = types::v1::DENIAL_REASON_UNSPECIFIED;
  std::string policy;       // whose rule decided; empty: none did
  std::string approval_id;  // empty: none was asked for
};

struct CallFilter {
  absl::Time since;
  absl::Time until;
  std::string realm;   // empty: everybody
  std::string name;    // with `realm`: a subject or a client id
  std::string server;  // empty: every server
};

// What was read, of all that had to be.
struct CallsRead {
  uint64_t done = 0;
  uint64_t of = 0;
  uint64_t unreadable = 0;  // recordings of which something cannot be read any more
};

// Gives `take` each decision, recording after recording, and each in its order, until it returns
// false. `session` is what is known of it now. `on_progress` is called after each recording; false
// ends it.
using CallSource = std::function<absl::StatusOr<CallsRead>(
    const CallFilter& filter,
    absl::FunctionRef<bool(const types::v1::Session& session, const RecordedCall& call)> take,
    absl::FunctionRef<bool(const CallsRead& progress)> on_progress)>;

}  // namespace sallyport::controlplane
