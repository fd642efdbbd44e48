#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/time/time.h"
#include "agent/call/ended_mcp_sessions.h"
#include "agent/call/served_session.h"

namespace sallyport::agent {

// The sessions this agent serves, and the ways to find them. On the loop's thread.
class SessionTable {
 public:
  ServedSession& Add(std::unique_ptr<ServedSession> session);

  // The principal's live session for the server, as this address may use it. Null: none.
  ServedSession* Find(std::string_view session_key, std::string_view client_address) const;
  // Also one that has ended and is not gone yet.
  ServedSession* FindById(std::string_view id) const;

  // An MCP session that its client may use from now on.
  void AddConnection(ServedSession& session, std::unique_ptr<McpConnection> connection);
  struct Place {
    ServedSession* session = nullptr;
    McpConnection* connection = nullptr;
  };
  // The MCP session of that id. Both null: there is none. Whether it is the caller's is for the
  // caller's stage to say.
  Place FindConnection(std::string_view mcp_session_id) const;
  // No more of it; what it was is remembered for a while.
  void EndConnection(ServedSession& session, McpConnection& connection, std::string_view detail);
  // Null: never heard of, or long ago. Until the next one ends.
  const EndedMcpSession* FindEnded(std::string_view mcp_session_id) const {
    return ended_.Find(mcp_session_id);
  }

  // MCP sessions of one principal, over all its sessions.
  std::size_t connections_of(std::string_view principal_key) const;
  std::size_t connections() const { return connections_.size(); }

  // All sessions, in any order; ended ones too.
  std::vector<ServedSession*> all() const;
  std::size_t live() const;
  bool empty() const { return by_id_.empty(); }

  // Deletes what is over and held by nobody.
  void Reap();

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  template <class Value>
  using Map = std::unordered_map<std::string, Value, Hash, std::equal_to<>>;

  Map<std::unique_ptr<ServedSession>> by_id_;
  Map<std::vector<ServedSession*>> by_key_;
  Map<Place> connections_;
  EndedMcpSessions ended_;
};

}  // namespace sallyport::agent
