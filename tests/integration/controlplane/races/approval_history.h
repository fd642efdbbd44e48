#pragma once

#include <map>
#include <string>
#include <vector>

#include "controlplane/store/database.h"

namespace sallyport::controlplane {

// What has become of approvals, counted from the records alone: the audit log, the calls that were
// let through, and the approvals as they stand. Each sentence is a rule that is broken; none: every
// approval has exactly one outcome, and passed one call at most.
std::vector<std::string> BrokenRules(Transaction& t);

// How many approvals stand in which state, by the state's word, and how many calls were let
// through.
struct Outcomes {
  std::map<std::string, int> approvals;
  int calls = 0;
};
Outcomes OutcomesOf(Transaction& t);

}  // namespace sallyport::controlplane
