#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "agent/call/call.h"
#include "agent/call/gateway.h"
#include "agent/loop/task.h"

namespace sallyport::agent {

// The call's record is durable and it is counted: it may be forwarded. Refused when the session has
// ended meanwhile, max_calls is used up, or the record cannot be made.
Task<Stage<RecordedCall>> RecordCall(Gateway& gateway, PermittedCall call);

// A client's notification or answer, or our own answer to the server, recorded so that it may go
// out. `caller`: whose token carried it; null: it is our own. `policy` decided.
Task<absl::StatusOr<OutboundMessage>> RecordOutbound(Gateway& gateway, Held<ServedSession> session,
                                                     Held<McpConnection> connection,
                                                     std::shared_ptr<const ClientMessage> message,
                                                     std::shared_ptr<const Caller> caller,
                                                     std::string policy,
                                                     std::string client_address);

// What the records of a message say about its circumstances. `caller`: whose token carried it; null
// where none did. The views are of the arguments.
RecordFacts FactsOf(const Caller* caller, const McpConnection& connection,
                    const SessionRules* rules, std::string_view policy,
                    std::string_view approval_id, std::string_view client_address);

}  // namespace sallyport::agent
