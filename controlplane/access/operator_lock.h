#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controlplane/model/caller.h"
#include "controlplane/store/database.h"
#include "google/protobuf/duration.pb.h"
#include "sallyport/types/v1/policy.pb.h"

namespace sallyport::controlplane {

// A lock that an operator's word sets beside what it ends: an ordinary document, which `get lock`
// shows and `delete lock` takes away.
struct OperatorLock {
  std::string name;
  types::v1::LockedPrincipal principal;
  std::string server = {};  // empty: all of them
  std::string reason;
};

// kInvalidArgument for a duration that is not positive or longer than kLongestDuration. Null: until
// the lock is deleted.
absl::StatusOr<std::optional<absl::Duration>> LockDuration(
    const google::protobuf::Duration* duration);

// What holds once an operator has asked for a lock.
struct HeldLock {
  std::string name;
  types::v1::LockSpec spec;
  bool was_there = false;  // and stays as it was
};

// Stores it, which ends what it matches. It never opens a door sooner than it was: a lock of that
// name which still holds keeps its reason, and its end where that is later; one that people have
// made shut out somebody else stays, and this one is stored beside it.
absl::StatusOr<HeldLock> PutLock(WriteTransaction& t, const OperatorLock& lock,
                                 std::optional<absl::Duration> duration, const Caller& caller,
                                 absl::Time now);

}  // namespace sallyport::controlplane
