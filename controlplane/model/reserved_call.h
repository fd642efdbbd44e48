#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "sallyport/types/v1/call.pb.h"

namespace sallyport::controlplane {

// One call that may go out once, or whose outcome is unknown, and the only ways in which it
// changes:
//
//   reserved --Settle--> released | done | unknown
//   unknown --Resolve--> released | done
//
// Each transition returns kFailedPrecondition, and changes nothing, from any other state. One that
// is still reserved when its session is over counts as unknown, and is resolved as such: its agent
// may have died with it.
class ReservedCall {
 public:
  // As it was stored.
  struct Stored {
    types::v1::Call proto;
    // What tells an identical call, in all sessions.
    std::string digest;
    int64_t revision = 0;
  };

  // A new one. `proto` has everything but the state and its times.
  static ReservedCall Reserved(types::v1::Call proto, std::string digest, absl::Time now);
  // One that needed no reservation, and of which no answer will come.
  static ReservedCall Unknown(types::v1::Call proto, std::string digest, absl::Time now);
  explicit ReservedCall(Stored stored) : stored_(std::move(stored)) {}
  const Stored& stored() const { return stored_; }

  const types::v1::Call& proto() const { return stored_.proto; }
  const std::string& session_id() const { return stored_.proto.session_id(); }
  const std::string& call_id() const { return stored_.proto.call_id(); }
  types::v1::CallState state() const { return stored_.proto.state(); }
  absl::Time reserved_at() const;
  // Whether anybody can say what became of it.
  bool IsInDoubt(bool session_is_over) const;

  // Its agent's word: `to` is RELEASED, DONE or UNKNOWN. Once more the same is OK.
  absl::Status Settle(types::v1::CallState to, absl::Time now);
  // A person's word on one that is in doubt.
  absl::Status Resolve(bool was_done, bool session_is_over, std::string_view by,
                       std::string_view words, absl::Time now);

 private:
  Stored stored_;
};

// As people name it: `ses_.../call_id`.
std::string NameOf(const ReservedCall& call);
// The command that settles one in doubt, and what it does: "`sallyport ...` settles it".
std::string HowToSettle(const ReservedCall& call);

}  // namespace sallyport::controlplane
