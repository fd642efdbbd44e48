#pragma once

#include <string>

#include "agent/call/call.h"
#include "agent/call/gateway.h"
#include "agent/loop/task.h"

// The stages in their order, for each HTTP method of an MCP endpoint. Each gives the call's reply
// exactly one answer.
namespace sallyport::agent {

// One message of a client.
Task<void> HandlePost(Gateway& gateway, AuthenticatedCall call, std::string body);
// The client's stream for what belongs to no request, until the client, the MCP session or the
// token is gone; or, with a Last-Event-ID, what came after that event on its stream, and on from
// there.
Task<void> HandleGet(Gateway& gateway, AuthenticatedCall call);
// The client ends its MCP session.
Task<void> HandleDelete(Gateway& gateway, AuthenticatedCall call);

}  // namespace sallyport::agent
