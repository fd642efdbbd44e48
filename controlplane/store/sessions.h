#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controlplane/model/session.h"
#include "controlplane/model/window_calls.h"
#include "controlplane/store/audit_log.h"
#include "controlplane/store/database.h"
#include "sallyport/types/v1/principal.pb.h"
#include "sallyport/types/v1/session.pb.h"

// Sessions and their windows, in control.db. A row changes only through the transitions of
// controlplane/model, and no row is written without the audit line that says who did it and why.
namespace sallyport::controlplane::sessions {

// nullopt: there is none.
absl::StatusOr<std::optional<Session>> Find(Transaction& t, std::string_view id);

// The session that this principal's request made. nullopt: it made none.
absl::StatusOr<std::optional<Session>> FindByRequest(Transaction& t,
                                                     const types::v1::Principal& principal,
                                                     std::string_view request_id);

// Pending and active sessions of (realm, kind, subject, client id) for a server, newest first.
absl::StatusOr<std::vector<Session>> Live(Transaction& t, const types::v1::Principal& principal,
                                          std::string_view server);

// All pending and active sessions. An agent's: those whose agent it is.
absl::StatusOr<std::vector<Session>> AllLive(Transaction& t);
absl::StatusOr<std::vector<Session>> LiveOfAgent(Transaction& t, std::string_view agent);

// An agent's that have ended and whose recording it has not closed, though they would not be over
// by themselves at `now`: it may not have heard of their end.
absl::StatusOr<std::vector<Session>> EndedUnheard(Transaction& t, std::string_view agent,
                                                  absl::Time now);

// Active sessions whose end is before `now`.
absl::StatusOr<std::vector<Session>> PastEnd(Transaction& t, absl::Time now);

// Whether there is a session, live or over, of a principal of that subject or client id.
absl::StatusOr<bool> KnowsName(Transaction& t, std::string_view realm, std::string_view name);

// The principals of that subject or client id that have had one, each once: realm, kind and subject
// alone. At most `most`; what it takes grows with them and not with their sessions.
absl::StatusOr<std::vector<types::v1::Principal>> PrincipalsNamed(Transaction& t,
                                                                  std::string_view realm,
                                                                  std::string_view name,
                                                                  std::size_t most);

struct Filter {
  types::v1::SessionState state = types::v1::SESSION_STATE_UNSPECIFIED;  // unspecified: all
  std::string server;                                                    // empty: all
  // Both or neither; the name is a subject or a client id.
  std::string realm = {};
  std::string name = {};
  bool unreviewed = false;  // only those that broke glass and wait for their review
};
// Newest first: those made before `before` (made at the same instant: with a smaller id), at most
// `limit`. An infinite future starts.
absl::StatusOr<std::vector<Session>> List(Transaction& t, const Filter& filter, absl::Time before,
                                          std::string_view before_id, int limit);

// Those that broke glass, of which some who were skipped have not been told and which nobody has
// reviewed.
absl::StatusOr<int64_t> CountUnnotified(Transaction& t);

// Watchers hear of both; `why` is appended to the audit log. Update: kAborted where the row changed
// since the session was read.
absl::Status Insert(WriteTransaction& t, const Session& session, const audit_log::Line& why);
absl::Status Update(WriteTransaction& t, const Session& session, const audit_log::Line& why);

// Why a session ends: what people read in it, and the word of the audit line.
struct End {
  types::v1::EndReason reason = types::v1::END_REASON_UNSPECIFIED;
  std::string detail = {};
  std::string action = "session.end";
};
// As an operator, a lock, a ban or the like ends one. Where no detail is given it says as much.
End Revoked(std::string detail);

// Ends a pending or active session, which `caller` does, and withdraws its open approvals. A line
// for each of them.
absl::Status EndLive(WriteTransaction& t, Session& session, const End& end, const Caller& caller,
                     absl::Time now);

// Withdraws its open approvals, each with a line that says `why`.
absl::Status WithdrawApprovals(WriteTransaction& t, const Session& session, std::string_view why,
                               const Caller& caller, absl::Time now);

// Its agent, the caller, has closed the recording: the session is over (as it ended before, where
// it had), and `calls` were made. True: something has changed. False: that was known, or it was
// never active.
absl::StatusOr<bool> Close(WriteTransaction& t, Session& session, const End& end, uint64_t calls,
                           const Caller& caller, absl::Time now);

// The latest window of the principal (realm, kind, subject) and server that has not ended at `now`.
// nullopt: there is none.
absl::StatusOr<std::optional<Window>> OpenWindow(Transaction& t,
                                                 const types::v1::Principal& principal,
                                                 std::string_view server, absl::Time now);
absl::Status InsertWindow(WriteTransaction& t, const types::v1::Principal& principal,
                          std::string_view server, const Window& window);

absl::StatusOr<WindowCalls> CallsUsed(Transaction& t, std::string_view window_id);

}  // namespace sallyport::controlplane::sessions
