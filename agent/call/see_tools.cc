#include "agent/call/see_tools.h"

#include <utility>

#include "agent/mcp/tool_definition.h"

namespace sallyport::agent {

namespace {

// What is kept of it, and told: for people to read, so without the secrets that the server put into
// it. Its hash stays that of what the server says. Null: it is not kept.
SeenDefinition Keep(Gateway& gateway, const ServedSession& session, McpConnection& connection,
                    ToolDefinition definition, const AgentSnapshot& snapshot) {
  const std::string& server = session.facts().server;
  if (!gateway.tool_pins.WantsText(server, definition)) {
    definition.json.clear();
  } else {
    auto shown = gateway.masker.at_once().ShowJsonToApprover(
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

LookFor LookOf(const JudgedCall& call) { return {call.judgement->rules, call.message->target}; }

bool SeeTool(Gateway& gateway, const SessionRules& rules, const ServedSession& session,
             McpConnection& connection, std::string_view name, std::string_view entry) {
  const bool is_shown = rules.policy->ShowsTool(name, gateway.clock.Now());
  if (!is_shown && connection.tool_look().Find(name) == nullptr) return false;
  const std::string& server = session.facts().server;
  const AgentSnapshot& snapshot = *rules.snapshot;
  const bool is_pinned = snapshot.PinModeOf(server) != PinMode::kIgnore;
  auto definition = ReadToolDefinition(entry);
  if (!definition.ok()) return is_shown && !is_pinned;
  const SeenDefinition seen = Keep(gateway, session, connection, *std::move(definition), snapshot);
  if (!is_shown || !is_pinned) return is_shown;
  return seen != nullptr && gateway.tool_pins.CanPin(snapshot, server, seen->name) &&
         gateway.tool_pins.IsAccepted(snapshot, server, *seen);
}

bool SeeTools(Gateway& gateway, const LookFor& look_for, const ServedSession& session,
              McpConnection& connection, const UpstreamMessage& list, ToolLook::Found& found,
              std::string& next_cursor) {
  const std::string& server = session.facts().server;
  const SessionPolicy& policy = *look_for.rules->policy;
  // The call may have waited.
  const auto snapshot = gateway.snapshots.current();
  const absl::Time now = gateway.clock.Now();
  auto definitions = ReadToolDefinitions(list, next_cursor);
  if (!definitions.ok()) return false;
  for (ToolDefinition& tool : *definitions) {
    const bool is_seen = tool.name == look_for.tool || policy.ShowsTool(tool.name, now) ||
                         connection.tool_look().Find(tool.name) != nullptr;
    ToolLook::Names& names = is_seen ? found.seen : found.passed_over;
    if (names.size() < ToolLook::kMaxTools) names.insert(ToolLook::KeyOf(tool.name));
    if (!is_seen) continue;
    Keep(gateway, session, connection, std::move(tool), *snapshot);
  }
  if (snapshot->PinModeOf(server) != PinMode::kIgnore)
    gateway.tool_pins.ReportNews(server, *snapshot);
  return true;
}

void TakeToolList(Gateway& gateway, const ServedSession& session, const ToolLook::Names& listed,
                  bool is_all) {
  gateway.tool_pins.TakeList(
      session.facts().server, *gateway.snapshots.current(),
      [&](std::string_view tool) { return listed.contains(ToolLook::KeyOf(tool)); },
      is_all && listed.size() < ToolLook::kMaxTools);
}

SeenDefinition DefinitionOf(McpConnection& connection, const ClientMessage& call) {
  return call.method == "tools/call" ? connection.tool_look().Find(call.target) : nullptr;
}

}  // namespace sallyport::agent
