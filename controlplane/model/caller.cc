#include "controlplane/model/caller.h"

namespace sallyport::controlplane {

std::string PrincipalName(const types::v1::Principal& principal) {
  const char* kind = principal.kind() == types::v1::PRINCIPAL_KIND_USER ? "user:" : "service:";
  return kind + principal.realm() + ":" + principal.subject();
}

std::string ActorName(const Caller& caller) {
  if (caller.agent() != nullptr) return "agent:" + caller.agent()->name;
  if (caller.person() != nullptr) return PrincipalName(caller.person()->principal);
  if (caller.local_admin() != nullptr)
    return "local:uid=" + std::to_string(caller.local_admin()->uid);
  return "system";
}

}  // namespace sallyport::controlplane
