#include "controlplane/access/pending_session.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/store/approvals.h"
#include "controlplane/store/history.h"

namespace sallyport::controlplane {

absl::StatusOr<bool> IsStillAsked(Transaction& t, const Session& session,
                                  const OpenDecision& decision) {
  ASSIGN_OR_RETURN(const std::optional<Approval> approval,
                   approvals::Find(t, session.proto().approval_id()));
  const types::v1::ApprovalTerms& terms = decision.terms.approval();
  return approval.has_value() && decision.terms.has_approval() &&
         approval->proto().count() == terms.count() &&
         std::ranges::equal(approval->proto().approvers(), terms.approvers());
}

OpenDecision WithGlassOf(const OpenDecision& breaking, OpenDecision waiting) {
  if (waiting.break_glass.has_value()) {
    waiting.break_glass = breaking.break_glass.has_value()
                              ? std::optional(std::min(*breaking.break_glass, *waiting.break_glass))
                              : std::nullopt;
  }
  return waiting;
}

bool IsOpenedBy(const OpenDecision& decision, const Session& session) {
  return decision.is_allowed() && (decision.terms.bind() != types::v1::BIND_MODE_ADDRESS ||
                                   !session.proto().client_address().empty());
}

absl::Status AskForSession(WriteTransaction& t, const Session& session, CurrentPolicies& policies,
                           const ApprovalNotices& notices, absl::Time now) {
  const types::v1::Session& asked = session.proto();
  const types::v1::ApprovalTerms& terms = asked.terms().approval();
  types::v1::Approval proto;
  proto.set_id(asked.approval_id());
  proto.set_session_id(asked.id());
  proto.set_server(asked.server());
  *proto.mutable_principal() = asked.principal();
  *proto.mutable_approvers() = terms.approvers();
  *proto.mutable_created_at() = ToProto(now);
  *proto.mutable_expires_at() = ToProto(now + FromProto(terms.expires_after()));
  proto.set_reason(asked.reason());
  proto.set_count(terms.count());
  *proto.mutable_duration() = ToProto(session.duration());
  proto.set_max_calls(asked.terms().max_calls());
  ASSIGN_OR_RETURN(*proto.mutable_history(), history::Of(t, {.principal = asked.principal(),
                                                             .server = asked.server(),
                                                             .session_id = asked.id()}));
  ASSIGN_OR_RETURN(const InForce in_force, policies.In(t));
  const std::vector<std::string> owners = in_force.policies->OwnersOf(asked.principal());
  proto.mutable_owners()->Assign(owners.begin(), owners.end());
  const Approval approval = Approval::Pending(std::move(proto), "");
  RETURN_IF_ERROR(approvals::Insert(t, approval));
  return notices.Enqueue(t, approval, now);
}

}  // namespace sallyport::controlplane
