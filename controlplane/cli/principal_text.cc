#include "controlplane/cli/principal_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/json_printer.h"

namespace sallyport::controlplane {

std::string PrincipalText(const types::v1::Principal& principal) {
  const bool is_named_by_client =
      principal.kind() == types::v1::PRINCIPAL_KIND_SERVICE && !principal.client_id().empty();
  return absl::StrCat(principal.realm(), ":",
                      is_named_by_client ? principal.client_id() : principal.subject());
}

std::string ClaimsText(const types::v1::Principal& principal) {
  return absl::StrJoin(
      principal.claims(), " ", [](std::string* out, const types::v1::Claim& claim) {
        absl::StrAppend(out, claim.name(), "=",
                        absl::StrJoin(claim.values(), ",",
                                      [](std::string* value, const types::v1::Scalar& scalar) {
                                        value->append(ToJson(scalar));
                                      }));
      });
}

}  // namespace sallyport::controlplane
