#pragma once

#include "agent/loop/task.h"

namespace sallyport::agent {

class ClientConnection;

// What answers the requests of a listener's connections: the MCP endpoint, and the local one for
// health and metrics.
class HttpService {
 public:
  virtual ~HttpService() = default;

  // The head of a request has arrived, its body has not. Gives the connection's reply exactly one
  // answer; may read the body first.
  virtual Task<void> Serve(ClientConnection& connection) = 0;
};

}  // namespace sallyport::agent
