#include "controlplane/rpc/authorize.h"

#include "common/denial.h"

namespace sallyport::controlplane {
namespace {

absl::Status Refuse(std::string_view message) {
  return Denied(types::v1::DENIAL_REASON_ROLE_MISSING, message);
}

absl::Status AuthorizeManager(Who who, const PersonCaller& person) {
  if (!person.may_manage) {
    return Denied(types::v1::DENIAL_REASON_TOKEN_INVALID,
                  "the token is not for the management API: bring one whose audience is in "
                  "admin_audiences, or a sign-in token");
  }
  switch (who) {
    case Who::kManager:
      return absl::OkStatus();
    case Who::kUser:
      if (person.principal.kind() == types::v1::PRINCIPAL_KIND_USER) return absl::OkStatus();
      return Denied(types::v1::DENIAL_REASON_APPROVER_NOT_ELIGIBLE,
                    "only people decide on approvals");
    case Who::kAdmin:
      return person.is_admin ? absl::OkStatus() : Refuse("the role admin is needed");
    case Who::kAdminOrAuditor:
      return person.is_admin || person.is_auditor ? absl::OkStatus()
                                                  : Refuse("the role admin or auditor is needed");
    case Who::kAuditor:
      return person.is_auditor ? absl::OkStatus() : Refuse("the role auditor is needed");
    default:
      return Refuse("not for people");
  }
}

}  // namespace

absl::Status Authorize(Who who, const Caller& caller) {
  switch (who) {
    case Who::kNobody:
      return Refuse("this door does not serve the method");
    case Who::kAnybody:
      return absl::OkStatus();
    case Who::kAgent:
      return caller.agent() != nullptr ? absl::OkStatus() : Refuse("for agents only");
    case Who::kLocalAdmin:
      return caller.local_admin() != nullptr ? absl::OkStatus()
                                             : Refuse("for the admin socket only");
    case Who::kPerson:
      return caller.person() != nullptr ? absl::OkStatus() : Refuse("for people only");
    case Who::kCaller:
      if (caller.person() == nullptr) return Refuse("for callers only");
      if (caller.person()->may_access) return absl::OkStatus();
      return Denied(types::v1::DENIAL_REASON_TOKEN_INVALID,
                    "the token is not for access to servers: bring one whose audience is that of "
                    "an issuer entry");
    case Who::kManager:
    case Who::kUser:
    case Who::kAdmin:
    case Who::kAdminOrAuditor:
    case Who::kAuditor:
      if (caller.person() == nullptr) return Refuse("for people only");
      return AuthorizeManager(who, *caller.person());
  }
  return Refuse("not a kind of caller");
}

}  // namespace sallyport::controlplane
