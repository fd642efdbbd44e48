#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sallyport::agent {

// A fresh Mcp-Session-Id: base64url of 32 random bytes, all of it visible ASCII.
// visible ASCII.
std::string NewMcpSessionId();

// What a client said at initialize that it can be asked for.
struct ClientCapabilities {
  bool sampling = false;
  bool elicitation = false;
  bool roots = false;
};

// The bookkeeping of one legacy MCP session: which request ids are in flight, and which requests of
// the server the client has been given and may answer, each once. Ids are the literals of the
// messages, so `7` and `"7"` are two.
class McpSession {
 public:
  McpSession(std::string id, ClientCapabilities capabilities)
      : id_(std::move(id)), capabilities_(capabilities) {}

  const std::string& id() const { return id_; }
  // Of the initialize response. Empty until then.
  const std::string& protocol_version() const { return protocol_version_; }
  void set_protocol_version(std::string version) { protocol_version_ = std::move(version); }
  const ClientCapabilities& capabilities() const { return capabilities_; }

  // False: the id is in flight already, or 128 others are.
  bool BeginRequest(std::string_view id);
  void FinishRequest(std::string_view id) { Take(in_flight_, id); }
  std::size_t in_flight() const { return in_flight_.size(); }

  // The client was given the server's request `id`. False: it has one of that id, or more than 128
  // unanswered.
  bool DeliverServerRequest(std::string_view id);
  // The client answers it, or the server took it back. False: nothing of that id waits for an
  // answer.
  bool TakeServerRequest(std::string_view id) { return Take(server_requests_, id); }

 private:
  static bool Take(std::vector<std::string>& ids, std::string_view id);

  std::string id_;
  ClientCapabilities capabilities_;
  std::string protocol_version_;
  // At most 128 each: a scan of short strings beats a hash table.
  std::vector<std::string> in_flight_;
  std::vector<std::string> server_requests_;
};

}  // namespace sallyport::agent
