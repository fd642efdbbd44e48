#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/call/served_session.h"
#include "agent/mcp/message.h"

// The request state of the modern era (2026-07-28, "Multi Round-Trip Requests"): what a client is
// given with an input_required result and brings back with its retry. A client gets none but ours:
// the server's own travels inside, encrypted. It holds for the same session, method and
// OperationDigest, as long as the session itself may be idle, and once: the retry goes on with an
// operation that was counted and, where needed, approved, and two of them would be two operations.
namespace sallyport::agent {

// What a retry goes on with.
struct Continuation {
  // The literal of the server's request state; empty: it gave none.
  std::string server_state;
  // The operation has been counted against max_calls.
  bool is_counted = false;
  // The approval that it used up. Empty: none.
  std::string approval_id;
  // What the control plane let it through as. Empty: it had not to.
  std::string call_id;
  // The decoded keys of what the server has asked for, sorted.
  std::vector<std::string> asked;
  // How often the client has come again already.
  std::uint32_t rounds = 0;
  // What the round is known by that its client has come again for. Empty: none yet.
  std::string nonce = {};
};

// The text for requestState, of characters that need no escape in JSON. The round is open from
// `now` on (CLOCK_BOOTTIME).
absl::StatusOr<std::string> SealRequestState(ServedSession& session, const ClientMessage& message,
                                             const Continuation& continuation, absl::Duration now);

// What the message's requestState says; the round is over. message_invalid: it is none of ours, is
// of another call, has been used already, or is too old; or the message answers what nobody has
// asked, and the round stays open.
absl::StatusOr<Continuation> OpenRequestState(ServedSession& session, const ClientMessage& message);

// The retry that goes on so was refused before it did anything: its client may come again with the
// same state.
void ReopenRound(ServedSession& session, const Continuation& continuation, absl::Duration now);

// The client will not come again with `state`, a JSON string as it was given. Nothing where it is
// none of ours.
void GiveUpRequestState(ServedSession& session, std::string_view state);

}  // namespace sallyport::agent
