#pragma once

#include "agent/http/message.h"
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
  // The connection refuses a request by its head, of which nothing is to be believed.
  virtual void OnBadHead(const ClientConnection& connection, HttpError error) = 0;
};

}  // namespace sallyport::agent
