#include "agent/session/mcp_session.h"

#include <algorithm>

#include "common/ids.h"

namespace sallyport::agent {
namespace {

constexpr std::size_t kMaxOutstanding = 128;

bool Add(std::vector<std::string>& ids, std::string_view id) {
  if (ids.size() >= kMaxOutstanding || std::find(ids.begin(), ids.end(), id) != ids.end()) {
    return false;
  }
  ids.emplace_back(id);
  return true;
}

}  // namespace

std::string NewMcpSessionId() { return NewRandomToken(); }

bool McpSession::BeginRequest(std::string_view id) { return Add(in_flight_, id); }

bool McpSession::DeliverServerRequest(std::string_view id) { return Add(server_requests_, id); }

bool McpSession::Take(std::vector<std::string>& ids, std::string_view id) {
  auto place = std::find(ids.begin(), ids.end(), id);
  if (place == ids.end()) return false;
  std::swap(*place, ids.back());
  ids.pop_back();
  return true;
}

}  // namespace sallyport::agent
