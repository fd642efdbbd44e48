#include "agent/call/asked_news.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "agent/mcp/client_capabilities.h"
#include "agent/mcp/dialect.h"
#include "agent/mcp/json_index.h"
#include "agent/mcp/modern_result.h"
#include "agent/session/mcp_session.h"
#include "agent/upstream/rpc_id.h"

namespace sallyport::agent {
namespace {

constexpr std::string_view kUnasked = "the client has not asked to be told of this";
constexpr std::string_view kAcknowledged = "notifications/subscriptions/acknowledged";
constexpr std::string_view kUpdated = "notifications/resources/updated";
constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kChanges = {{
    {"notifications/tools/list_changed", "toolsListChanged"},
    {"notifications/prompts/list_changed", "promptsListChanged"},
    {"notifications/resources/list_changed", "resourcesListChanged"},
}};

// It tells of the listen as of any request: nothing of what the client listens to.
bool IsOfRequest(const UpstreamMessage& message) {
  return message.method == "notifications/message" || message.method == "notifications/progress";
}

}  // namespace

AskedNews::AskedNews(const ClientMessage& request)
    : request_(request), is_listening_(IsListening(request)) {}

std::string_view AskedNews::WhyDropped(const UpstreamMessage& message) {
  if (message.shape == Shape::kRequest) return {};
  if (is_listening_) {
    if (const std::string_view why = WhyNotHeard(message); !why.empty()) return why;
  }
  if (request_.era == Era::kModern && message.method == "notifications/tasks" &&
      !CheckDeclaredForNews(message, DeclaredBy(request_)).ok()) {
    return "the task asks for what the client of this stream has not declared";
  }
  return {};
}

std::string_view AskedNews::WhyNotHeard(const UpstreamMessage& news) {
  const std::string& subscription = news.subscription_id.text();
  if (!subscription.empty() && CanonicalId(subscription) != CanonicalId(request_.id)) {
    return "the server tells of another subscription than this stream's";
  }
  if (IsOfRequest(news)) return IsAskedFor(news) ? std::string_view() : kUnasked;
  if (subscription.empty()) return "the server tells of what it names no subscription for";
  if (news.method == kAcknowledged) {
    if (std::exchange(is_acknowledged_, true)) return "the subscription was acknowledged before";
    return {};
  }
  if (!is_acknowledged_) return "the server has not acknowledged the subscription yet";
  return IsAskedFor(news) ? std::string_view() : kUnasked;
}

bool AskedNews::IsAskedFor(const UpstreamMessage& news) const {
  if (news.method == "notifications/message") return request_.modern.asks_for_logs;
  const auto change =
      std::ranges::find_if(kChanges, [&](const auto& one) { return one.first == news.method; });
  if (change == kChanges.end() && news.method != kUpdated) return true;
  JsonIndex index;
  const JsonLimits limits{.max_bytes = request_.bytes.size()};
  if (index.Parse(request_.bytes, limits) != JsonError::kNone) return false;
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
