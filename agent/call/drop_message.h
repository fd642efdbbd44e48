#pragma once

#include <string>
#include <string_view>

#include "agent/call/gateway.h"
#include "agent/call/served_session.h"
#include "agent/loop/task.h"
#include "agent/mcp/message.h"
#include "sallyport/types/v1/denial.pb.h"

// What a server says and its client does not get.
namespace sallyport::agent {

// A message of the server's that goes nowhere: counted, and recorded as one of few. `method` may be
// empty.
Task<void> DropMessage(Gateway& gateway, ServedSession& session, McpConnection& connection,
                       types::v1::DenialReason reason, std::string_view method, std::string why);

}  // namespace sallyport::agent
