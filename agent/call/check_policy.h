#pragma once

#include <memory>
#include <string>

#include "agent/call/call.h"
#include "agent/call/gateway.h"

namespace sallyport::agent {

// Whether policy lets it through, or would once a person has approved it.
bool MayPass(const CallDecision& decision);

// The rules for the caller's principal in that session, under the snapshot of this call.
absl::StatusOr<std::shared_ptr<const SessionRules>> FindRules(
    Gateway& gateway, const ServedSession& session, const Caller& caller,
    std::shared_ptr<const AgentSnapshot> snapshot);

// By these the server's own messages are judged and recorded from here on; they are masked for all
// whom the session's tokens have named. Those of an older version than it goes by change nothing.
// masker_blocked when the masks cannot be made together.
absl::Status KeepRules(Gateway& gateway, ServedSession& session,
                       std::shared_ptr<const SessionRules> rules);

// Both.
absl::StatusOr<std::shared_ptr<const SessionRules>> RulesFor(
    Gateway& gateway, ServedSession& session, const Caller& caller,
    std::shared_ptr<const AgentSnapshot> snapshot);

// What a client can do, of either era, whose token is judged by what the session was opened with:
// the end of a sentence.
std::string HowToOpenAnew(ServedSession& session, Era era);

// Whether policy lets a client's request or notification through, or asks for a person first. What
// it refuses keeps the true reason, and whether the caller may know.
Stage<JudgedCall> CheckPolicy(Gateway& gateway, GrantedCall call,
                              std::shared_ptr<const ClientMessage> message);

// For a call that has waited: from now on it is judged by the policy in force now, and where the
// token it came with has expired, for the principal as the session's freshest token names it.
// False: both are as they were.
bool BringUpToDate(Gateway& gateway, GrantedCall& call);

// CheckPolicy for a call that has waited, if BringUpToDate says that anything has changed.
Stage<JudgedCall> JudgeAgain(Gateway& gateway, JudgedCall call);

}  // namespace sallyport::agent
