#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "sallyport/types/v1/approval.pb.h"

namespace sallyport::controlplane {

// A human decision on a session or on one call, and the only ways in which it changes:
//
//   pending --Decide--> approved --Consume--> consumed
//      |  \--Decide--> denied  \--Expire, Withdraw, Revoke--> expired, withdrawn, revoked
//      \--Expire, Withdraw--> expired, withdrawn
//
// It is approved once `count` distinct people have said so; one who says no has denied it.
// Each transition returns kFailedPrecondition with the reason for it, and changes nothing, from any
// other state.
class Approval {
 public:
  // As it was stored.
  struct Stored {
    types::v1::Approval proto;
    std::string agent;        // of a call; empty for a session's
    std::string call_digest;  // tells an identical call in all sessions; empty: there is none
    std::string call_id;      // what consumed it
    int64_t revision = 0;
  };

  // A new one: pending. `proto` has everything but the state.
  static Approval Pending(types::v1::Approval proto, std::string agent,
                          std::string call_digest = {});
  explicit Approval(Stored stored) : stored_(std::move(stored)) {}
  const Stored& stored() const { return stored_; }

  const types::v1::Approval& proto() const { return stored_.proto; }
  const std::string& id() const { return stored_.proto.id(); }
  types::v1::ApprovalState state() const { return stored_.proto.state(); }
  bool is_for_call() const { return !stored_.proto.method().empty(); }
  bool is_open() const {
    return state() == types::v1::APPROVAL_STATE_PENDING ||
           state() == types::v1::APPROVAL_STATE_APPROVED;
  }
  absl::Time expires_at() const;

  // So many people must approve, where that is more than so far: while it is pending.
  void AskMore(uint32_t count);
  // For how long the session is asked for. False, and nothing has changed: it is no shorter than
  // what the approvers have been told.
  bool Shorten(absl::Duration duration);
  // By somebody who is eligible (controlplane/access says who). APPROVAL_EXPIRED when it is too
  // late, APPROVER_NOT_ELIGIBLE for the second approval of one person, APPROVAL_CONSUMED where it
  // has been approved by as many as it takes.
  absl::Status Decide(const types::v1::Principal& by, bool approve, std::string_view reason,
                      absl::Time now);
  // Uses it up for `call_id`; once more for the same is OK. APPROVAL_CONSUMED for any other.
  absl::Status Consume(std::string_view call_id, absl::Time now);
  absl::Status Expire(absl::Time now);
  absl::Status Withdraw();
  // Takes a granted one back before it is used. APPROVAL_PENDING for one that is not granted: that
  // is denied.
  absl::Status Revoke(std::string_view by, std::string_view reason, absl::Time now);

  // Why nobody has been told of it; empty: somebody has.
  void SetNoticeAlarm(std::string_view why) { stored_.proto.set_notice_alarm(std::string(why)); }

  // How many distinct people have approved it.
  int approvals() const;

 private:
  // Why the state it is in allows nothing more.
  absl::Status Closed() const;

  Stored stored_;
};

}  // namespace sallyport::controlplane
