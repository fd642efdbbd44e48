#pragma once

#include <memory>
#include <string_view>

#include "agent/call/call.h"
#include "agent/call/gateway.h"
#include "agent/loop/task.h"
#include "agent/mcp/message.h"

// What records and log lines show of what clients and servers say: what the masks of the session
// leave of it, and where there is no session, or it has no masks yet, what the built-in ones do.
namespace sallyport::agent {

ShownText Show(Gateway& gateway, const ServedSession& session, std::string_view text);
Task<ShownRequest> Show(Gateway& gateway, const ServedSession& session,
                        std::shared_ptr<const ClientMessage> message);
// An error that may quote its server, for a log line.
absl::Status Show(Gateway& gateway, const ServedSession& session, const absl::Status& error);
// Why that message was refused, which may quote it.
ShownText ShowWhy(Gateway& gateway, const ServedSession& session, const ClientMessage& message,
                  const ShownRequest& shown, std::string_view why);

// A refusal that belongs to no session: counted, and recorded in the agent's own chain. `caller`
// may be null; `method` empty where there is no message.
void RecordDenial(Gateway& gateway, const IncomingCall& call, const Caller* caller,
                  types::v1::DenialReason reason, std::string_view method, std::string_view detail);

}  // namespace sallyport::agent
