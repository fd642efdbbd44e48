#pragma once

#include <string_view>

#include "agent/call/call.h"
#include "agent/call/gateway.h"
#include "agent/loop/task.h"

namespace sallyport::agent {

// Our own answer to a request of a live session that no server has to hear of: masked, recorded,
// written. False: it could not be, and the request has been refused.
Task<bool> AnswerOwn(Gateway& gateway, const GrantedCall& call,
                     std::shared_ptr<const ClientMessage> request, std::string_view approval_id,
                     UpstreamMessage answer);

}  // namespace sallyport::agent
