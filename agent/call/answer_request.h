#pragma once

#include <memory>

#include "agent/call/call.h"
#include "agent/call/gateway.h"
#include "agent/loop/task.h"

// The stages of a request of a live session, from what policy says of it to its answer.
namespace sallyport::agent {

// Registers a request with its MCP session for as long as it is open.
class RegisteredRequest {
 public:
  RegisteredRequest(McpConnection& connection, OpenRequest& request)
      : connection_(connection), request_(request), is_registered_(connection.Begin(request)) {}
  ~RegisteredRequest() {
    if (is_registered_) connection_.Finish(request_);
  }
  RegisteredRequest(const RegisteredRequest&) = delete;
  RegisteredRequest& operator=(const RegisteredRequest&) = delete;
  // False: its id is in flight, or too many are.
  bool ok() const { return is_registered_; }

 private:
  McpConnection& connection_;
  OpenRequest& request_;
  bool is_registered_;
};

// From a request's arrival to its answer.
Task<void> AnswerRequest(Gateway& gateway, GrantedCall call,
                         std::shared_ptr<const ClientMessage> message);

// All stages of a request that is registered.
Task<void> PassStages(Gateway& gateway, GrantedCall call,
                      std::shared_ptr<const ClientMessage> message, OpenRequest& request);
// The stages that are left once the approval has been asked for.
Task<void> PassOn(Gateway& gateway, AskedCall call, OpenRequest& request);

}  // namespace sallyport::agent
