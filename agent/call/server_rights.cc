#include "agent/call/server_rights.h"

#include <memory>
#include <string>
#include <utility>

#include "agent/call/check_policy.h"
#include "agent/mcp/client_capabilities.h"
#include "agent/mcp/modern_result.h"

namespace sallyport::agent {
namespace {

// In force now, not when the last call came. Null: there is none.
std::shared_ptr<const SessionPolicy> PolicyNow(Gateway& gateway, ServedSession& session) {
  auto snapshot = gateway.snapshots.current();
  if (snapshot == nullptr || session.caller == nullptr) return nullptr;
  const auto rules = RulesFor(gateway, session, *session.caller, std::move(snapshot));
  return rules.ok() ? (*rules)->policy : nullptr;
}

bool MayAsk(const SessionPolicy& policy, const ClientCapabilities& capabilities,
            ServerRequestKind kind, absl::Time now) {
  if (!CanBeAsked(capabilities, kind)) return false;
  const auto allows = [&](ServerRequestKind asked) {
    return CanBeAsked(capabilities, asked) &&
           policy.EvaluateServerRequest(PolicyWord(asked), now).verdict == Verdict::kAllow;
  };
  if (kind != ServerRequestKind::kTask) return allows(kind);
  return allows(ServerRequestKind::kSampling) || allows(ServerRequestKind::kElicitation);
}

// What the client has asked to be told of, and may still know. What a modern client asked for, it
// asked for by the request that brings it.
bool MayKnow(const SessionPolicy& policy, McpConnection& connection, TargetKind kind,
             const std::string& target, absl::Time now) {
  const McpSession& mcp = connection.mcp();
  const bool is_legacy = connection.era() == Era::kLegacy;
  if (kind == TargetKind::kTask) {
    const UsableCapabilities& usable = policy.capabilities(now);
    return mcp.HasTask(target) && (is_legacy ? usable.tasks : usable.task_extension);
  }
  const CallDecision decision = policy.EvaluateCall(
      {.method = is_legacy ? "resources/subscribe" : "subscriptions/listen", .target = target},
      now);
  return MayPass(decision) && (!is_legacy || mcp.IsSubscribedTo(target));
}

// In the modern era a task asks its client in what tells of it.
bool MayAskInNews(const SessionPolicy& policy, const McpConnection& connection,
                  const UpstreamMessage& message, absl::Time now) {
  return connection.era() == Era::kLegacy ||
         CheckTaskNews(message, [&](ServerRequestKind kind) {
           return policy.EvaluateServerRequest(PolicyWord(kind), now).verdict == Verdict::kAllow;
         }).ok();
}

}  // namespace

ServerRight RightNow(Gateway& gateway, ServedSession& session, McpConnection& connection,
                     const ServerMethod& method, const UpstreamMessage& message) {
  const bool needs_request = method.request != ServerRequestKind::kNone;
  const bool needs_target = method.target != TargetKind::kNone;
  const ClientCapabilities& declared = connection.capabilities();
  const auto policy = PolicyNow(gateway, session);
  const absl::Time now = gateway.clock.Now();
  const bool is_allowed =
      policy != nullptr && !policy->is_empty() &&
      (!needs_request || MayAsk(*policy, declared, method.request, now)) &&
      (!needs_target || MayKnow(*policy, connection, method.target, message.target, now)) &&
      (method.target != TargetKind::kTask || MayAskInNews(*policy, connection, message, now));
  if (!is_allowed) return ServerRight::kNone;
  if (!needs_request) return ServerRight::kHas;
  const auto needs = NeedsOf(method, message);
  return needs && Missing(*needs, declared).empty() ? ServerRight::kHas : ServerRight::kUnfit;
}

std::optional<Observed> ObservedOf(Gateway& gateway, ServedSession& session,
                                   const UpstreamMessage& request) {
  const ServerMethod* method = FindServerMethod(request.method);
  const std::string_view word = method == nullptr ? "" : PolicyWord(method->request);
  const auto policy = word.empty() ? nullptr : PolicyNow(gateway, session);
  if (policy == nullptr) return std::nullopt;
  return policy->EvaluateServerRequest(word, gateway.clock.Now()).observed;
}

bool IsAllowedByName(Gateway& gateway, ServedSession& session, const UpstreamMessage& message) {
  if (message.shape != Shape::kNotification || FindServerMethod(message.method) != nullptr ||
      FindClientMethod(message.method) != nullptr) {
    return false;
  }
  const auto policy = PolicyNow(gateway, session);
  return policy != nullptr && !policy->is_empty() &&
         policy->EvaluateCall({.method = message.method}, gateway.clock.Now()).verdict ==
             Verdict::kAllow;
}

}  // namespace sallyport::agent
