#include "controlplane/rpc/roles.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::controlplane {
namespace {

absl::StatusOr<std::set<std::string>> Members(
    std::string_view role, const google::protobuf::RepeatedPtrField<std::string>& entries,
    const TrustedIssuers& issuers) {
  for (const std::string& entry : entries) {
    const std::size_t colon = entry.find(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == entry.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("roles.", ToAbsl(role), ": \"", entry, "\" is not of the form realm:group"));
    }
    const std::string realm = entry.substr(0, colon);
    if (!issuers.RealmHasPeople(realm)) {
      return absl::InvalidArgumentError(
          absl::StrCat("roles.", ToAbsl(role), ": nobody can sign in under the realm \"", realm,
                       "\": it needs an issuer entry of token_kind id_token, or admin_audiences"));
    }
  }
  return std::set<std::string>(entries.begin(), entries.end());
}

bool Has(const std::set<std::string>& members, const types::v1::Principal& principal) {
  if (principal.kind() == types::v1::PRINCIPAL_KIND_USER &&
      members.contains(absl::StrCat(principal.realm(), ":", principal.subject()))) {
    return true;
  }
  return std::ranges::any_of(principal.groups(),
                             [&](const std::string& group) { return members.contains(group); });
}

}  // namespace

absl::StatusOr<Roles> Roles::Create(const config::v1::Roles& config,
                                    const TrustedIssuers& issuers) {
  Roles roles;
  ASSIGN_OR_RETURN(roles.admin_, Members("admin", config.admin(), issuers));
  ASSIGN_OR_RETURN(roles.approver_, Members("approver", config.approver(), issuers));
  ASSIGN_OR_RETURN(roles.auditor_, Members("auditor", config.auditor(), issuers));
  return roles;
}

void Roles::Assign(PersonCaller& caller) const {
  caller.is_admin = Has(admin_, caller.principal);
  caller.is_approver = Has(approver_, caller.principal);
  caller.is_auditor = Has(auditor_, caller.principal);
}

}  // namespace sallyport::controlplane
