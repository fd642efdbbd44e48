#include "agent/call/about_approval.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/call/shown.h"
#include "common/denial.h"
#include "common/log.h"
#include "common/policy/approvers.h"
#include "common/time_text.h"

namespace sallyport::agent {

using types::v1::Approval;

namespace {

std::string Deadline(const Approval& approval) { return TimeText(ExpiresAt(approval)); }

bool IsGranted(const Approval& approval) {
  return std::ranges::count_if(approval.decisions(), [](const auto& decision) {
           return decision.approve();
         }) >= static_cast<std::ptrdiff_t>(std::max(1U, approval.count()));
}

}  // namespace

absl::Time ExpiresAt(const Approval& approval) {
  return absl::FromUnixSeconds(approval.expires_at().seconds()) +
         absl::Nanoseconds(approval.expires_at().nanos());
}

std::string WaitingText(const Approval& approval) {
  return absl::StrCat("Waiting for approval ", approval.id(), " by ",
                      absl::StrJoin(approval.approvers(), ", "), ", expires ", Deadline(approval));
}

absl::Status DenialOf(const Approval& approval) {
  switch (approval.state()) {
    case types::v1::APPROVAL_STATE_DENIED:
      return Denied(types::v1::DENIAL_REASON_APPROVAL_DENIED,
                    absl::StrCat("approval ", approval.id(), " was ", DenialWords(approval),
                                 "; the same call is refused, and nobody is asked again, until ",
                                 Deadline(approval)));
    case types::v1::APPROVAL_STATE_EXPIRED:
      return Denied(types::v1::DENIAL_REASON_APPROVAL_EXPIRED,
                    absl::StrCat("approval ", approval.id(), " expired before it was ",
                                 IsGranted(approval) ? "used" : "decided"));
    case types::v1::APPROVAL_STATE_WITHDRAWN:
    case types::v1::APPROVAL_STATE_REVOKED:
      return Denied(types::v1::DENIAL_REASON_APPROVAL_REVOKED,
                    absl::StrCat("approval ", approval.id(), " was taken back"));
    case types::v1::APPROVAL_STATE_CONSUMED:
      return Denied(types::v1::DENIAL_REASON_APPROVAL_CONSUMED,
                    absl::StrCat("approval ", approval.id(), " has been used by another call"));
    default:
      return absl::OkStatus();
  }
}

RefusedCall RefuseAbout(JudgedCall call, absl::Status why, const Approval* approval) {
  RefusalDetails details;
  details.policy = call.judgement->decision.policy;
  if (approval != nullptr) {
    details.approval_id = approval->id();
    details.expires_at = Deadline(*approval);
    details.approvers.assign(approval->approvers().begin(), approval->approvers().end());
  }
  return RefusedCall{std::move(call.granted), std::move(call.message), std::move(why),
                     std::move(details)};
}

bool LeaveApproval(Gateway& gateway, const Approval& approval) {
  if (gateway.approvals.IsAwaited(approval.id())) return false;
  gateway.approval_client.Withdraw(approval.id(), approval.session_id());
  return true;
}

Task<void> RecordApproval(Gateway& gateway, const JudgedCall& call, const Approval& approval,
                          ShownText detail) {
  ServedSession& session = *call.granted.session;
  const ShownRequest shown = co_await Show(gateway, session, call.message);
  EventFacts facts;
  facts.type = types::v1::RECORD_TYPE_APPROVAL;
  facts.request = &shown;
  facts.approval_id = approval.id();
  facts.approved_by = ApprovedBy(approval);
  facts.policy = call.judgement->decision.policy;
  facts.mcp_session = call.granted.connection->record_tag();
  facts.detail = std::move(detail);
  absl::Status recorded = co_await gateway.recorder.RecordEvent(*session.chain, std::move(facts));
  // The record of the call itself decides whether it may go out; without this one it is only less
  // told.
  if (!recorded.ok()) LogError("record_failed", {{"session", session.id()}, {"error", recorded}});
}

}  // namespace sallyport::agent
