#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/mcp/message.h"

// What a call says beside its target and its arguments. Whoever decides on a call decides on all of
// it: nothing is left out but the very member that the target or the arguments were read from, and
// what has to differ from try to try.
namespace sallyport::agent {

// What else of the call's params a person is shown and decides on: one canonical JSON object (see
// CanonicalArguments), empty where there is nothing else. Without
// - `name` and `arguments` of tools/call and prompts/get, `uri` of resources/*: the target and the
//   arguments themselves. Anywhere else these are members like any other;
// - in a modern request `requestState`, which can be none but ours, and says nothing of the call;
//   `inputResponses` that answer nothing; and of `_meta` the envelope, see CallEnvelope;
// - of `_meta` the progress token, and a trace in the form that W3C gives it: ids of one try.
// message_invalid when params are not clean JSON.
absl::StatusOr<std::string> OtherParams(const ClientMessage& call);

// The same without all `inputResponses` of a modern request: what every round of an operation says
// alike.
absl::StatusOr<std::string> ParamsOfAllRounds(const ClientMessage& call);

// What is said around the call: the members of the message that JSON-RPC does not know, and those
// of `_meta` in which a modern request says what its client is and can do, as the client said it. A
// client says the same with every try; nobody is shown it, for it says nothing of what is done.
absl::StatusOr<std::string> CallEnvelope(const ClientMessage& call);

// message_invalid where the message has members that JSON-RPC does not know: there is no place in
// which a person could be shown them.
absl::Status CheckIsAllShown(const ClientMessage& call);

}  // namespace sallyport::agent
