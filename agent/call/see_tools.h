#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "agent/call/call.h"
#include "agent/call/gateway.h"
#include "agent/call/served_session.h"
#include "agent/mcp/message.h"

namespace sallyport::agent {

// For whom a server's tools are looked at: for a call that is judged by `rules`. They decide what
// is seen, and not those that the session goes by at that moment: it may have taken another token.
struct LookFor {
  std::shared_ptr<const SessionRules> rules;
  // The tool that is called, which is seen in any case. Empty: none that policy has let through.
  std::string tool;
};

LookFor LookOf(const JudgedCall& call);

// One entry of a server's list of tools is seen by `rules` on that connection, where policy would
// show it or has shown it there to anybody. False: it must not be shown, for policy hides it or it
// is not what was accepted of the tool.
bool SeeTool(Gateway& gateway, const SessionRules& rules, const ServedSession& session,
             McpConnection& connection, std::string_view name, std::string_view entry);

// The same for a page that goes to no client; its tools are added to `found`. `next_cursor`
// receives the literal that asks for the next page, empty at the last. False: it is no list.
bool SeeTools(Gateway& gateway, const LookFor& look_for, const ServedSession& session,
              McpConnection& connection, const UpstreamMessage& list, ToolLook::Found& found,
              std::string& next_cursor);

// All of the server's list was read on that connection, or a part, and these tools are in it.
void TakeToolList(Gateway& gateway, const ServedSession& session, const ToolLook::Names& listed,
                  bool is_all);

// What the server said last on that connection of the tool that is called. Null: it has not shown
// it there, or no tool is called.
SeenDefinition DefinitionOf(McpConnection& connection, const ClientMessage& call);

}  // namespace sallyport::agent
