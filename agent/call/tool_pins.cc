#include "agent/call/tool_pins.h"

#include <algorithm>
#include <utility>

#include "common/log.h"

namespace sallyport::agent {
namespace {

constexpr std::size_t kMaxTools = 4096;
constexpr std::size_t kMaxKeptBytes = 16u << 20;
constexpr absl::Duration kReportAgain = absl::Minutes(1);
constexpr int kMaxReported = 1000;
constexpr std::size_t kMaxReportBytes = 8u << 20;

}  // namespace

bool ToolPins::See(const std::string& server, ToolDefinition definition,
                   const AgentSnapshot& snapshot) {
  Server& of = servers_[server];
  auto place = of.tools.find(definition.name);
  if (place == of.tools.end()) {
    if (of.tools.size() >= kMaxTools && snapshot.PinOf(server, definition.name) == nullptr)
      return false;
    place = of.tools.emplace(definition.name, Seen{.first_hash = definition.hash}).first;
  }
  ToolDefinition& known = place->second.definition;
  if (known.hash == definition.hash) return true;
  of.kept_bytes -= known.json.size();
  const bool is_kept = definition.json.size() <= kMaxDefinitionBytes &&
                       of.kept_bytes + definition.json.size() <= kMaxKeptBytes;
  if (!is_kept) definition.json.clear();
  of.kept_bytes += definition.json.size();
  known = std::move(definition);
  return true;
}

void ToolPins::ReportNews(const std::string& server, const AgentSnapshot& snapshot) {
  const auto of = servers_.find(server);
  if (of == servers_.end()) return;
  std::vector<std::string> news;
  const absl::Duration now = clock_.SinceBoot();
  for (auto& [name, seen] : of->second.tools) {
    const ToolPin* pin = snapshot.PinOf(server, name);
    const bool is_known =
        pin != nullptr && pin->definition_hash == seen.definition.hash && !pin->is_changed;
    const bool is_told =
        seen.reported_hash == seen.definition.hash && now - seen.reported_at < kReportAgain;
    if (is_known || is_told) continue;
    seen.reported_hash = seen.definition.hash;
    seen.reported_at = now;
    news.push_back(name);
  }
  if (!news.empty()) loop_.Spawn(Report(server, std::move(news)));
}

Task<void> ToolPins::Report(std::string server, std::vector<std::string> tools) {
  v1::ReportToolsRequest request;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < tools.size(); ++i) {
    Seen& seen = servers_[server].tools[tools[i]];
    v1::SeenTool& reported = *request.add_tools();
    reported.set_name(tools[i]);
    reported.set_definition_hash(seen.definition.hash);
    reported.set_definition(seen.definition.json);
    bytes += seen.definition.json.size();
    const bool is_full = request.tools_size() == kMaxReported || bytes >= kMaxReportBytes;
    if (!is_full && i + 1 < tools.size()) continue;
    request.set_server(server);
    const auto response = co_await client_.Report(std::exchange(request, {}));
    bytes = 0;
    if (response.ok()) continue;
    LogWarning("tools_not_reported", {{"server", server}, {"error", response.status()}});
    // At the next list they are news again.
    for (const std::string& name : tools) servers_[server].tools[name].reported_hash.clear();
    co_return;
  }
}

bool ToolPins::IsFull(std::string_view server) const {
  const auto of = servers_.find(server);
  return of != servers_.end() && of->second.tools.size() >= kMaxTools;
}

const ToolPins::Seen* ToolPins::FindSeen(std::string_view server, std::string_view tool) const {
  const auto of = servers_.find(server);
  if (of == servers_.end()) return nullptr;
  const auto place = of->second.tools.find(tool);
  return place == of->second.tools.end() ? nullptr : &place->second;
}

bool ToolPins::IsChanged(const AgentSnapshot& snapshot, std::string_view server,
                         std::string_view tool) const {
  const Seen* seen = FindSeen(server, tool);
  if (const ToolPin* pin = snapshot.PinOf(server, tool)) {
    return seen == nullptr ? pin->is_changed : seen->definition.hash != pin->definition_hash;
  }
  if (seen == nullptr) return IsFull(server);
  return seen->definition.hash != seen->first_hash;
}

bool ToolPins::IsReliedOn(const AgentSnapshot& snapshot, std::string_view server,
                          std::string_view tool) const {
  return snapshot.PinOf(server, tool) != nullptr || FindSeen(server, tool) != nullptr;
}

const ToolDefinition* ToolPins::Find(std::string_view server, std::string_view tool) const {
  const Seen* seen = FindSeen(server, tool);
  return seen == nullptr ? nullptr : &seen->definition;
}

ToolPins::Listener::Listener(ToolPins& pins, Signal& changed) : pins_(pins), changed_(changed) {
  pins_.listeners_.push_back(&changed_);
}

ToolPins::Listener::~Listener() { std::erase(pins_.listeners_, &changed_); }

void ToolPins::Changed() {
  for (Signal* listener : listeners_) listener->Set();
}

}  // namespace sallyport::agent
