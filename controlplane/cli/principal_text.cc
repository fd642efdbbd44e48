#include "controlplane/cli/principal_text.h"

#include "absl/strings/str_cat.h"

namespace sallyport::controlplane {

std::string PrincipalText(const types::v1::Principal& principal) {
  const bool is_named_by_client =
      principal.kind() == types::v1::PRINCIPAL_KIND_SERVICE && !principal.client_id().empty();
  return absl::StrCat(principal.realm(), ":",
                      is_named_by_client ? principal.client_id() : principal.subject());
}

}  // namespace sallyport::controlplane
