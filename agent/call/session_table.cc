#include "agent/call/session_table.h"

#include <algorithm>
#include <utility>

namespace sallyport::agent {
ServedSession& SessionTable::Add(std::unique_ptr<ServedSession> session) {
  ServedSession& added = *session;
  by_key_[added.key()].push_back(&added);
  by_id_[added.id()] = std::move(session);
  return added;
}

ServedSession* SessionTable::Find(std::string_view session_key,
                                  std::string_view client_address) const {
  const auto place = by_key_.find(session_key);
  if (place == by_key_.end()) return nullptr;
  for (ServedSession* session : place->second) {
    if (session->live().is_ended()) continue;
    const std::string& bound = session->facts().client_address;
    if (bound.empty() || bound == client_address) return session;
  }
  return nullptr;
}

ServedSession* SessionTable::FindById(std::string_view id) const {
  const auto place = by_id_.find(id);
  return place == by_id_.end() ? nullptr : place->second.get();
}

void SessionTable::AddConnection(ServedSession& session,
                                 std::unique_ptr<McpConnection> connection) {
  connections_[connection->mcp().id()] = Place{&session, connection.get()};
  session.connections[connection->mcp().id()] = std::move(connection);
}

SessionTable::Place SessionTable::FindConnection(std::string_view mcp_session_id) const {
  const auto place = connections_.find(mcp_session_id);
  return place == connections_.end() ? Place{} : place->second;
}

void SessionTable::EndConnection(ServedSession& session, McpConnection& connection,
                                 std::string_view detail) {
  const auto place = session.connections.find(connection.mcp().id());
  if (place == session.connections.end()) return;
  const std::string id = place->first;
  connections_.erase(id);
  session.ended_connections.push_back(std::move(place->second));
  session.connections.erase(place);
  connection.EndStream();
  ended_.Add(id,
             {.principal_key = session.principal_key(),
              .server = session.facts().server,
              .session_id = session.id(),
              .detail = detail,
              .reason = session.live().is_ended() ? session.live().end().denial_reason()
                                                  : types::v1::DENIAL_REASON_SESSION_ENDED,
              .is_used_up = session.live().is_used_up() && !session.facts().terms.has_approval()});
}

std::size_t SessionTable::connections_of(std::string_view principal_key) const {
  std::size_t count = 0;
  for (const auto& [id, session] : by_id_) {
    if (session->principal_key() == principal_key) {
      count += session->connections.size() + session->starting.size();
    }
  }
  return count;
}

std::vector<ServedSession*> SessionTable::all() const {
  std::vector<ServedSession*> sessions;
  sessions.reserve(by_id_.size());
  for (const auto& [id, session] : by_id_) sessions.push_back(session.get());
  return sessions;
}

std::size_t SessionTable::live() const {
  return static_cast<std::size_t>(
      std::count_if(by_id_.begin(), by_id_.end(),
                    [](const auto& entry) { return !entry.second->live().is_ended(); }));
}

void SessionTable::Reap() {
  for (auto place = by_id_.begin(); place != by_id_.end();) {
    ServedSession& session = *place->second;
    std::erase_if(session.ended_connections,
                  [](const auto& connection) { return !connection->is_held(); });
    if (!session.is_closed || session.is_held() || !session.ended_connections.empty()) {
      ++place;
      continue;
    }
    const auto siblings = by_key_.find(session.key());
    std::erase(siblings->second, &session);
    if (siblings->second.empty()) by_key_.erase(siblings);
    place = by_id_.erase(place);
  }
}

}  // namespace sallyport::agent
