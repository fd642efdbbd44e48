#include "controlplane/model/approval.h"

#include <algorithm>
#include <utility>

#include "common/denial.h"
#include "common/policy/approvers.h"
#include "controlplane/model/proto_time.h"

namespace sallyport::controlplane {

Approval Approval::Pending(types::v1::Approval proto, std::string agent, std::string call_digest) {
  proto.set_state(types::v1::APPROVAL_STATE_PENDING);
  return Approval({.proto = std::move(proto),
                   .agent = std::move(agent),
                   .call_digest = std::move(call_digest)});
}

absl::Time Approval::expires_at() const { return FromProto(stored_.proto.expires_at()); }

absl::Status Approval::Closed() const {
  switch (state()) {
    case types::v1::APPROVAL_STATE_PENDING:
      return Denied(types::v1::DENIAL_REASON_APPROVAL_PENDING,
                    "approval " + id() + " has not been decided");
    case types::v1::APPROVAL_STATE_APPROVED:
      // Only a decision meets this one.
      return Denied(types::v1::DENIAL_REASON_APPROVAL_CONSUMED,
                    "approval " + id() + " has been approved already: nobody is asked any more");
    case types::v1::APPROVAL_STATE_DENIED:
      return WithReason(absl::FailedPreconditionError("approval " + id() + " was denied"),
                        types::v1::DENIAL_REASON_APPROVAL_DENIED);
    case types::v1::APPROVAL_STATE_EXPIRED:
      return Denied(types::v1::DENIAL_REASON_APPROVAL_EXPIRED, "approval " + id() + " has expired");
    case types::v1::APPROVAL_STATE_CONSUMED:
      return Denied(types::v1::DENIAL_REASON_APPROVAL_CONSUMED,
                    "approval " + id() + " has been used");
    case types::v1::APPROVAL_STATE_REVOKED:
      return Denied(types::v1::DENIAL_REASON_APPROVAL_REVOKED,
                    "approval " + id() + " was taken back");
    default:
      return Denied(types::v1::DENIAL_REASON_APPROVAL_REVOKED,
                    "approval " + id() + " was withdrawn");
  }
}

void Approval::AskMore(uint32_t count) {
  if (state() == types::v1::APPROVAL_STATE_PENDING && count > stored_.proto.count())
    stored_.proto.set_count(count);
}

bool Approval::Shorten(absl::Duration duration) {
  if (state() != types::v1::APPROVAL_STATE_PENDING ||
      duration >= FromProto(stored_.proto.duration())) {
    return false;
  }
  *stored_.proto.mutable_duration() = ToProto(duration);
  return true;
}

absl::Status Approval::Decide(const types::v1::Principal& by, bool approve, std::string_view reason,
                              absl::Time now) {
  if (state() != types::v1::APPROVAL_STATE_PENDING) return Closed();
  if (now >= expires_at())
    return Denied(types::v1::DENIAL_REASON_APPROVAL_EXPIRED, "approval " + id() + " has expired");
  const auto is_his_approval = [&](const types::v1::ApprovalDecision& earlier) {
    return earlier.approve() && IsSamePerson(earlier.by(), by);
  };
  if (approve && std::ranges::any_of(stored_.proto.decisions(), is_his_approval)) {
    return Denied(types::v1::DENIAL_REASON_APPROVER_NOT_ELIGIBLE,
                  "you have approved it already, and it takes another person as well");
  }
  types::v1::ApprovalDecision& decision = *stored_.proto.add_decisions();
  *decision.mutable_by() = by;
  decision.set_approve(approve);
  decision.set_reason(std::string(reason));
  *decision.mutable_at() = ToProto(now);
  if (!approve) {
    stored_.proto.set_state(types::v1::APPROVAL_STATE_DENIED);
  } else if (approvals() >= static_cast<int>(std::max(1U, stored_.proto.count()))) {
    stored_.proto.set_state(types::v1::APPROVAL_STATE_APPROVED);
  }
  // Once it is decided, nobody is to be told any more.
  if (state() != types::v1::APPROVAL_STATE_PENDING) stored_.proto.clear_notice_alarm();
  return absl::OkStatus();
}

absl::Status Approval::Consume(std::string_view call_id, absl::Time now) {
  if (call_id.empty()) return absl::InvalidArgumentError("an approval is consumed by something");
  if (state() == types::v1::APPROVAL_STATE_CONSUMED && stored_.call_id == call_id)
    return absl::OkStatus();
  if (state() != types::v1::APPROVAL_STATE_APPROVED) return Closed();
  if (now >= expires_at())
    return Denied(types::v1::DENIAL_REASON_APPROVAL_EXPIRED, "approval " + id() + " has expired");
  stored_.proto.set_state(types::v1::APPROVAL_STATE_CONSUMED);
  stored_.call_id = std::string(call_id);
  return absl::OkStatus();
}

absl::Status Approval::Expire(absl::Time now) {
  if (!is_open()) return Closed();
  if (now < expires_at())
    return absl::FailedPreconditionError("approval " + id() + " has not expired");
  stored_.proto.set_state(types::v1::APPROVAL_STATE_EXPIRED);
  return absl::OkStatus();
}

int Approval::approvals() const {
  // Nobody is in it twice: Decide sees to that.
  return static_cast<int>(std::ranges::count_if(
      stored_.proto.decisions(), [](const auto& decision) { return decision.approve(); }));
}

absl::Status Approval::Revoke(std::string_view by, std::string_view reason, absl::Time now) {
  if (state() == types::v1::APPROVAL_STATE_PENDING) {
    return Denied(types::v1::DENIAL_REASON_APPROVAL_PENDING,
                  "approval " + id() + " has not been granted: it can be denied");
  }
  if (state() != types::v1::APPROVAL_STATE_APPROVED) return Closed();
  stored_.proto.set_state(types::v1::APPROVAL_STATE_REVOKED);
  types::v1::ApprovalRevocation& revocation = *stored_.proto.mutable_revocation();
  revocation.set_by(std::string(by));
  revocation.set_reason(std::string(reason));
  *revocation.mutable_at() = ToProto(now);
  return absl::OkStatus();
}

absl::Status Approval::Withdraw() {
  if (!is_open()) return Closed();
  stored_.proto.set_state(types::v1::APPROVAL_STATE_WITHDRAWN);
  return absl::OkStatus();
}

}  // namespace sallyport::controlplane
