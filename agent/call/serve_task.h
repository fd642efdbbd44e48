#pragma once

#include <memory>

#include "agent/call/call.h"
#include "agent/call/gateway.h"
#include "agent/loop/task.h"

namespace sallyport::agent {

// Whether the request is about tasks of our own and nothing else: the server knows nothing of them.
bool IsForHeldTasks(const GrantedCall& call, const ClientMessage& request);

// Answers tasks/get, tasks/update, tasks/cancel and subscriptions/listen for them. No rule of
// policy is needed: they tell of calls that policy has judged.
Task<void> ServeTask(Gateway& gateway, GrantedCall call,
                     std::shared_ptr<const ClientMessage> request);

}  // namespace sallyport::agent
