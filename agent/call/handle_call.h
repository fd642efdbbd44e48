#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "agent/call/call.h"
#include "agent/call/gateway.h"
#include "agent/call/resumable_reply.h"
#include "agent/loop/task.h"

// The stages in their order, for each HTTP method of an MCP endpoint. Each gives the call's reply
// exactly one answer.
namespace sallyport::agent {

// One message of a client, or a batch of them.
Task<void> HandlePost(Gateway& gateway, AuthenticatedCall call, std::string body);
// A message of an MCP session, whatever its shape; not initialize.
Task<void> HandleMessage(Gateway& gateway, GrantedCall call,
                         std::shared_ptr<const ClientMessage> message);
// How the client of the call takes a stream, as its request says.
StreamHabits HabitsOf(const GrantedCall& call);
// What could not be read as a message: recorded, and answered, for the request `id` where that is
// known.
Task<void> RefuseUnread(Gateway& gateway, const AuthenticatedCall& call, const absl::Status& why,
                        std::string_view id = {});
// The client's stream for what belongs to no request, until the client, the MCP session or the
// token is gone; or, with a Last-Event-ID, what came after that event on its stream, and on from
// there.
Task<void> HandleGet(Gateway& gateway, AuthenticatedCall call);
// The client ends its MCP session.
Task<void> HandleDelete(Gateway& gateway, AuthenticatedCall call);

}  // namespace sallyport::agent
