#include "controlplane/access/decide_approval.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/denial.h"
#include "common/policy/approvers.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "controlplane/access/admission.h"
#include "controlplane/access/agent_session.h"
#include "controlplane/access/approved_enough.h"
#include "controlplane/access/judge_call.h"
#include "controlplane/store/approvals.h"
#include "controlplane/store/audit_log.h"
#include "controlplane/store/locks.h"
#include "controlplane/store/sessions.h"

namespace sallyport::controlplane {
namespace {

constexpr size_t kMaxReasonBytes = 1000;

absl::Status CheckEligible(const Caller& caller, const Approval& approval) {
  const PersonCaller* person = caller.person();
  if (person == nullptr || !person->may_manage) {
    return Denied(types::v1::DENIAL_REASON_APPROVER_NOT_ELIGIBLE,
                  "approvals are decided by people, each with a token of their own");
  }
  return CheckApprover(person->principal, approval.proto());
}

absl::StatusOr<Session> SessionOf(Transaction& t, const Approval& approval) {
  ASSIGN_OR_RETURN(std::optional<Session> session,
                   sessions::Find(t, approval.proto().session_id()));
  if (!session.has_value())
    return absl::DataLossError("approval " + approval.id() + " has no session");
  return *std::move(session);
}

// The terms on which the policies in force open the session, or why they do not any more.
absl::StatusOr<types::v1::EffectiveTerms> JudgeAgain(const InForce& in_force,
                                                     const Session& session, absl::Time now) {
  const types::v1::Session& proto = session.proto();
  const OpenDecision decision =
      in_force.policies->EvaluateOpen(proto.principal(), proto.server(), proto.agent(), now);
  // Its caller reads it, too, who is not to know the policies.
  if (!decision.is_allowed())
    return Denied(decision.reason, "the policies in force do not open the session any more");
  if (decision.terms.bind() == types::v1::BIND_MODE_ADDRESS && proto.client_address().empty()) {
    return Denied(types::v1::DENIAL_REASON_POLICY_CHANGED,
                  "the policies in force bind it to an address, and it was asked for from none");
  }
  return decision.terms;
}

// What the policies in force say of a call that somebody was asked about, or why nobody's yes lets
// it through any more. A condition that fails may have met what the masks cut out.
absl::StatusOr<CallDecision> JudgeAgain(const InForce& in_force, const Session& session,
                                        const types::v1::Approval& approval, absl::Time now) {
  RETURN_IF_ERROR(CheckGoesOn(session, *in_force.policies, now));
  ASSIGN_OR_RETURN(const std::vector<ArgumentPlace> cut, PlacesOf(approval.cut()));
  CallDecision decision = JudgeCall(in_force, session,
                                    {.method = approval.method(),
                                     .target = approval.tool(),
                                     .arguments = approval.arguments(),
                                     .cut = cut},
                                    now);
  const bool is_sure = cut.empty() || decision.verdict == Verdict::kHidden ||
                       decision.reason == types::v1::DENIAL_REASON_POLICY_DENIED;
  if (MayPass(decision) || !is_sure) return decision;
  return Denied(decision.reason, "the policies in force deny the call");
}

bool AsksTheSame(const CallDecision& decision, const types::v1::Approval& approval) {
  return decision.verdict == Verdict::kRequireApproval &&
         std::ranges::equal(decision.approvers, approval.approvers());
}

bool AsksTheSame(const types::v1::EffectiveTerms& terms, const types::v1::Approval& approval) {
  return terms.has_approval() &&
         std::ranges::equal(terms.approval().approvers(), approval.approvers());
}

// The policies may have come to give more than its approvers were told.
types::v1::EffectiveTerms AtMostAsTold(types::v1::EffectiveTerms terms,
                                       const types::v1::Approval& approval) {
  const uint64_t told = approval.max_calls();
  if (told != 0 && (terms.max_calls() == 0 || terms.max_calls() > told)) terms.set_max_calls(told);
  return terms;
}

absl::Status OpenApproved(WriteTransaction& t, const InForce& in_force,
                          const types::v1::EffectiveTerms& in_force_terms, Session& session,
                          Approval& approval, const Caller& caller, absl::Time now) {
  const types::v1::EffectiveTerms terms = AtMostAsTold(in_force_terms, approval.proto());
  RETURN_IF_ERROR(session.TakeTerms(terms, {in_force.version.epoch, in_force.version.version}));
  const types::v1::Session& proto = session.proto();
  ASSIGN_OR_RETURN(const Admission admission, AdmitToNewWindow(t, proto.principal(), proto.server(),
                                                               terms, session.duration(), now));
  RETURN_IF_ERROR(session.Activate(admission, now, ApprovedBy(approval.proto())));
  RETURN_IF_ERROR(sessions::Update(
      t, session, audit_log::LineOf(caller, now, "session.activate", proto.id(), approval.id())));
  return approval.Consume(proto.id(), now);
}

absl::Status DenySession(WriteTransaction& t, Session& session, const Approval& approval,
                         types::v1::DenialReason reason, std::string_view detail,
                         const Caller& caller, absl::Time now) {
  RETURN_IF_ERROR(session.Deny(reason, detail, now));
  return sessions::Update(
      t, session, audit_log::LineOf(caller, now, "session.deny", session.id(), approval.id()));
}

// Of an approval that somebody has denied.
absl::Status DenySessionOf(WriteTransaction& t, const Approval& denied, const Caller& caller,
                           absl::Time now) {
  ASSIGN_OR_RETURN(Session session, SessionOf(t, denied));
  return DenySession(t, session, denied, types::v1::DENIAL_REASON_APPROVAL_DENIED,
                     DenialWords(denied.proto()), caller, now);
}

}  // namespace

absl::StatusOr<types::v1::Approval> DecideApproval::Decide(const Caller& caller,
                                                           const std::string& id, bool approve,
                                                           const std::string& reason) {
  if (reason.size() > kMaxReasonBytes)
    return absl::InvalidArgumentError("reason is longer than 1,000 bytes");
  types::v1::Approval decided;
  RETURN_IF_ERROR(control_.Write(
      approve ? WriteFor::kCallers : WriteFor::kRevocation,
      [&](WriteTransaction& t) { return DecideIn(t, caller, id, approve, reason, decided); }));
  return decided;
}

absl::Status DecideApproval::DecideIn(WriteTransaction& t, const Caller& caller,
                                      const std::string& id, bool approve,
                                      const std::string& reason, types::v1::Approval& decided) {
  const absl::Time now = clock_.Now();
  ASSIGN_OR_RETURN(std::optional<Approval> approval, approvals::FindWhole(t, id));
  if (!approval.has_value()) return absl::NotFoundError("there is no approval " + id);
  audit_log::Line line =
      audit_log::LineOf(caller, now, approve ? "approval.approve" : "approval.deny", id, reason);
  RETURN_IF_ERROR(locks::RefuseShutOut(t, line, caller, now));
  if (const absl::Status eligible = CheckEligible(caller, *approval); !eligible.ok()) {
    return audit_log::Refuse(t, std::move(line), eligible);
  }
  // On a copy: a yes is judged by the policies in force before it counts.
  Approval tried = *approval;
  if (const absl::Status decides = tried.Decide(caller.person()->principal, approve, reason, now);
      !decides.ok()) {
    return audit_log::Refuse(t, std::move(line), decides);
  }
  absl::Status refused;
  if (!approve) {
    approval = std::move(tried);
    if (!approval->is_for_call()) RETURN_IF_ERROR(DenySessionOf(t, *approval, caller, now));
  } else if (approval->is_for_call()) {
    RETURN_IF_ERROR(ApproveCall(t, *approval, caller, reason, now, refused));
  } else {
    RETURN_IF_ERROR(ApproveSession(t, *approval, caller, reason, now, refused));
  }
  line.denial_reason = ReasonOf(refused);
  if (!refused.ok()) line.detail = std::string(refused.message());
  RETURN_IF_ERROR(approvals::Update(t, *approval));
  RETURN_IF_ERROR(audit_log::Append(t, line));
  RETURN_IF_ERROR(t.Commit());
  decided = approval->proto();
  return refused;
}

absl::Status DecideApproval::ApproveCall(WriteTransaction& t, Approval& approval,
                                         const Caller& caller, const std::string& reason,
                                         absl::Time now, absl::Status& refused) {
  ASSIGN_OR_RETURN(const Session session, SessionOf(t, approval));
  ASSIGN_OR_RETURN(const InForce in_force, policies_.In(t));
  const absl::StatusOr<CallDecision> decision =
      JudgeAgain(in_force, session, approval.proto(), now);
  refused = decision.status();
  if (!refused.ok() && ReasonOf(refused) == types::v1::DENIAL_REASON_UNSPECIFIED) return refused;
  // Of the same people, another one can still say yes.
  if (refused.ok() && AsksTheSame(*decision, approval.proto())) approval.AskMore(decision->count);
  // A yes that is refused decides nothing.
  Approval decided = approval;
  RETURN_IF_ERROR(decided.Decide(caller.person()->principal, true, reason, now));
  const bool is_granted = decided.state() == types::v1::APPROVAL_STATE_APPROVED;
  if (refused.ok() && is_granted && decision->verdict == Verdict::kRequireApproval) {
    refused = CheckApprovedEnough(decided.proto(), decision->approvers, decision->count,
                                  *in_force.policies, now);
  }
  if (refused.ok()) {
    approval = std::move(decided);
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(approval.Withdraw());
  RETURN_IF_ERROR(
      audit_log::Append(t, audit_log::LineOf(caller, now, "approval.withdraw", approval.id(),
                                             std::string(refused.message()))));
  refused = Denied(ReasonOf(refused),
                   absl::StrCat(refused.message(), "; approval ", approval.id(), " is withdrawn"));
  return absl::OkStatus();
}

absl::Status DecideApproval::ApproveSession(WriteTransaction& t, Approval& approval,
                                            const Caller& caller, const std::string& reason,
                                            absl::Time now, absl::Status& refused) {
  ASSIGN_OR_RETURN(Session session, SessionOf(t, approval));
  ASSIGN_OR_RETURN(const InForce in_force, policies_.In(t));
  const auto terms = JudgeAgain(in_force, session, now);
  refused = terms.status();
  if (refused.ok() && AsksTheSame(*terms, approval.proto()))
    approval.AskMore(terms->approval().count());
  RETURN_IF_ERROR(approval.Decide(caller.person()->principal, true, reason, now));
  // One yes of several decides nothing yet.
  if (refused.ok() && approval.state() == types::v1::APPROVAL_STATE_PENDING)
    return absl::OkStatus();
  if (refused.ok() && terms->has_approval()) {
    const auto& approvers = terms->approval().approvers();
    refused = CheckApprovedEnough(approval.proto(), std::vector(approvers.begin(), approvers.end()),
                                  terms->approval().count(), *in_force.policies, now);
  }
  if (refused.ok()) return OpenApproved(t, in_force, *terms, session, approval, caller, now);
  RETURN_IF_ERROR(approval.Withdraw());
  return DenySession(t, session, approval, ReasonOf(refused), ToStd(refused.message()), caller,
                     now);
}

absl::StatusOr<admin::v1::ApproveApprovalResponse> DecideApproval::Run(
    const Caller& caller, const admin::v1::ApproveApprovalRequest& request) {
  admin::v1::ApproveApprovalResponse response;
  ASSIGN_OR_RETURN(*response.mutable_approval(),
                   Decide(caller, request.id(), true, request.reason()));
  return response;
}

absl::StatusOr<admin::v1::DenyApprovalResponse> DecideApproval::Run(
    const Caller& caller, const admin::v1::DenyApprovalRequest& request) {
  if (absl::StripAsciiWhitespace(request.reason()).empty())
    return absl::InvalidArgumentError("a denial needs a reason");
  admin::v1::DenyApprovalResponse response;
  ASSIGN_OR_RETURN(*response.mutable_approval(),
                   Decide(caller, request.id(), false, request.reason()));
  return response;
}

}  // namespace sallyport::controlplane
