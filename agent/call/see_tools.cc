#include "agent/call/see_tools.h"

#include <utility>

#include "agent/mcp/tool_definition.h"

namespace sallyport::agent {

bool SeeTool(Gateway& gateway, const SessionRules& rules, const std::string& server,
             std::string_view entry) {
  const AgentSnapshot& snapshot = *rules.snapshot;
  if (snapshot.PinModeOf(server) == PinMode::kIgnore) return true;
  auto definition = ReadToolDefinition(entry);
  if (!definition.ok()) return false;
  const std::string name = definition->name;
  return gateway.tool_pins.See(server, *std::move(definition)) &&
         !gateway.tool_pins.IsChanged(snapshot, server, name);
}

void SeeTools(Gateway& gateway, const ServedSession& session, const UpstreamMessage& list,
              std::string& next_cursor) {
  const std::string& server = session.facts().server;
  std::vector<ToolDefinition> tools = ReadToolDefinitions(list, next_cursor);
  if (session.rules == nullptr) return;
  const SessionRules& rules = *session.rules;
  if (rules.snapshot->PinModeOf(server) == PinMode::kIgnore) return;
  for (ToolDefinition& tool : tools) {
    if (rules.policy->ShowsTool(tool.name, gateway.clock.Now()))
      gateway.tool_pins.See(server, std::move(tool));
  }
  gateway.tool_pins.ReportNews(server, *rules.snapshot);
}

const ToolDefinition* DefinitionOf(const Gateway& gateway, const ServedSession& session,
                                   const ClientMessage& call) {
  if (call.method != "tools/call") return nullptr;
  return gateway.tool_pins.Find(session.facts().server, call.target);
}

}  // namespace sallyport::agent
