#include "agent/mcp/methods.h"

#include <array>

namespace sallyport::agent {
namespace {

constexpr bool kNotification = true;

constexpr auto kClientMethods = std::to_array<ClientMethod>({
    {.name = "initialize", .needs_rule = false},
    {.name = "ping", .needs_rule = false},
    {.name = "tools/list", .needs_rule = false, .list = ListKind::kTools},
    {.name = "tools/call", .is_counted = true, .target = TargetKind::kTool},
    {.name = "resources/list", .needs_rule = false, .list = ListKind::kResources},
    {.name = "resources/templates/list", .needs_rule = false, .list = ListKind::kResourceTemplates},
    {.name = "resources/read", .is_counted = true, .target = TargetKind::kResource},
    {.name = "resources/subscribe", .is_served = false, .target = TargetKind::kResource},
    {.name = "resources/unsubscribe", .is_served = false, .target = TargetKind::kResource},
    {.name = "prompts/list", .needs_rule = false, .list = ListKind::kPrompts},
    {.name = "prompts/get", .is_counted = true, .target = TargetKind::kPrompt},
    {.name = "completion/complete", .target = TargetKind::kCompletionRef},
    {.name = "logging/setLevel"},
    {.name = "tasks/get", .is_served = false},
    {.name = "tasks/result", .is_served = false},
    {.name = "tasks/list", .is_served = false},
    {.name = "tasks/cancel", .is_served = false},
    {.name = "notifications/initialized", .is_notification = kNotification, .needs_rule = false},
    {.name = "notifications/cancelled", .is_notification = kNotification, .needs_rule = false},
    {.name = "notifications/progress", .is_notification = kNotification, .needs_rule = false},
    {.name = "notifications/roots/list_changed", .is_notification = kNotification},
    {.name = "notifications/tasks/status", .is_notification = kNotification, .is_served = false},
});

constexpr auto kServerMethods = std::to_array<ServerMethod>({
    {.name = "ping", .request = ServerRequestKind::kPing},
    {.name = "sampling/createMessage", .request = ServerRequestKind::kSampling},
    {.name = "elicitation/create", .request = ServerRequestKind::kElicitation},
    {.name = "roots/list", .request = ServerRequestKind::kRoots},
    {.name = "tasks/get", .is_served = false},
    {.name = "tasks/result", .is_served = false},
    {.name = "tasks/list", .is_served = false},
    {.name = "tasks/cancel", .is_served = false},
    {.name = "notifications/cancelled", .is_notification = kNotification},
    {.name = "notifications/progress", .is_notification = kNotification},
    {.name = "notifications/message", .is_notification = kNotification},
    {.name = "notifications/tools/list_changed", .is_notification = kNotification},
    {.name = "notifications/prompts/list_changed", .is_notification = kNotification},
    {.name = "notifications/resources/list_changed", .is_notification = kNotification},
    {.name = "notifications/resources/updated",
     .is_notification = kNotification,
     .is_served = false},
    {.name = "notifications/elicitation/complete",
     .is_notification = kNotification,
     .request = ServerRequestKind::kElicitation},
    {.name = "notifications/tasks/status", .is_notification = kNotification, .is_served = false},
});

template <class Table>
const typename Table::value_type* Find(const Table& table, std::string_view method) {
  for (const auto& entry : table) {
    if (entry.name == method) return &entry;
  }
  return nullptr;
}

}  // namespace

const ClientMethod* FindClientMethod(std::string_view method) {
  return Find(kClientMethods, method);
}
const ServerMethod* FindServerMethod(std::string_view method) {
  return Find(kServerMethods, method);
}

std::string_view PolicyWord(ServerRequestKind kind) {
  switch (kind) {
    case ServerRequestKind::kSampling:
      return "sampling";
    case ServerRequestKind::kElicitation:
      return "elicitation";
    case ServerRequestKind::kRoots:
      return "roots";
    case ServerRequestKind::kNone:
    case ServerRequestKind::kPing:
      return {};
  }
  return {};
}

}  // namespace sallyport::agent
