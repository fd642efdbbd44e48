#include "agent/call/tool_pins.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "common/log.h"
#include "common/tool_limits.h"

namespace sallyport::agent {
namespace {

constexpr std::size_t kMaxTextBytes = 16u << 20;
// Of names and hashes. As many tools as are kept need a tenth of it, unless their names are as long
// as names may be.
constexpr std::size_t kMaxDigestBytes = 16u << 20;
constexpr absl::Duration kReportAgain = absl::Minutes(1);
// A server is warned of once in that time, however many tools it has.
constexpr absl::Duration kWarnAgain = absl::Minutes(1);
constexpr int kMaxReported = 1000;
constexpr std::size_t kMaxReportBytes = 8u << 20;

// Whether the control plane pins the tool, or could.
bool HasRoom(const AgentSnapshot& snapshot, std::string_view server, std::string_view tool) {
  return snapshot.PinOf(server, tool) != nullptr ||
         (CanBePinned(tool) && snapshot.PinsOf(server).size() < kMaxToolsOfServer);
}

std::size_t DigestBytes(const ToolDefinition& definition) {
  return sizeof(definition) + definition.name.size() + definition.hash.size();
}

bool HasRoomForText(std::size_t kept, const ToolDefinition& definition) {
  return definition.json.size() <= kMaxDefinitionBytes &&
         kept + definition.json.size() <= kMaxTextBytes;
}

}  // namespace

SeenDefinition ToolPins::Keep(const Server& of, ToolDefinition definition) {
  struct Kept {
    Kept(ToolDefinition from, std::shared_ptr<KeptBytes> bytes)
        : definition(std::move(from)), kept_bytes(std::move(bytes)) {
      kept_bytes->texts += definition.json.size();
      kept_bytes->digests += DigestBytes(definition);
    }
    ~Kept() {
      kept_bytes->texts -= definition.json.size();
      kept_bytes->digests -= DigestBytes(definition);
    }
    Kept(const Kept&) = delete;
    Kept& operator=(const Kept&) = delete;

    const ToolDefinition definition;
    const std::shared_ptr<KeptBytes> kept_bytes;
  };
  if (of.kept_bytes->digests + DigestBytes(definition) > kMaxDigestBytes) return nullptr;
  if (!HasRoomForText(of.kept_bytes->texts, definition)) definition.json.clear();
  // Its text was built piece by piece, or is another's cleared: either holds more than it says.
  definition.json.shrink_to_fit();
  const auto kept = std::make_shared<Kept>(std::move(definition), of.kept_bytes);
  return {kept, &kept->definition};
}

void ToolPins::DropTexts(const Server& of, Seen& seen) {
  if (seen.first == seen.definition) {
    seen.first.reset();
    seen.first = seen.definition = DropText(of, seen, std::move(seen.definition));
  } else {
    seen.first = DropText(of, seen, std::move(seen.first));
    seen.definition = DropText(of, seen, std::move(seen.definition));
  }
}

SeenDefinition ToolPins::DropText(const Server& of, Seen& seen, SeenDefinition definition) {
  const auto shown = std::ranges::find_if(
      seen.all, [&](const Shown& one) { return one.definition.lock() == definition; });
  ToolDefinition bare{.name = definition->name, .json = {}, .hash = definition->hash};
  definition.reset();
  if (SeenDefinition still_shown = shown->definition.lock()) return still_shown;
  // It takes the place that has just become free.
  SeenDefinition kept = Keep(of, std::move(bare));
  shown->definition = kept;
  return kept;
}

bool ToolPins::WantsText(std::string_view server, const ToolDefinition& definition) const {
  const SeenDefinition known = Find(server, definition.name, definition.hash);
  if (known != nullptr && !known->json.empty()) return false;
  const auto of = servers_.find(server);
  return HasRoomForText(of == servers_.end() ? 0 : of->second.kept_bytes->texts, definition);
}

SeenDefinition ToolPins::See(const std::string& server, ToolDefinition definition,
                             const AgentSnapshot& snapshot) {
  Server& of = servers_[server];
  const std::string name = definition.name;
  const bool is_ignored = snapshot.PinModeOf(server) == PinMode::kIgnore;
  if (!is_ignored && !CanPin(snapshot, server, name)) {
    Warn(server, CanBePinned(name) ? "the server has too many tools"
                                   : "a tool's name is empty or longer than 4 KiB");
  }
  auto place = of.tools.find(name);
  if (place == of.tools.end()) {
    const bool has_room =
        name.size() <= kMaxToolNameBytes &&
        (of.tools.size() < kMaxToolsOfServer || snapshot.PinOf(server, name) != nullptr);
    if (!has_room) return nullptr;
    place = of.tools.emplace(name, Seen{}).first;
  }
  Seen& seen = place->second;
  SeenDefinition now = Find(server, name, definition.hash);
  if (now == nullptr || (now->json.empty() && !definition.json.empty())) {
    now = Keep(of, std::move(definition));
    if (now == nullptr) {
      Warn(server, "more is known of the server's tools than is kept");
      if (seen.definition == nullptr) of.tools.erase(place);
      return nullptr;
    }
    std::erase_if(seen.all, [](const Shown& one) { return one.definition.expired(); });
    seen.all.push_back({now});
  }
  seen.definition = std::move(now);
  const bool is_first = seen.first == nullptr || seen.first->hash == seen.definition->hash;
  if (is_first || is_ignored) seen.first = seen.definition;
  for (Shown& one : seen.all) {
    const SeenDefinition shown = one.definition.lock();
    if (shown == nullptr || shown->hash != seen.definition->hash) continue;
    one.waits = !IsAccepted(snapshot, server, *seen.definition);
  }
  return seen.definition;
}

SeenDefinition ToolPins::Find(std::string_view server, std::string_view tool,
                              std::string_view hash) const {
  const Seen* seen = FindSeen(server, tool);
  if (seen == nullptr || seen->definition == nullptr) return nullptr;
  if (seen->definition->hash == hash) return seen->definition;
  for (const Shown& one : seen->all) {
    SeenDefinition definition = one.definition.lock();
    if (definition != nullptr && definition->hash == hash) return definition;
  }
  return nullptr;
}

void ToolPins::ReportNews(const std::string& server, const AgentSnapshot& snapshot) {
  const auto of = servers_.find(server);
  if (of == servers_.end()) return;
  std::vector<SeenDefinition> news;
  const absl::Duration now = clock_.SinceBoot();
  for (auto& [name, seen] : of->second.tools) {
    const ToolPin* pin = snapshot.PinOf(server, name);
    const bool is_known =
        pin != nullptr && pin->definition_hash == seen.definition->hash && !pin->is_changed;
    const bool is_told =
        seen.reported_hash == seen.definition->hash && now - seen.reported_at < kReportAgain;
    if (is_known || is_told || !HasRoom(snapshot, server, name)) continue;
    seen.reported_hash = seen.definition->hash;
    seen.reported_at = now;
    // What comes first is what it is pinned to.
    if (pin == nullptr && seen.first != seen.definition) news.push_back(seen.first);
    news.push_back(seen.definition);
  }
  if (!news.empty()) loop_.Spawn(Report(server, std::move(news)));
}

Task<void> ToolPins::Report(std::string server, std::vector<SeenDefinition> news) {
  v1::ReportToolsRequest request;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < news.size(); ++i) {
    v1::SeenTool& reported = *request.add_tools();
    reported.set_name(news[i]->name);
    reported.set_definition_hash(news[i]->hash);
    reported.set_definition(news[i]->json);
    bytes += news[i]->json.size();
    const bool is_full = request.tools_size() == kMaxReported || bytes >= kMaxReportBytes;
    if (!is_full && i + 1 < news.size()) continue;
    request.set_server(server);
    const auto response = co_await client_.Report(request);
    if (response.ok()) {
      Take(server, request, *response);
      request.Clear();
      bytes = 0;
      continue;
    }
    LogWarning("tools_not_reported", {{"server", server}, {"error", response.status()}});
    // At the next list they are news again.
    for (const auto& tool : news) {
      if (Seen* const seen = FindSeen(server, tool->name)) seen->reported_hash.clear();
    }
    co_return;
  }
}

