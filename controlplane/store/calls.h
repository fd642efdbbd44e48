#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controlplane/model/reserved_call.h"
#include "controlplane/store/database.h"
#include "sallyport/types/v1/principal.pb.h"

// Calls that were let through by a reservation or whose outcome is unknown, with what they hold, in
// control.db. A row changes only through the transitions of controlplane/model. What a call holds
// it holds until it is released, or forgotten.
namespace sallyport::controlplane::calls {

// A call, and whether its session is over at the time that was asked about: then one that is still
// reserved is in doubt.
struct Found {
  ReservedCall call;
  bool session_is_over = false;
  bool is_in_doubt() const { return call.IsInDoubt(session_is_over); }
};

// nullopt: there is none.
absl::StatusOr<std::optional<Found>> Find(Transaction& t, std::string_view session_id,
                                          std::string_view call_id, absl::Time now);

// Identical calls (their digests are equal) that are in doubt, and of which no repetition was done
// (InsertRepetition); oldest first, at most `limit`. One that was under way beside them, or that
// came later without being let through as their repetition, says nothing about them.
absl::StatusOr<std::vector<ReservedCall>> IdenticalInDoubt(Transaction& t, std::string_view server,
                                                           std::string_view digest, absl::Time now,
                                                           int limit);

// Identical calls that are under way in live sessions of those other agents than `agent` that
// `is_wanted` names, oldest first, at most `limit`.
absl::StatusOr<std::vector<ReservedCall>> IdenticalElsewhere(
    Transaction& t, std::string_view server, std::string_view digest, std::string_view agent,
    absl::FunctionRef<bool(std::string_view agent)> is_wanted, absl::Time now, size_t limit);

// Calls of a session that are in doubt, oldest first.
absl::StatusOr<std::vector<ReservedCall>> InDoubtOfSession(Transaction& t,
                                                           std::string_view session_id,
                                                           absl::Time now);

// Calls of a session that were in doubt and that a person has settled, oldest first.
absl::StatusOr<std::vector<ReservedCall>> ResolvedOfSession(Transaction& t,
                                                            std::string_view session_id,
                                                            absl::Time now);

// Calls that hold what is done once, reserved after `since`, newest first.
absl::StatusOr<std::vector<Found>> HoldersOf(Transaction& t, std::string_view server,
                                             std::string_view once_digest, absl::Time since,
                                             absl::Time now);

// Objects of `counted` that the principal's calls have touched since, by the calls' targets.
struct Touched {
  std::string target;
  uint64_t objects = 0;
};
absl::StatusOr<std::vector<Touched>> TouchedBy(Transaction& t,
                                               const types::v1::Principal& principal,
                                               std::string_view server, std::string_view counted,
                                               absl::Time since);

// How often the principal had the same target let through, and when last (InfinitePast: never).
struct Frequency {
  uint64_t calls = 0;
  absl::Time last;
};
absl::StatusOr<Frequency> FrequencyOf(Transaction& t, const types::v1::Principal& principal,
                                      std::string_view server, std::string_view method,
                                      std::string_view target);

// What a call holds. Objects are of `counted`, a pointer into the arguments.
struct Objects {
  std::string counted;
  uint64_t objects = 0;
};
struct Holdings {
  std::vector<std::string> once_digests;
  // One of those is done once and never again.
  bool holds_for_good = false;
  std::vector<Objects> objects;
};
// The session has no call of that id yet.
absl::Status Insert(WriteTransaction& t, const ReservedCall& call, const Holdings& holdings);
// `call`, which has just been inserted, was let through although these are in doubt.
absl::Status InsertRepetition(WriteTransaction& t, const ReservedCall& call,
                              const std::vector<ReservedCall>& repeated);
// kAborted where the row changed since the call was read.
absl::Status Update(WriteTransaction& t, const ReservedCall& call);

// Calls that were settled and are of no use any more: reserved before `before`, of a session that
// is over, and, where they were done, neither for good nor the repetition of one that nobody has
// settled. At most `limit`.
struct Key {
  std::string session_id;
  std::string call_id;
};
absl::StatusOr<std::vector<Key>> Forgettable(Transaction& t, absl::Time before, int limit);
// With what they hold.
absl::Status Forget(WriteTransaction& t, const std::vector<Key>& calls);

}  // namespace sallyport::controlplane::calls
