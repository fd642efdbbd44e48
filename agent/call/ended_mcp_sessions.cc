#include "agent/call/ended_mcp_sessions.h"

#include <algorithm>

namespace sallyport::agent {

EndedMcpSessions::Block& EndedMcpSessions::BlockFor(std::size_t bytes) {
  if (!blocks_.empty() && blocks_.back().text.capacity() - blocks_.back().text.size() >= bytes) {
    return blocks_.back();
  }
  if (blocks_.size() >= kBlocks) {
    for (std::string_view id : blocks_.front().ids) known_.erase(id);
    blocks_.pop_front();
  }
  Block& fresh = blocks_.emplace_back();
  fresh.text.reserve(std::max(kBlockBytes, bytes));
  return fresh;
}

void EndedMcpSessions::Add(std::string_view id, const EndedMcpSession& ended) {
  Block& block = BlockFor(id.size() + ended.principal_key.size() + ended.server.size() +
                          ended.session_id.size() + ended.detail.size());
  // Never moves: there is room.
  const auto kept = [&](std::string_view text) {
    const std::size_t at = block.text.size();
    block.text.append(text);
    return std::string_view(block.text).substr(at);
  };
  const std::string_view kept_id = kept(id);
  known_[kept_id] =
      EndedMcpSession{kept(ended.principal_key), kept(ended.server), kept(ended.session_id),
                      kept(ended.detail),        ended.reason,       ended.is_used_up};
  block.ids.push_back(kept_id);
}

const EndedMcpSession* EndedMcpSessions::Find(std::string_view id) const {
  const auto place = known_.find(id);
  return place == known_.end() ? nullptr : &place->second;
}

}  // namespace sallyport::agent
