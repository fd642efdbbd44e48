#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controlplane/model/approval.h"
#include "controlplane/store/database.h"

// Approvals of sessions and of calls, in control.db. A row changes only through the transitions of
// controlplane/model. It has the short form (controlplane/model/approval_texts); what is long in an
// open approval is kept beside it, and goes when it closes.
namespace sallyport::controlplane::approvals {

// As its row has it. nullopt: there is none.
absl::StatusOr<std::optional<Approval>> Find(Transaction& t, std::string_view id);
// With what is long in it, as long as it is open: for who reads or judges it.
absl::StatusOr<std::optional<Approval>> FindWhole(Transaction& t, std::string_view id);

// The undecided or unused approval of a call for the same session, method, target and arguments.
// nullopt: there is none.
absl::StatusOr<std::optional<Approval>> FindOpenCall(Transaction& t, std::string_view session_id,
                                                     std::string_view method,
                                                     std::string_view target,
                                                     std::string_view arguments_digest);

// Those of the identical call, in any session, that were denied and whose time is not up at `now`,
// newest first.
absl::StatusOr<std::vector<Approval>> DeniedCalls(Transaction& t, std::string_view call_digest,
                                                  absl::Time now);

// Those of any call by that method and target that were denied and whose time is not up at `now`,
// newest first; without those that tell no identical call. Reads all that were ever denied.
absl::StatusOr<std::vector<Approval>> DeniedCallsOf(Transaction& t, std::string_view method,
                                                    std::string_view target, absl::Time now);

// Of all that was asked for sessions of (realm, kind, subject, client id) with a server, by
// whatever agent and from whatever address, and whose time is not up at `now`: what people have
// decided last, yes or no. nullopt: nothing.
absl::StatusOr<std::optional<Approval>> LastDecidedForSession(Transaction& t,
                                                              const types::v1::Principal& principal,
                                                              std::string_view server,
                                                              absl::Time now);

// What (realm, kind, subject) asked for on a server since then, calls and sessions, and what nobody
// has answered: it waits, was taken back, or its time was up.
struct Unanswered {
  int64_t count = 0;
  absl::Time oldest;
};
absl::StatusOr<Unanswered> UnansweredSince(Transaction& t, const types::v1::Principal& principal,
                                           std::string_view server, absl::Time since);

// Pending and approved: nobody has used them, and they may still be used.
absl::StatusOr<std::vector<Approval>> OpenOfSession(Transaction& t, std::string_view session_id);
// Those of calls, of sessions that are the agent's.
absl::StatusOr<std::vector<Approval>> OpenCallsOfAgent(Transaction& t, std::string_view agent);
// Pending and approved ones whose time was up before `now`.
absl::StatusOr<std::vector<Approval>> PastEnd(Transaction& t, absl::Time now);

// Newest first, one after the other until `take` has had enough (false): those made before `before`
// (made at the same instant: with a smaller id).
absl::Status Walk(Transaction& t, bool all_states, absl::Time before, std::string_view before_id,
                  absl::FunctionRef<bool(const Approval&)> take);

// How much of what is long is kept for the open approvals of (realm, kind, subject), and of all.
struct LongBytes {
  int64_t of_principal = 0;
  int64_t in_all = 0;
};
absl::StatusOr<LongBytes> CountLongBytes(Transaction& t, const types::v1::Principal& principal);

// Pending ones of which nobody has been told.
absl::StatusOr<int64_t> CountUnnotified(Transaction& t);

// Watchers hear of both. Update: kAborted where the row changed since the approval was read.
absl::Status Insert(WriteTransaction& t, const Approval& approval);
absl::Status Update(WriteTransaction& t, const Approval& approval);

}  // namespace sallyport::controlplane::approvals
