#pragma once

#include "absl/status/status.h"
#include "agent/call/limit_place.h"
#include "agent/mcp/message.h"
#include "agent/session/mcp_session.h"

namespace sallyport::agent {

// What a forwarded request makes its MCP session own, so that others are told nothing of it and may
// not name it: a subscription, which counts from when the request goes out, for the server may tell
// of a change before it answers; and a task, which its answer makes.
class Claim {
 public:
  // Before the request goes out. Both outlive the claim.
  Claim(McpSession& mcp, const ClientMessage& request);

  // It did not go out.
  void Withdraw();
  // The response is there. A task that it makes takes over the call's place. upstream_invalid: it
  // makes one that cannot be told from others.
  absl::Status Settle(const UpstreamMessage& response, LimitPlace& place);

 private:
  McpSession& mcp_;
  const ClientMessage& request_;
  bool is_new_ = false;
};

}  // namespace sallyport::agent
