#include "agent/call/see_tools.h"

#include <utility>

#include "agent/mcp/tool_definition.h"

namespace sallyport::agent {

namespace {

// What is kept of it, and told: for people to read, so without the secrets that the server put into
// it. Its hash stays that of what the server says.
bool Keep(Gateway& gateway, const ServedSession& session, ToolDefinition definition,
          const AgentSnapshot& snapshot) {
  const std::string& server = session.facts().server;
  const ToolDefinition* known = gateway.tool_pins.Find(server, definition.name);
  const bool is_new = known == nullptr || known->hash != definition.hash;
  if (is_new && definition.json.size() <= ToolPins::kMaxDefinitionBytes) {
    auto shown = gateway.masker.ShowJsonToApprover(
        definition.json,
        SessionMask{.plan = gateway.plan_without_session, .credentials = session.mask.credentials});
    definition.json = shown.ok() ? *std::move(shown) : std::string();
  }
  return gateway.tool_pins.See(server, std::move(definition), snapshot);
}

}  // namespace

bool SeeTool(Gateway& gateway, const SessionRules& rules, const ServedSession& session,
             McpConnection& connection, std::string_view entry) {
  const std::string& server = session.facts().server;
  const AgentSnapshot& snapshot = *rules.snapshot;
  const bool is_pinned = snapshot.PinModeOf(server) != PinMode::kIgnore;
  auto definition = ReadToolDefinition(entry);
  if (!definition.ok()) return !is_pinned;
  const std::string name = definition->name;
  const bool is_kept = Keep(gateway, session, *std::move(definition), snapshot);
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
    if (Keep(gateway, session, std::move(tool), *rules.snapshot)) ToolLook::AddTo(shown, name);
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
