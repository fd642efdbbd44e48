#include "controlplane/policies/policy_warnings.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/policy/pattern.h"
#include "common/status_macros.h"
#include "common/time_text.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/store/known_servers.h"

namespace sallyport::controlplane {

absl::StatusOr<std::vector<std::string>> PolicyWarnings(Transaction& t,
                                                        const types::v1::PolicySpec& policy,
                                                        absl::Time now) {
  std::vector<std::string> warnings;
  if (policy.has_observe_until() && FromProto(policy.observe_until()) <= now) {
    warnings.push_back(absl::StrCat("its `observe_until` was over at ",
                                    TimeText(FromProto(policy.observe_until())),
                                    ": it refuses what it does not allow"));
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> known, known_servers::All(t));
  for (const std::string& pattern : policy.servers()) {
    if (pattern.find('*') == std::string::npos) {
      std::string unknown = known_servers::WhyUnknown(known, pattern);
      if (!unknown.empty()) warnings.push_back(std::move(unknown));
      continue;
    }
    const Glob glob(pattern);
    const bool names_one =
        std::ranges::any_of(known, [&](const std::string& server) { return glob.Matches(server); });
    if (!names_one && !glob.is_all()) {
      warnings.push_back(absl::StrCat("no agent fronts a server that ", pattern, " names"));
    }
  }
  return warnings;
}

}  // namespace sallyport::controlplane
