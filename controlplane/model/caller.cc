#include "controlplane/model/caller.h"

namespace sallyport::controlplane {

std::string PrincipalName(const types::v1::Principal& principal) {
  const char* kind = principal.kind() == types::v1::PRINCIPAL_KIND_USER ? "user:" : "service:";
  return kind + principal.realm() + ":" + principal.subject();
}

bool IsSameClient(const types::v1::Principal& a, const types::v1::Principal& b) {
  return a.realm() == b.realm() && a.kind() == b.kind() && a.subject() == b.subject() &&
         a.client_id() == b.client_id();
}

std::string ActorName(const Caller& caller) {
  if (caller.agent() != nullptr) return "agent:" + caller.agent()->name;
  if (caller.person() != nullptr) return PrincipalName(caller.person()->principal);
  if (caller.local_admin() != nullptr)
    return "local:uid=" + std::to_string(caller.local_admin()->uid);
  return caller.is_system() ? "system" : "anonymous";
}

}  // namespace sallyport::controlplane
