#pragma once

#include <string>

#include "agent/call/call.h"
#include "agent/call/gateway.h"

namespace sallyport::agent {

// This round of a call that the control plane let through does not go out, and no other will: what
// the call holds is released, unless a round before it went out and nobody knows what it did.
// Nothing where it was not let through there.
void SettleUnsent(Gateway& gateway, const GrantedCall& call, const std::string& call_id);

// The call goes no further, and no other round will: where it is a later one, an earlier one went
// out, and nobody knows what that did.
void SettleDropped(Gateway& gateway, const GrantedCall& call);

// The server has answered it. False, and nothing said, for an answer that asks the client for
// something first: the call goes on with the next round.
bool SettleAnswered(Gateway& gateway, const RecordedCall& call, const UpstreamMessage& response);

// It went out, and no answer will come. Its id at the control plane, also of a call that was not
// let through there; empty where nobody will ask: only what counts as a call is told of.
std::string SettleUnknown(Gateway& gateway, const RecordedCall& call);

// What its clients should have come again for by `now` (CLOCK_BOOTTIME): the rounds are over, and
// nobody knows what came of their calls.
void SettleRounds(Gateway& gateway, ServedSession& session, absl::Duration now);

}  // namespace sallyport::agent
