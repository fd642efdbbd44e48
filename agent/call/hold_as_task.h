#pragma once

#include "agent/call/call.h"
#include "agent/call/gateway.h"
#include "agent/loop/task.h"

namespace sallyport::agent {

// Whether the call may wait as a task of our own: a person must decide first, and its client has
// said that it takes one.
bool MayWaitAsTask(const AskedCall& call);

// Answers the call with a task that stands for it, and goes on with it behind that: the task waits
// for as long as its approval may, then the call is forwarded, and its answer is the task's result.
// A client that has gone before it knows of the task has taken its call back. Its request must be
// registered no more: the task takes its place among the open ones.
Task<void> HoldAsTask(Gateway& gateway, AskedCall call);

}  // namespace sallyport::agent
