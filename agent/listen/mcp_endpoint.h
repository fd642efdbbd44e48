#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/call/call.h"
#include "agent/call/gateway.h"
#include "agent/listen/client_connection.h"
#include "agent/listen/http_service.h"
#include "agent/session/body_room.h"

namespace sallyport::agent {

// What clients talk to: `/{server}/mcp` and its protected resource metadata (RFC 9728), and the
// agent's own. Host and
// Origin come first, before anything of the request is believed; then the path, exactly; then the
// token; and only then is a body read.
class McpEndpoint final : public HttpService {
 public:
  struct Names {
    // `http://127.0.0.1:8443`; its authority is one of those that Host may name.
    std::string public_url;
    // Where the listener is bound: another.
    std::string listen_address;
    bool is_tls = false;
    // Origin headers that are let in beside our own: the public URL's, and a loopback listener's
    // under the names that Host may have. A request without one comes from no browser.
    std::vector<std::string> allowed_origins;
  };

  // `gateway` outlives the endpoint.
  McpEndpoint(Gateway& gateway, Names names);

  Task<void> Serve(ClientConnection& connection) override;
  void OnBadHead(const ClientConnection& connection, HttpError error) override;

 private:
  struct OwnHost {
    std::string authority;
    UriScheme scheme = UriScheme::kNone;
  };
  // A target in absolute form must also name the scheme under which that host is ours.
  bool IsOurHost(const HttpRequest& request) const;
  bool IsOriginAllowed(std::string_view origin) const;
  // What is said to whoever Authenticate refuses.
  OwnAnswer Unauthenticated(const absl::Status& why, std::string_view server) const;
  // Of `resource`, its URI.
  Task<void> ServeMetadata(ClientConnection& connection, std::string resource);
  Task<void> ServeMcp(ClientConnection& connection, std::string_view server, bool has_query);
  Task<void> ServePost(ClientConnection& connection, IncomingCall incoming, AuthenticatedCall call);

  Gateway& gateway_;
  BodyRoom bodies_;
  std::vector<OwnHost> hosts_;
  std::vector<std::string> own_origins_;
  std::vector<std::string> allowed_origins_;
};

}  // namespace sallyport::agent
