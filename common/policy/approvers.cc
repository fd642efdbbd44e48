#include "common/policy/approvers.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/denial.h"

namespace sallyport {
namespace {

std::string NameOf(const types::v1::Principal& person) {
  return person.realm() + ":" + person.subject();
}

}  // namespace

bool IsSamePerson(const types::v1::Principal& a, const types::v1::Principal& b) {
  return a.realm() == b.realm() && a.subject() == b.subject();
}

std::string_view RealmOf(std::string_view name) {
  const std::size_t colon = name.find(':');
  return colon == std::string_view::npos ? std::string_view() : name.substr(0, colon);
}

bool IsAmong(const types::v1::Principal& principal, absl::Span<const std::string> names) {
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    // A principal's groups are of its own realm, so that no other realm's group of the same name
    // counts.
    const std::string_view realm = RealmOf(name);
    if (realm.empty() || realm != principal.realm()) return false;
    const std::string_view rest = std::string_view(name).substr(realm.size() + 1);
    if (rest.empty()) return false;
    return rest == principal.subject() ||
           std::find(principal.groups().begin(), principal.groups().end(), name) !=
               principal.groups().end();
  });
}

std::vector<std::string> ApprovedBy(const types::v1::Approval& approval) {
  std::vector<std::string> people;
  for (const types::v1::ApprovalDecision& decision : approval.decisions()) {
    if (decision.approve()) people.push_back(NameOf(decision.by()));
  }
  return people;
}

std::string DenialWords(const types::v1::Approval& approval) {
  for (const types::v1::ApprovalDecision& decision : approval.decisions()) {
    if (decision.approve()) continue;
    return absl::StrCat("denied by ", NameOf(decision.by()), decision.reason().empty() ? "" : ": ",
                        decision.reason());
  }
  return "denied";
}

absl::Status CheckApprover(const types::v1::Principal& person,
                           const types::v1::Principal& requester,
                           absl::Span<const std::string> approvers,
                           absl::Span<const std::string> owners) {
  constexpr auto kReason = types::v1::DENIAL_REASON_APPROVER_NOT_ELIGIBLE;
  if (person.kind() != types::v1::PRINCIPAL_KIND_USER) {
    return Denied(kReason, "only a person can decide, not a service");
  }
  if (IsSamePerson(person, requester)) {
    return Denied(kReason, "nobody decides on a request of their own");
  }
  if (IsAmong(person, owners)) {
    return Denied(kReason, "owners of a service do not decide on its requests");
  }
  if (!IsAmong(person, approvers)) {
    return Denied(kReason, "you are not among the approvers of this request");
  }
  return absl::OkStatus();
}

absl::Status CheckApprover(const types::v1::Principal& person,
                           const types::v1::Approval& approval) {
  return CheckApprover(person, approval.principal(),
                       std::vector(approval.approvers().begin(), approval.approvers().end()),
                       std::vector(approval.owners().begin(), approval.owners().end()));
}

}  // namespace sallyport
