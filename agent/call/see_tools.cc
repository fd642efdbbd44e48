#include "agent/call/see_tools.h"

#include <utility>

#include "agent/mcp/tool_definition.h"

namespace sallyport::agent {

bool SeeTool(Gateway& gateway, const SessionRules& rules, McpConnection& connection,
             const std::string& server, std::string_view entry) {
  const AgentSnapshot& snapshot = *rules.snapshot;
  const bool is_pinned = snapshot.PinModeOf(server) != PinMode::kIgnore;
  auto definition = ReadToolDefinition(entry);
  if (!definition.ok()) return !is_pinned;
  const std::string name = definition->name;
  const bool is_kept = gateway.tool_pins.See(server, *std::move(definition), snapshot);
  if (is_kept) connection.tool_look().See(name);
  return !is_pinned || (is_kept && !gateway.tool_pins.IsChanged(snapshot, server, name));
}

void SeeTools(Gateway& gateway, const ServedSession& session, const UpstreamMessage& list,
              ToolLook::Tools& shown, std::string& next_cursor) {
  const std::string& server = session.facts().server;
  std::vector<ToolDefinition> tools = ReadToolDefinitions(list, next_cursor);
  if (session.rules == nullptr) return;
  const SessionRules& rules = *session.rules;
  for (ToolDefinition& tool : tools) {
    if (!rules.policy->ShowsTool(tool.name, gateway.clock.Now())) continue;
    const std::string name = tool.name;
    if (gateway.tool_pins.See(server, std::move(tool), *rules.snapshot))
      ToolLook::AddTo(shown, name);
  }
  if (rules.snapshot->PinModeOf(server) != PinMode::kIgnore)
    gateway.tool_pins.ReportNews(server, *rules.snapshot);
}

const ToolDefinition* DefinitionOf(const Gateway& gateway, const ServedSession& session,
                                   McpConnection& connection, const ClientMessage& call) {
  if (call.method != "tools/call" || !connection.tool_look().Shows(call.target)) return nullptr;
  return gateway.tool_pins.Find(session.facts().server, call.target);
}

}  // namespace sallyport::agent