void ToolPins::TakeList(const std::string& server, const AgentSnapshot& snapshot,
                        absl::FunctionRef<bool(std::string_view)> is_listed, bool is_all) {
  Server& of = servers_[server];
  if (is_all) {
    of.unlisted.emplace();
    for (const auto& [name, pin] : snapshot.PinsOf(server)) {
      if (!is_listed(name)) of.unlisted->push_back(name);
    }
    for (auto& [name, seen] : of.tools) {
      const bool is_told =
          snapshot.PinOf(server, name) != nullptr || !HasRoom(snapshot, server, name);
      if (is_told && !is_listed(name)) DropTexts(of, seen);
    }
  } else if (of.unlisted) {
    std::erase_if(*of.unlisted, is_listed);
  }
  if (of.unlisted != of.told_unlisted && !of.is_telling) loop_.Spawn(TellUnlisted(server));
}

Task<void> ToolPins::TellUnlisted(std::string server) {
  Server& of = servers_[server];
  of.is_telling = true;
  while (of.unlisted != of.told_unlisted) {
    const auto unlisted = of.unlisted;
    v1::ReportToolsRequest request;
    request.set_server(server);
    *request.mutable_list()->mutable_unlisted() = {unlisted->begin(), unlisted->end()};
    const auto response = co_await client_.Report(std::move(request));
    if (!response.ok()) {
      // With the next list it is told again.
      LogWarning("tool_list_not_reported", {{"server", server}, {"error", response.status()}});
      break;
    }
    of.told_unlisted = unlisted;
  }
  of.is_telling = false;
}

