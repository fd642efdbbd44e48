#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "agent/mask/json_masker.h"

namespace sallyport::agent {

// message_too_large, naming the part, where the call as people see it is longer than they can be
// asked to read, or than the control plane takes.
absl::Status CheckShown(const CallForApprover& shown);
// The same of its tool's definition.
absl::Status CheckShownDefinition(std::string_view shown);

}  // namespace sallyport::agent
