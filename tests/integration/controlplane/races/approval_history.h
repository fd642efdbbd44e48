#pragma once

#include <string>
#include <vector>

#include "controlplane/store/database.h"

namespace sallyport::controlplane {

// What has become of approvals, counted from the records alone: the audit log, the calls that were
// let through, and the approvals as they stand. Each sentence is a rule that is broken; none: every
// approval has exactly one outcome, and passed one call at most.
std::vector<std::string> BrokenRules(Transaction& t);

}  // namespace sallyport::controlplane
