#pragma once

#include <functional>
#include <string>

#include "agent/call/gateway.h"
#include "agent/listen/client_connection.h"
#include "agent/listen/http_listener.h"
#include "agent/listen/http_service.h"

namespace sallyport::agent {

// The second listener, for the machine's own supervisors: /healthz (the program runs), /readyz (it
// has policies, a working recorder and is not shutting down) and /metrics (Prometheus text). Tells
// no names of principals, servers or sessions.
class LocalEndpoint final : public HttpService {
 public:
  // References outlive the endpoint. `shipped`: the count of records that the control plane has
  // acknowledged.
  LocalEndpoint(Gateway& gateway, const HttpListener& clients,
                std::function<std::uint64_t()> shipped)
      : gateway_(gateway), clients_(clients), shipped_(std::move(shipped)) {}

  Task<void> Serve(ClientConnection& connection) override;

 private:
  std::string NotReadyBecause() const;
  std::string MetricsText() const;

  Gateway& gateway_;
  const HttpListener& clients_;
  std::function<std::uint64_t()> shipped_;
};

}  // namespace sallyport::agent
