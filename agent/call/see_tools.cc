#include "agent/call/see_tools.h"

#include <utility>

#include "agent/mcp/tool_definition.h"
#include "common/tool_limits.h"

namespace sallyport::agent {

namespace {

// What is kept of it, and told: for people to read, so without the secrets that the server put into
// it. Its hash stays that of what the server says. Null: it is not kept.
SeenDefinition Keep(Gateway& gateway, const ServedSession& session, McpConnection& connection,
                    ToolDefinition definition, const AgentSnapshot& snapshot) {
  const std::string& server = session.facts().server;
  const bool is_new = gateway.tool_pins.Find(server, definition.name, definition.hash) == nullptr;
  if (is_new && definition.json.size() <= kMaxDefinitionBytes) {
    auto shown = gateway.masker.ShowJsonToApprover(
        definition.json,
        SessionMask{.plan = gateway.plan_without_session, .credentials = session.mask.credentials});
    definition.json = shown.ok() ? *std::move(shown) : std::string();
  }
  const std::string name = definition.name;
  SeenDefinition seen = gateway.tool_pins.See(server, std::move(definition), snapshot);
  connection.tool_look().See(name, seen);
  return seen;
}

}  // namespace

bool SeeTool(Gateway& gateway, const SessionRules& rules, const ServedSession& session,
             McpConnection& connection, std::string_view entry) {
  const std::string& server = session.facts().server;
  const AgentSnapshot& snapshot = *rules.snapshot;
  const bool is_pinned = snapshot.PinModeOf(server) != PinMode::kIgnore;
  auto definition = ReadToolDefinition(entry);
  if (!definition.ok()) return !is_pinned;
  const SeenDefinition seen = Keep(gateway, session, connection, *std::move(definition), snapshot);
  if (!is_pinned) return true;
  return seen != nullptr && gateway.tool_pins.CanPin(snapshot, server, seen->name) &&
         gateway.tool_pins.IsAccepted(snapshot, server, *seen);
}

void SeeTools(Gateway& gateway, const ServedSession& session, McpConnection& connection,
              const UpstreamMessage& list, ToolLook::Names& named, std::string& next_cursor) {
  const std::string& server = session.facts().server;
  std::vector<ToolDefinition> tools = ReadToolDefinitions(list, next_cursor);
  if (session.rules == nullptr) return;
  const SessionRules& rules = *session.rules;
  for (ToolDefinition& tool : tools) {
    if (!rules.policy->ShowsTool(tool.name, gateway.clock.Now())) continue;
    if (named.size() < ToolLook::kMaxTools) named.insert(ToolLook::KeyOf(tool.name));
    Keep(gateway, session, connection, std::move(tool), *rules.snapshot);
  }
  if (rules.snapshot->PinModeOf(server) != PinMode::kIgnore)
    gateway.tool_pins.ReportNews(server, *rules.snapshot);
}

SeenDefinition DefinitionOf(McpConnection& connection, const ClientMessage& call) {
  return call.method == "tools/call" ? connection.tool_look().Find(call.target) : nullptr;
}

}  // namespace sallyport::agent
