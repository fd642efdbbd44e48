#include "controlplane/policies/lock_warnings.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/time_text.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/store/agents.h"
#include "controlplane/store/known_servers.h"
#include "controlplane/store/locks.h"

namespace sallyport::controlplane {

absl::StatusOr<std::vector<std::string>> LockWarnings(Transaction& t,
                                                      const types::v1::LockSpec& lock,
                                                      absl::Time now) {
  std::vector<std::string> warnings;
  if (lock.has_expires() && FromProto(lock.expires()) <= now) {
    warnings.push_back(
        absl::StrCat("it ended at ", TimeText(FromProto(lock.expires())), " and shuts nothing"));
  }
  if (!lock.server().empty()) {
    ASSIGN_OR_RETURN(const std::vector<std::string> known, known_servers::All(t));
    std::string unknown = known_servers::WhyUnknown(known, lock.server());
    if (!unknown.empty()) warnings.push_back(std::move(unknown));
  }
  if (!lock.agent().empty()) {
    ASSIGN_OR_RETURN(const std::optional<Agent> agent, agents::Find(t, lock.agent()));
    if (!agent.has_value()) warnings.push_back(absl::StrCat("there is no agent ", lock.agent()));
  }
  const types::v1::LockedPrincipal& who = lock.principal();
  for (const std::string& name : {who.name(), who.subject(), who.client_id()}) {
    if (name.empty()) continue;
    ASSIGN_OR_RETURN(const bool is_known, locks::KnowsName(t, who.realm(), name));
    if (!is_known) {
      warnings.push_back(absl::StrCat("nobody called ", who.realm(), ":", name,
                                      " has ever had a session or done anything here"));
    }
  }
  return warnings;
}

}  // namespace sallyport::controlplane
