#pragma once

#include "absl/status/statusor.h"
#include "agent/call/call.h"
#include "agent/call/gateway.h"
#include "agent/loop/task.h"

namespace sallyport::agent {

// The response to a list with the entries that its client may see; any other one unchanged. As
// FilterList where it cannot be.
absl::StatusOr<UpstreamMessage> NarrowEntries(Gateway& gateway, const RecordedCall& call,
                                              UpstreamMessage response);

// The same for a long one: where policy alone decides, apart from the loop.
Task<absl::StatusOr<UpstreamMessage>> NarrowLongEntries(Gateway& gateway, const RecordedCall& call,
                                                        UpstreamMessage response);

}  // namespace sallyport::agent
