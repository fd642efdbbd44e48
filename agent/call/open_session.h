#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/call/call.h"
#include "agent/record/recording_chain.h"
#include "sallyport/types/v1/grant.pb.h"
#include "sallyport/types/v1/session.pb.h"

namespace sallyport::agent {

struct Gateway;

// A session that is being asked for: all connections of the same principal, server and address wait
// for the one request.
struct Opening {
  explicit Opening(Loop& loop) : changed(loop) {}
  bool is_asking = false;
  // PENDING at the control plane. Empty id: not known to be.
  types::v1::Session pending;
  std::vector<std::string> approvers;
  std::string expires_at;
  // Why there will be none. Ok: nothing is decided yet, or there is one.
  absl::Status refusal;
  std::vector<std::string> required_scopes;
  // Set when any of the above changes.
  Signal changed;
};

struct Openings {
  // By SessionKey and client address.
  std::map<std::string, std::shared_ptr<Opening>> by_key;
  // What the last run of the agent left open, by session id: continued when the control plane
  // confirms the session.
  std::map<std::string, std::unique_ptr<RecordingChain>> open_chains;
};

// Why there is no session, and what the caller may be told of it.
struct OpenRefusal {
  absl::Status why;
  RefusalDetails details;
  std::vector<std::string> required_scopes;
};

// The live session of this caller, server and address, or one that the control plane opens now.
// Waits a few seconds for it; what is pending then is SESSION_PENDING, and the next attempt
// attaches to it.
Task<std::variant<Held<ServedSession>, OpenRefusal>> OpenSession(Gateway& gateway,
                                                                 const AuthenticatedCall& call,
                                                                 std::string token);

// Answers a message that has come before there is a session for it, or an MCP session in it: in our
// own words, and recorded, in the session's chain where there is one.
Task<void> AnswerOpenRefusal(Gateway& gateway, const AuthenticatedCall& call,
                             const ClientMessage& message, ServedSession* session,
                             const OpenRefusal& refusal);

// Begins to serve the session that a grant proves, or finds it: its chain is continued where the
// last run of the agent left one. Its OPEN record is not written yet. `calls`: counted so far.
absl::StatusOr<ServedSession*> BeginSession(Gateway& gateway, const types::v1::Grant& grant,
                                            std::uint64_t calls);

// Writes the OPEN record of a session that has none. An error: it must not be used.
Task<absl::Status> EnsureOpened(Gateway& gateway, Held<ServedSession> session);

}  // namespace sallyport::agent
