#include "agent/call/use_approval.h"

#include <string>
#include <utility>

#include "agent/call/about_approval.h"
#include "agent/call/effect_digest.h"
#include "common/ids.h"

namespace sallyport::agent {
namespace {

Task<Stage<PermittedCall>> Use(Gateway& gateway, ApprovedCall call) {
  const types::v1::Approval& approval = *call.approval;
  const ServedSession& session = *call.judged.granted.session;
  const AgentSnapshot& snapshot = *call.judged.granted.authenticated.snapshot;
  const ClientMessage& message = *call.judged.message;
  auto call_digest = CallDigest(snapshot, session.facts().server, message);
  if (!call_digest.ok()) {
    co_return RefuseAbout(std::move(call.judged), call_digest.status(), &approval);
  }
  v1::ReserveCallRequest reserve;
  reserve.set_approval_id(approval.id());
  reserve.set_session_id(session.id());
  reserve.set_call_id(NewRequestId());
  reserve.set_method(message.method);
  // As it was asked for: masked where it holds a secret. The digest binds what it is.
  reserve.set_target(approval.tool());
  reserve.set_arguments_digest(call.arguments_digest);
  reserve.set_call_digest(*std::move(call_digest));
  reserve.mutable_judged_by()->set_epoch(snapshot.epoch());
  reserve.mutable_judged_by()->set_version(snapshot.version());
  absl::Status reserved = co_await gateway.approval_client.Reserve(std::move(reserve));
  if (!reserved.ok()) {
    co_return RefuseAbout(std::move(call.judged), std::move(reserved), &approval);
  }
  co_await RecordApproval(gateway, call.judged, approval, "used"_words);
  co_return PermittedCall{std::move(call.judged), approval.id()};
}

}  // namespace

Task<Stage<PermittedCall>> UseApproval(Gateway& gateway, ApprovedCall call) {
  if (call.approval) return Use(gateway, std::move(call));
  return Task<Stage<PermittedCall>>(PermittedCall{.judged = std::move(call.judged)});
}

}  // namespace sallyport::agent
