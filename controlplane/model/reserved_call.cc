#include "controlplane/model/reserved_call.h"

#include <utility>

#include "controlplane/model/proto_time.h"

namespace sallyport::controlplane {

ReservedCall ReservedCall::Reserved(types::v1::Call proto, std::string digest, absl::Time now) {
  proto.set_state(types::v1::CALL_STATE_RESERVED);
  *proto.mutable_reserved_at() = ToProto(now);
  return ReservedCall({.proto = std::move(proto), .digest = std::move(digest)});
}

ReservedCall ReservedCall::Unknown(types::v1::Call proto, std::string digest, absl::Time now) {
  proto.set_state(types::v1::CALL_STATE_UNKNOWN);
  *proto.mutable_reserved_at() = ToProto(now);
  *proto.mutable_settled_at() = ToProto(now);
  return ReservedCall({.proto = std::move(proto), .digest = std::move(digest)});
}

absl::Time ReservedCall::reserved_at() const { return FromProto(stored_.proto.reserved_at()); }

bool ReservedCall::IsInDoubt(bool session_is_over) const {
  return state() == types::v1::CALL_STATE_UNKNOWN ||
         (state() == types::v1::CALL_STATE_RESERVED && session_is_over);
}

absl::Status ReservedCall::Settle(types::v1::CallState to, absl::Time now) {
  if (to != types::v1::CALL_STATE_RELEASED && to != types::v1::CALL_STATE_DONE &&
      to != types::v1::CALL_STATE_UNKNOWN) {
    return absl::InvalidArgumentError("a call is settled as released, done or unknown");
  }
  if (state() == to) return absl::OkStatus();
  if (state() != types::v1::CALL_STATE_RESERVED)
    return absl::FailedPreconditionError("call " + NameOf(*this) + " has been settled otherwise");
  stored_.proto.set_state(to);
  *stored_.proto.mutable_settled_at() = ToProto(now);
  return absl::OkStatus();
}

absl::Status ReservedCall::Resolve(bool was_done, bool session_is_over, std::string_view by,
                                   std::string_view words, absl::Time now) {
  if (!IsInDoubt(session_is_over)) {
    return absl::FailedPreconditionError(
        "call " + NameOf(*this) +
        (state() == types::v1::CALL_STATE_RESERVED ? " is still under way" : " is not in doubt"));
  }
  stored_.proto.set_state(was_done ? types::v1::CALL_STATE_DONE : types::v1::CALL_STATE_RELEASED);
  stored_.proto.set_resolved_by(std::string(by));
  stored_.proto.set_resolution(std::string(words));
  *stored_.proto.mutable_settled_at() = ToProto(now);
  return absl::OkStatus();
}

std::string NameOf(const ReservedCall& call) { return call.session_id() + "/" + call.call_id(); }

std::string HowToSettle(const ReservedCall& call) {
  const std::string command = "`sallyport sessions resolve " + call.session_id() + " " +
                              call.call_id() + " --outcome done` (or not_done) settles it";
  if (call.state() != types::v1::CALL_STATE_RESERVED) return command;
  return command + ", once its agent is back or its session has ended";
}

}  // namespace sallyport::controlplane
