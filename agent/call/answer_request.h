#pragma once

#include <memory>
#include <optional>

#include "agent/call/call.h"
#include "agent/call/gateway.h"
#include "agent/loop/task.h"

// The stages of a request of a live session, from what policy says of it to its answer.
namespace sallyport::agent {

// Registers a request with its MCP session for as long as it is open. At most 128 are open in all
// MCP sessions of a session together.
class RegisteredRequest {
 public:
  RegisteredRequest(ServedSession& session, McpConnection& connection, OpenRequest& request);
  ~RegisteredRequest();
  RegisteredRequest(const RegisteredRequest&) = delete;
  RegisteredRequest& operator=(const RegisteredRequest&) = delete;
  // limit_exceeded: too many are open. message_invalid: one of its id is.
  const absl::Status& status() const { return status_; }

 private:
  ServedSession& session_;
  McpConnection& connection_;
  OpenRequest& request_;
  absl::Status status_;
};

// From a request's arrival to its answer.
Task<void> AnswerRequest(Gateway& gateway, GrantedCall call,
                         std::shared_ptr<const ClientMessage> message);

// All stages of a request that is registered. The call, once a person has been asked, where it is
// to wait as a task.
Task<std::optional<AskedCall>> PassStages(Gateway& gateway, GrantedCall call,
                                          std::shared_ptr<const ClientMessage> message,
                                          OpenRequest& request);
// The stages that are left once the approval has been asked for.
Task<void> PassOn(Gateway& gateway, AskedCall call, OpenRequest& request);

}  // namespace sallyport::agent
