#include "controlplane/policies/lock_warnings.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/time_text.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/store/agents.h"
#include "controlplane/store/documents.h"
#include "controlplane/store/locks.h"

namespace sallyport::controlplane {
namespace {

absl::StatusOr<bool> KnowsServer(Transaction& t, const std::string& name) {
  ASSIGN_OR_RETURN(const std::vector<std::string> agents, agents::Fronting(t, name));
  if (!agents.empty()) return true;
  ASSIGN_OR_RETURN(const std::optional<types::v1::Document> document,
                   documents::Find(t, types::v1::DOCUMENT_KIND_SERVER, name));
  return document.has_value();
}

}  // namespace

absl::StatusOr<std::vector<std::string>> LockWarnings(Transaction& t,
                                                      const types::v1::LockSpec& lock,
                                                      absl::Time now) {
  std::vector<std::string> warnings;
  if (lock.has_expires() && FromProto(lock.expires()) <= now) {
    warnings.push_back(
        absl::StrCat("it ended at ", TimeText(FromProto(lock.expires())), " and shuts nothing"));
  }
  if (!lock.server().empty()) {
    ASSIGN_OR_RETURN(const bool is_known, KnowsServer(t, lock.server()));
    if (!is_known)
      warnings.push_back(absl::StrCat("no agent fronts a server called ", lock.server()));
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
