#pragma once

#include "absl/status/status.h"
#include "controlplane/model/caller.h"
#include "controlplane/rpc/method_table.h"

namespace sallyport::controlplane {

// Whether `caller` is one of those that a row of the method table names: OK, or the refusal with
// its reason. A caller of another kind of door never is.
absl::Status Authorize(Who who, const Caller& caller);

}  // namespace sallyport::controlplane
