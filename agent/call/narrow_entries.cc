#include "agent/call/narrow_entries.h"

#include <memory>
#include <string>
#include <utility>

#include "agent/call/see_tools.h"
#include "agent/mcp/list_filter.h"
#include "agent/mcp/list_page.h"
#include "agent/mcp/methods.h"

namespace sallyport::agent {
namespace {

ListKind KindOf(const RecordedCall& call) {
  const ClientMethod* method = FindClientMethod(call.outbound.message().method);
  return method == nullptr ? ListKind::kNone : method->list;
}

bool IsDecidedByPolicy(ListKind kind) {
  return kind == ListKind::kPrompts || kind == ListKind::kResources ||
         kind == ListKind::kResourceTemplates;
}

bool IsShown(const SessionPolicy& policy, ListKind kind, std::string_view name, absl::Time now) {
  switch (kind) {
    case ListKind::kPrompts:
      return policy.ShowsPrompt(name, now);
    case ListKind::kResources:
      return policy.ShowsResource(name, now);
    case ListKind::kResourceTemplates:
      return policy.ShowsResourceTemplate(name, now);
    default:
      return false;
  }
}

// What a client is sent of its server's list of tools, and was sent before, may be all of it.
void TakePage(Gateway& gateway, const RecordedCall& call, const UpstreamMessage& result,
              const ToolLook::Names& listed) {
  const GrantedCall& granted = call.granted;
  const auto all =
      granted.connection->tool_look().TakePage(PageOf(call.outbound.message(), result), listed);
  TakeToolList(gateway, *granted.session, all ? *all : listed, all.has_value());
}

}  // namespace

absl::StatusOr<UpstreamMessage> NarrowEntries(Gateway& gateway, const RecordedCall& call,
                                              UpstreamMessage response) {
  const ListKind kind = KindOf(call);
  if (kind == ListKind::kNone) return response;
  const SessionRules& rules = *call.judgement->rules;
  const GrantedCall& granted = call.granted;
  const McpSession& mcp = granted.connection->mcp();
  const absl::Time now = gateway.clock.Now();
  ToolLook::Names listed;
  auto narrowed =
      FilterList(std::move(response), kind, [&](std::string_view name, std::string_view entry) {
        if (kind == ListKind::kTools) {
          if (listed.size() < ToolLook::kMaxTools) listed.insert(ToolLook::KeyOf(name));
          return SeeTool(gateway, rules, *granted.session, *granted.connection, name, entry);
        }
        return kind == ListKind::kTasks ? mcp.HasTask(name)
                                        : IsShown(*rules.policy, kind, name, now);
      });
  if (kind != ListKind::kTools || !narrowed.ok() || narrowed->is_error) return narrowed;
  const std::string& server = granted.session->facts().server;
  if (rules.snapshot->PinModeOf(server) != PinMode::kIgnore) {
    gateway.tool_pins.ReportNews(server, *rules.snapshot);
  }
  TakePage(gateway, call, *narrowed, listed);
  return narrowed;
}

Task<absl::StatusOr<UpstreamMessage>> NarrowLongEntries(Gateway& gateway, const RecordedCall& call,
                                                        UpstreamMessage response) {
  const ListKind kind = KindOf(call);
  if (!IsDecidedByPolicy(kind)) co_return NarrowEntries(gateway, call, std::move(response));
  const std::shared_ptr<const SessionPolicy> policy = call.judgement->rules->policy;
  const absl::Time now = gateway.clock.Now();
  absl::StatusOr<UpstreamMessage> narrowed = absl::UnknownError("not narrowed");
  // The room is the loop's.
  auto room = std::exchange(response.room, nullptr);
  co_await gateway.masker.RunApart(call.granted.session->principal_key(), [&] {
    narrowed = FilterList(std::move(response), kind, [&](std::string_view name, std::string_view) {
      return IsShown(*policy, kind, name, now);
    });
  });
  if (narrowed.ok()) narrowed->room = std::move(room);
  co_return narrowed;
}

}  // namespace sallyport::agent
