#include "agent/mcp/methods.h"

#include <array>

namespace sallyport::agent {
namespace {

constexpr bool kNotification = true;

constexpr auto kClientMethods = std::to_array<ClientMethod>({
    {.name = "initialize", .eras = Eras::kLegacyOnly},
    {.name = "server/discover", .eras = Eras::kModernOnly},
    {.name = "ping", .eras = Eras::kLegacyOnly},
    {.name = "tools/list", .list = ListKind::kTools},
    {.name = "tools/call", .is_counted = true, .target = TargetKind::kTool},
    {.name = "resources/list", .list = ListKind::kResources},
    {.name = "resources/templates/list", .list = ListKind::kResourceTemplates},
    {.name = "resources/read", .is_counted = true, .target = TargetKind::kResource},
    {.name = "resources/subscribe", .eras = Eras::kLegacyOnly, .target = TargetKind::kResource},
    {.name = "resources/unsubscribe", .eras = Eras::kLegacyOnly, .target = TargetKind::kResource},
    {.name = "prompts/list", .list = ListKind::kPrompts},
    {.name = "prompts/get", .is_counted = true, .target = TargetKind::kPrompt},
    {.name = "completion/complete", .target = TargetKind::kCompletionRef},
    {.name = "logging/setLevel", .eras = Eras::kLegacyOnly},
    {.name = "tasks/get", .target = TargetKind::kTask},
    {.name = "tasks/result", .eras = Eras::kLegacyOnly, .target = TargetKind::kTask},
    {.name = "tasks/list", .eras = Eras::kLegacyOnly, .list = ListKind::kTasks},
    {.name = "tasks/cancel", .target = TargetKind::kTask},
    {.name = "tasks/update", .eras = Eras::kModernOnly, .target = TargetKind::kTask},
    {.name = "subscriptions/listen", .eras = Eras::kModernOnly},
    {.name = "notifications/initialized",
     .eras = Eras::kLegacyOnly,
     .is_notification = kNotification},
    {.name = "notifications/cancelled", .is_notification = kNotification},
    {.name = "notifications/progress", .eras = Eras::kLegacyOnly, .is_notification = kNotification},
    {.name = "notifications/roots/list_changed",
     .eras = Eras::kLegacyOnly,
     .is_notification = kNotification},
    {.name = "notifications/tasks/status",
     .eras = Eras::kLegacyOnly,
     .is_notification = kNotification},
});

constexpr auto kServerMethods = std::to_array<ServerMethod>({
    {.name = "ping", .eras = Eras::kLegacyOnly, .request = ServerRequestKind::kPing},
    {.name = "sampling/createMessage",
     .eras = Eras::kLegacyOnly,
     .request = ServerRequestKind::kSampling},
    {.name = "elicitation/create",
     .eras = Eras::kLegacyOnly,
     .request = ServerRequestKind::kElicitation},
    {.name = "roots/list", .eras = Eras::kLegacyOnly, .request = ServerRequestKind::kRoots},
    {.name = "tasks/get", .eras = Eras::kLegacyOnly, .request = ServerRequestKind::kTask},
    {.name = "tasks/result", .eras = Eras::kLegacyOnly, .request = ServerRequestKind::kTask},
    {.name = "tasks/list", .eras = Eras::kLegacyOnly, .request = ServerRequestKind::kTask},
    {.name = "tasks/cancel", .eras = Eras::kLegacyOnly, .request = ServerRequestKind::kTask},
    {.name = "notifications/cancelled",
     .eras = Eras::kLegacyOnly,
     .is_notification = kNotification},
    {.name = "notifications/progress", .is_notification = kNotification},
    {.name = "notifications/message", .is_notification = kNotification},
    {.name = "notifications/tools/list_changed",
     .is_notification = kNotification,
     .is_of_session = true},
    {.name = "notifications/prompts/list_changed",
     .is_notification = kNotification,
     .is_of_session = true},
    {.name = "notifications/resources/list_changed",
     .is_notification = kNotification,
     .is_of_session = true},
    {.name = "notifications/resources/updated",
     .is_notification = kNotification,
     .is_of_session = true,
     .target = TargetKind::kResource},
    {.name = "notifications/subscriptions/acknowledged",
     .eras = Eras::kModernOnly,
     .is_notification = kNotification},
    {.name = "notifications/tasks",
     .eras = Eras::kModernOnly,
     .is_notification = kNotification,
     .target = TargetKind::kTask},
    {.name = "notifications/elicitation/complete",
     .eras = Eras::kLegacyOnly,
     .is_notification = kNotification,
     .request = ServerRequestKind::kElicitation},
    {.name = "notifications/tasks/status",
     .eras = Eras::kLegacyOnly,
     .is_notification = kNotification,
     .target = TargetKind::kTask},
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
    case ServerRequestKind::kTask:
      return {};
  }
  return {};
}

}  // namespace sallyport::agent
