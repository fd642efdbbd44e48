#pragma once

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/call/call.h"
#include "agent/call/gateway.h"
#include "agent/call/held_place.h"
#include "agent/loop/signal.h"
#include "agent/loop/task.h"

namespace sallyport::agent {

// For a call that is going to wait: before anybody is asked, so that calls that come at once are
// counted, too. limit_exceeded when too many calls of the session, or of all sessions, are held
// already.
absl::StatusOr<HeldPlace> TakeHeldPlace(Gateway& gateway, const Held<ServedSession>& session);

struct HoldTerms {
  // What the client is told while it waits.
  std::string text;
  // The approval it waits for. Empty: none.
  std::string approval_id = {};
  absl::Duration hold;
};

// Keeps a call waiting on a stream that begins at once and tells of the wait as progress: until
// `is_decided`, until its client has gone for good or takes it back, until its session or its MCP
// session is over, or until the hold is. `changed` is set by whoever wants it to look again. Its
// caller has a HeldPlace for it.
Task<void> HoldCall(Gateway& gateway, const GrantedCall& call, const ClientMessage& message,
                    OpenRequest& request, Signal& changed, HoldTerms terms,
                    absl::FunctionRef<bool()> is_decided);

// What keeps a call from going on after a wait, though nothing else does. Ok: nothing.
absl::Status CheckStillLive(const Gateway& gateway, const GrantedCall& call);

// The answer to a call that has been held for long enough: a modern client comes again by itself
// and waits on, as often as official clients do; the others read `why`.
RefusedCall RefuseForNow(const Gateway& gateway, JudgedCall call, absl::Status why,
                         const types::v1::Approval* approval);

}  // namespace sallyport::agent
