#include "agent/call/use_approval.h"

#include <string>
#include <utility>

#include "agent/call/about_approval.h"
#include "common/ids.h"

namespace sallyport::agent {
namespace {

Task<Stage<PermittedCall>> Use(Gateway& gateway, ApprovedCall call) {
  const types::v1::Approval& approval = *call.approval;
  v1::ConsumeCallApprovalRequest consume;
  consume.set_approval_id(approval.id());
  consume.set_session_id(call.judged.granted.session->id());
  consume.set_call_id(NewRequestId());
  consume.set_arguments_digest(call.arguments_digest);
  absl::Status consumed = co_await gateway.approval_client.Consume(std::move(consume));
  if (!consumed.ok()) {
    co_return RefuseAbout(std::move(call.judged), std::move(consumed), &approval);
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
