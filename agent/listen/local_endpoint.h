#pragma once

#include <string>

#include "agent/call/gateway.h"
#include "agent/listen/client_connection.h"
#include "agent/listen/http_listener.h"
#include "agent/listen/http_service.h"
#include "agent/record/uploader.h"

namespace sallyport::agent {

// The second listener, for the machine's own supervisors: /healthz (the program runs), /readyz (it
// has policies, a working recorder whose records are taken, and is not shutting down) and /metrics
// (Prometheus text). Tells no names of principals, servers or sessions.
class LocalEndpoint final : public HttpService {
 public:
  // References outlive the endpoint.
  LocalEndpoint(Gateway& gateway, const HttpListener& clients, const Uploader& uploader)
      : gateway_(gateway), clients_(clients), uploader_(uploader) {}

  Task<void> Serve(ClientConnection& connection) override;
  void OnBadHead(const ClientConnection&, HttpError) override {}

 private:
  std::string NotReadyBecause() const;
  std::string ReadyText() const;
  std::string MetricsText() const;

  Gateway& gateway_;
  const HttpListener& clients_;
  const Uploader& uploader_;
};

}  // namespace sallyport::agent
