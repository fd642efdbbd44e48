#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace sallyport::controlplane {

struct PolicyTestResult {
  std::string name;
  bool has_passed = false;
  // Of a case that failed: what was expected and what came.
  std::string explanation;
};

// Decides the cases of a PolicyTest file against the policies it names, without a server and
// without a control plane. The error names file and line when one of the files is no good.
// `now` is when the calls are made whose case does not say. Such a case fails where it would pass
// at one time and not at another, by the week (`hours`) or because something ends (`observe_until`,
// a lock's `expires`): a test must not go by the time at which it is run.
absl::StatusOr<std::vector<PolicyTestResult>> TestPolicy(const std::string& path, absl::Time now);

}  // namespace sallyport::controlplane