void ToolPins::Take(const std::string& server, const v1::ReportToolsRequest& reported,
                    const v1::ReportToolsResponse& response) {
  std::set<std::string_view> pinned;
  for (const types::v1::ToolPin& pin : response.pins()) pinned.insert(pin.name());
  bool has_refused = false;
  for (const v1::SeenTool& tool : reported.tools()) {
    const bool is_refused = !pinned.contains(tool.name());
    if (Seen* const seen = FindSeen(server, tool.name())) seen->is_refused = is_refused;
    has_refused = has_refused || is_refused;
  }
  if (has_refused) Warn(server, "the control plane pins no more of them");
}

void ToolPins::Warn(const std::string& server, const char* why) {
  absl::Duration& warned_at = servers_[server].warned_at;
  const absl::Duration now = clock_.SinceBoot();
  if (now - warned_at < kWarnAgain) return;
  warned_at = now;
  LogWarning("tools_not_pinned", {{"server", server}, {"why", why}});
}

bool ToolPins::CanPin(const AgentSnapshot& snapshot, std::string_view server,
                      std::string_view tool) const {
  if (!HasRoom(snapshot, server, tool)) return false;
  if (snapshot.PinOf(server, tool) != nullptr) return true;
  if (const Seen* seen = FindSeen(server, tool)) return !seen->is_refused;
  const auto of = servers_.find(server);
  return of == servers_.end() || of->second.tools.size() < kMaxToolsOfServer;
}

const ToolPins::Seen* ToolPins::FindSeen(std::string_view server, std::string_view tool) const {
  const auto of = servers_.find(server);
  if (of == servers_.end()) return nullptr;
  const auto place = of->second.tools.find(tool);
  return place == of->second.tools.end() ? nullptr : &place->second;
}

ToolPins::Seen* ToolPins::FindSeen(std::string_view server, std::string_view tool) {
  return const_cast<Seen*>(std::as_const(*this).FindSeen(server, tool));
}

bool ToolPins::IsAccepted(const AgentSnapshot& snapshot, std::string_view server,
                          const ToolDefinition& definition) const {
  if (const ToolPin* pin = snapshot.PinOf(server, definition.name)) {
    return definition.hash == pin->definition_hash;
  }
  const Seen* seen = FindSeen(server, definition.name);
  return seen != nullptr && definition.hash == seen->first->hash;
}

bool ToolPins::IsReliedOn(const AgentSnapshot& snapshot, std::string_view server,
                          std::string_view tool) const {
  return snapshot.PinOf(server, tool) != nullptr || FindSeen(server, tool) != nullptr;
}

ToolPins::Listener::Listener(ToolPins& pins, Signal& changed) : pins_(pins), changed_(changed) {
  pins_.listeners_.push_back(&changed_);
}

ToolPins::Listener::~Listener() { std::erase(pins_.listeners_, &changed_); }

void ToolPins::Changed() {
  for (Signal* listener : listeners_) listener->Set();
}

bool ToolPins::TakePin(Seen& seen, const ToolPin* before, const ToolPin* now) {
  if (now == nullptr) {
    if (before == nullptr) return true;
    // What is seen next is told again, as of any tool.
    seen.reported_hash.clear();
    return std::ranges::any_of(
        seen.all, [](const Shown& one) { return one.waits && !one.definition.expired(); });
  }
  for (Shown& one : seen.all) {
    const SeenDefinition definition = one.definition.lock();
    if (definition == nullptr) continue;
    const bool is_pinned = definition->hash == now->definition_hash;
    if (is_pinned) seen.first = definition;
    // What it was pinned to before was accepted, too.
    one.waits = !is_pinned && (one.waits || before == nullptr);
  }
  return true;
}

void ToolPins::TakeSnapshot(std::shared_ptr<const AgentSnapshot> snapshot) {
  // One from a backup lacks what was pinned since it was made: nobody has forgotten that.
  const bool can_tell = in_force_ != nullptr && in_force_->epoch() == snapshot->epoch();
  for (auto& [server, of] : servers_) {
    if (!can_tell) of.told_unlisted.reset();
    for (auto at = of.tools.begin(); at != of.tools.end();) {
      const ToolPin* const before = can_tell ? in_force_->PinOf(server, at->first) : nullptr;
      const bool is_kept = TakePin(at->second, before, snapshot->PinOf(server, at->first));
      at = is_kept ? std::next(at) : of.tools.erase(at);
    }
  }
  in_force_ = std::move(snapshot);
  Changed();
}

}  // namespace sallyport::agent
