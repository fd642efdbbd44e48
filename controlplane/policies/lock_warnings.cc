#include "controlplane/policies/lock_warnings.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/policy/compiled_policies.h"
#include "common/status_macros.h"
#include "common/time_text.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/store/agents.h"
#include "controlplane/store/known_servers.h"
#include "controlplane/store/locks.h"

namespace sallyport::controlplane {
namespace {

// Empty: nothing is to be said of the agent that the lock names.
std::string OfAgent(const std::optional<Agent>& agent, const types::v1::LockSpec& lock) {
  if (!agent.has_value()) return absl::StrCat("there is no agent ", lock.agent());
  if (lock.server().empty() || agent->Fronts(lock.server())) return {};
  return absl::StrCat("agent ", lock.agent(), " does not front ", lock.server(),
                      ", and the lock shuts only what is both");
}

absl::StatusOr<bool> ShutsOut(const types::v1::Document& lock, const Caller& caller,
                              absl::Time now) {
  if (caller.person() == nullptr) return false;
  ASSIGN_OR_RETURN(const auto compiled, CompiledPolicies::Compile({lock}));
  return !compiled->LockOut(caller.person()->principal, now).empty();
}

}  // namespace

absl::StatusOr<std::vector<std::string>> LockWarnings(Transaction& t,
                                                      const types::v1::Document& document,
                                                      const Caller& caller, absl::Time now) {
  const types::v1::LockSpec& lock = document.lock();
  std::vector<std::string> warnings;
  ASSIGN_OR_RETURN(const bool shuts_out, ShutsOut(document, caller, now));
  if (shuts_out) {
    warnings.push_back(
        "it shuts you out as well: only another administrator, or the admin socket of the control "
        "plane's machine, opens it again");
  }
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
    std::string of_agent = OfAgent(agent, lock);
    if (!of_agent.empty()) warnings.push_back(std::move(of_agent));
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
