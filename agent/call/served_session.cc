#include "agent/call/served_session.h"

#include <algorithm>
#include <utility>

#include "agent/session/session_key.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

constexpr std::size_t kMaxQueued = 256;
constexpr std::size_t kMaxQueuedBytes = std::size_t{4} << 20;

}  // namespace

void ToolLook::See(std::string_view tool, SeenDefinition definition) {
  const std::size_t key = KeyOf(tool);
  if (definition == nullptr) {
    shown_.erase(key);
  } else if (shown_.size() < kMaxTools || shown_.contains(key)) {
    shown_.insert_or_assign(key, std::move(definition));
  }
}

SeenDefinition ToolLook::Find(std::string_view tool) const {
  const auto shown = shown_.find(KeyOf(tool));
  return shown == shown_.end() || shown->second->name != tool ? nullptr : shown->second;
}

std::optional<ToolLook::Names> ToolLook::TakePage(const ListPage& page, const Names& listed) {
  Pages pages = std::exchange(pages_, {});
  if (page.cursor.empty()) {
    pages = {};
  } else if (page.cursor != pages.next_cursor) {
    return std::nullopt;
  }
  pages.listed.insert(listed.begin(), listed.end());
  pages.next_cursor = page.next_cursor;
  if (page.next_cursor.empty()) return std::move(pages.listed);
  if (pages.listed.size() < kMaxTools) pages_ = std::move(pages);
  return std::nullopt;
}

void ToolLook::Take(const Found& found, bool is_all, absl::Duration now) {
  if (is_all) {
    absl::erase_if(shown_, [&](const auto& entry) { return !found.seen.contains(entry.first); });
  }
  passed_over_ = found.passed_over;
  looked_at_ = now;
}

bool ToolLook::HasPassedOver(std::string_view tool) const {
  // Of more than are kept it may be any.
  const bool may_be = passed_over_.size() >= kMaxTools || passed_over_.contains(KeyOf(tool));
  return may_be && !tool.empty() && Find(tool) == nullptr;
}

McpConnection::McpConnection(Loop& loop, std::string id, ClientCapabilities capabilities, Era era)
    : mcp_(std::move(id)),
      capabilities_(capabilities),
      era_(era),
      record_tag_(ToHex(Sha256(mcp_.id())).substr(0, 8)),
      tool_look_(loop),
      events_(loop) {}

bool McpConnection::Begin(OpenRequest& request) {
  if (era_ == Era::kModern) request.id = std::to_string(++last_key_);
  if (!mcp_.BeginRequest(request.id)) return false;
  open_requests_.push_back(&request);
  return true;
}

void McpConnection::Finish(OpenRequest& request) {
  mcp_.FinishRequest(request.id);
  std::erase(open_requests_, &request);
}

bool McpConnection::CancelRequest(std::string_view id) {
  const auto place = std::find_if(open_requests_.begin(), open_requests_.end(),
                                  [&](const OpenRequest* request) { return request->id == id; });
  if (place == open_requests_.end()) return false;
  OpenRequest& request = **place;
  request.is_cancelled = true;
  if (request.waiting != nullptr) request.waiting->Set();
  if (request.exchange == nullptr) return false;
  request.exchange->Cancel();
  return true;
}

std::optional<UpstreamMessage> McpConnection::Queue(UpstreamMessage message) {
  if (message.bytes.size() > kMaxQueuedBytes && !has_get_stream()) return message;
  queued_bytes_ += message.bytes.size();
  queued_.push_back(std::move(message));
  WakeStream();
  if (queued_.size() > kMaxQueued || (queued_bytes_ > kMaxQueuedBytes && queued_.size() > 1)) {
    return TakeQueued();
  }
  return std::nullopt;
}

std::optional<UpstreamMessage> McpConnection::TakeQueued() {
  if (queued_.empty()) return std::nullopt;
  UpstreamMessage message = std::move(queued_.front());
  queued_.pop_front();
  queued_bytes_ -= message.bytes.size();
  return message;
}

bool McpConnection::has_get_stream() {
  const StreamLog* stream = events_.Find(0);
  return stream != nullptr && stream->has_reader();
}

void McpConnection::WakeStream() {
  if (StreamLog* stream = events_.Find(0)) stream->changed().Set();
}

void McpConnection::EndStream() {
  is_over_ = true;
  WakeStream();
  for (OpenRequest* request : open_requests_) {
    if (request->waiting != nullptr) request->waiting->Set();
  }
}

void McpConnection::CloseStreams() {
  if (has_get_stream()) {
    is_stream_closing_ = true;
    WakeStream();
  }
  for (OpenRequest* request : open_requests_) {
    if (!request->is_listening || request->exchange == nullptr || request->is_token_over) continue;
    request->is_token_over = true;
    request->exchange->Cancel();
  }
}

ServedSession::ServedSession(Loop& loop, const Clock& clock, SessionFacts facts, std::string key)
    : key_(std::move(key)),
      principal_key_(PrincipalKey(facts.principal)),
      live_(loop, clock, std::move(facts)) {}

}  // namespace sallyport::agent
