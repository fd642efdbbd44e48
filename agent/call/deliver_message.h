#pragma once

#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "agent/call/call.h"
#include "agent/call/gateway.h"
#include "agent/loop/task.h"

// Everything that reaches a client of a live session goes through here: masked, recorded, then
// written.
namespace sallyport::agent {

// The response to a forwarded request: lists narrowed, masked, recorded, written, and the answer is
// complete. What cannot be let through is answered in its place by a refusal; false then.
Task<bool> DeliverResponse(Gateway& gateway, RecordedCall& call, UpstreamMessage response);

// Whether a notification or a request of the server may go to the client at all. A request that
// policy or the client's capabilities rule out, and a ping, are answered here.
Task<bool> JudgeServerMessage(Gateway& gateway, Held<ServedSession> session,
                              Held<McpConnection> connection, const UpstreamMessage& message);

// News on the stream of a request that has not asked for them, as `why` says: they go nowhere, and
// are recorded as what JudgeServerMessage refuses.
Task<void> DropUnasked(Gateway& gateway, const GrantedCall& call, const UpstreamMessage& message,
                       std::string_view why);

// A notification or a request of the server, judged again, masked and recorded: for a stream of the
// client's. nullopt: it may not go there; what could not be masked is dropped, and the record says
// so. A request is answered here when the client is not `reachable`.
Task<std::optional<RecordedMessage>> AdmitMessage(Gateway& gateway, const GrantedCall& call,
                                                  bool reachable, UpstreamMessage message);

// The same, on the stream of the call's reply.
Task<void> DeliverMessage(Gateway& gateway, const GrantedCall& call, UpstreamMessage message);

// A message of our own about a call that is still open: progress while it waits.
Task<void> DeliverNotice(Gateway& gateway, const GrantedCall& call, std::string_view approval_id,
                         UpstreamMessage notice);

// The answer to a request that was refused, with its DENIAL record. The one way a refused request
// of a live session ends.
Task<void> AnswerRefused(Gateway& gateway, RefusedCall refused);
// The same for one that had been forwarded as record `request_n`.
Task<void> AnswerFailed(Gateway& gateway, const RecordedCall& call, const absl::Status& why);

}  // namespace sallyport::agent
