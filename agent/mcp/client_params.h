#pragma once

#include "absl/status/status.h"
#include "agent/mcp/message.h"
#include "agent/mcp/message_scan.h"

// For the scan of a client's message.
namespace sallyport::agent {

// What a request or a notification says in its params: what policy and the call path need of it.
absl::Status ReadClientParams(const MessageScan& scan, ClientMessage& message);

}  // namespace sallyport::agent
