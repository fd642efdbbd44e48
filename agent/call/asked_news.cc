#include "agent/call/asked_news.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "agent/mcp/json_index.h"
#include "agent/session/mcp_session.h"
#include "agent/upstream/rpc_id.h"

namespace sallyport::agent {
namespace {

constexpr std::string_view kUpdated = "notifications/resources/updated";
constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kChanges = {{
    {"notifications/tools/list_changed", "toolsListChanged"},
    {"notifications/prompts/list_changed", "promptsListChanged"},
    {"notifications/resources/list_changed", "resourcesListChanged"},
}};

}  // namespace

bool IsAskedFor(const ClientMessage& listen, const UpstreamMessage& news) {
  const std::string& subscription = news.subscription_id.text();
  if (!subscription.empty() && CanonicalId(subscription) != CanonicalId(listen.id)) return false;
  if (news.method == "notifications/message") return listen.modern.asks_for_logs;
  const auto change =
      std::ranges::find_if(kChanges, [&](const auto& one) { return one.first == news.method; });
  if (change == kChanges.end() && news.method != kUpdated) return true;
  JsonIndex index;
  const JsonLimits limits{.max_bytes = listen.bytes.size()};
  if (index.Parse(listen.bytes, limits) != JsonError::kNone) return false;
  const JsonNode* const asked =
      index.Member(index.Member(&index.root(), "params"), "notifications");
  if (change != kChanges.end()) {
    const JsonNode* const wants = index.Member(asked, change->second);
    return wants != nullptr && wants->type == JsonType::kTrue;
  }
  const JsonNode* const uris = index.Member(asked, "resourceSubscriptions");
  if (uris == nullptr) return false;
  for (const JsonNode& uri : index.Children(*uris)) {
    if (uri.is_string() && IsPartOf(news.target.text(), uri.text)) return true;
  }
  return false;
}

}  // namespace sallyport::agent
