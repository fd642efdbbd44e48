#pragma once

#include <string>
#include <string_view>

#include "agent/call/gateway.h"
#include "agent/call/served_session.h"
#include "agent/mcp/message.h"

namespace sallyport::agent {

// One entry of a server's list of tools, which policy would show, is seen by `rules` on that
// connection. False: it must not be shown, for it is not what was accepted of the tool.
bool SeeTool(Gateway& gateway, const SessionRules& rules, const ServedSession& session,
             McpConnection& connection, std::string_view entry);

// The same for a list that goes to no client; its tools are added to `named`. `next_cursor`
// receives the literal that asks for the next page, empty at the last.
void SeeTools(Gateway& gateway, const ServedSession& session, McpConnection& connection,
              const UpstreamMessage& list, ToolLook::Names& named, std::string& next_cursor);

// What the server said last on that connection of the tool that is called. Null: it has not shown
// it there, or no tool is called.
SeenDefinition DefinitionOf(McpConnection& connection, const ClientMessage& call);

}  // namespace sallyport::agent
