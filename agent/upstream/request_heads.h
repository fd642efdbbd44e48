#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/http/head_writer.h"
#include "agent/mcp/message.h"
#include "agent/upstream/server_url.h"

namespace sallyport::agent {

// The heads of the requests to one server, built from nothing but its entry and what it said at the
// session's start. They hold its credentials: whoever is given one wipes it. Wiped itself when it
// goes. A head that would lack a field is none: an error says so, and nothing may be sent.
class RequestHeads {
 public:
  // `headers`: the configured ones, with the credentials in them.
  RequestHeads(ServerUrl url, std::vector<std::pair<std::string, std::string>> headers);
  ~RequestHeads();
  RequestHeads(const RequestHeads&) = delete;
  RequestHeads& operator=(const RequestHeads&) = delete;

  // The server's own id of the MCP session and the negotiated version, for all heads from now on.
  // Either may be empty: the field is left out.
  void SetSession(std::string id, std::string version);
  bool has_session() const { return !session_id_.empty(); }

  // `last_event_id`: of the stream that is to be taken up, if any.
  absl::StatusOr<std::string> Get(std::string_view last_event_id = {}) const;
  absl::StatusOr<std::string> Delete() const;
  absl::StatusOr<std::string> Post(std::size_t body_bytes);
  // Of a modern message, which belongs to no session and whose head repeats what it says.
  // message_too_large, naming the field: more than one can hold.
  absl::StatusOr<std::string> PostModern(const ClientMessage& message) const;
  // To another place of the same server, where there is no session id.
  absl::StatusOr<std::string> PostTo(std::string_view target, std::size_t body_bytes) const;

 private:
  HeadWriter Begin(std::string& head, std::string_view method, std::string_view target) const;

  const ServerUrl url_;
  std::vector<std::pair<std::string, std::string>> headers_;
  std::string session_id_;
  std::string version_;
  // A POST's head as far as it is the same for every call of the session; empty until it is needed.
  std::string post_head_;
};

}  // namespace sallyport::agent
