#include "agent/call/ask_approval.h"

#include <string>
#include <string_view>
#include <utility>

#include "agent/call/about_approval.h"
#include "agent/call/call_digests.h"
#include "agent/call/check_shown.h"
#include "agent/call/effect_digest.h"
#include "agent/call/hold_call.h"
#include "agent/call/see_tools.h"
#include "agent/mcp/bound_params.h"
#include "common/denial.h"
#include "common/status_macros.h"

namespace sallyport::agent {
namespace {

using types::v1::Approval;

// What its approver reads in place of a definition that is not kept. It is JSON and no object, so
// that no server can define a tool that reads like it.
constexpr std::string_view kUnread =
    R"("not shown: the tool's definition is longer than 256 KiB, or more than the 16 MiB that are )"
    R"(kept of its server, or cannot be masked. Nobody can read here what is approved.")";

// The tool's definition as its approver reads it.
absl::StatusOr<std::string> ShowDefinition(Gateway& gateway, const SessionMask& mask,
                                           const ToolDefinition& tool) {
  if (tool.json.empty()) return std::string(kUnread);
  auto definition = gateway.masker.at_once().ShowJsonToApprover(tool.json, mask);
  if (!definition.ok()) {
    return Denied(types::v1::DENIAL_REASON_MASKER_BLOCKED,
                  "the tool's definition cannot be shown to an approver");
  }
  RETURN_IF_ERROR(CheckShownDefinition(*definition));
  return *std::move(definition);
}

Task<absl::StatusOr<Approval>> Request(Gateway& gateway, const JudgedCall& call,
                                       std::string digest) {
  ServedSession& session = *call.granted.session;
  const ClientMessage& message = *call.message;
  auto shown =
      co_await gateway.masker.ShowToApprover(session.principal_key(), call.message, session.mask);
  if (!shown.ok()) {
    co_return Denied(types::v1::DENIAL_REASON_MASKER_BLOCKED,
                     "the call cannot be shown to an approver");
  }
  CO_RETURN_IF_ERROR(CheckShown(*shown));
  const AgentSnapshot& snapshot = *call.granted.authenticated->snapshot;
  const std::string& server = session.facts().server;
  v1::RequestCallApprovalRequest request;
  CO_ASSIGN_OR_RETURN(*request.mutable_call_digest(), CallDigest(snapshot, server, message));
  CO_RETURN_IF_ERROR(NameEffects(snapshot, server, call.judgement->decision, request));
  request.set_session_id(session.id());
  request.set_method(message.method);
  // Who approves, and whoever else reads of it, sees it masked; the digest binds what it is.
  request.set_target(std::move(shown->target));
  request.set_arguments_digest(std::move(digest));
  request.set_arguments(std::move(shown->arguments));
  for (std::string& place : shown->cut) request.add_cut(std::move(place));
  // The true arguments were judged by these.
  request.mutable_judged_by()->set_epoch(snapshot.epoch());
  request.mutable_judged_by()->set_version(snapshot.version());
  request.set_other_params(std::move(shown->other_params));
  if (const SeenDefinition tool = DefinitionOf(*call.granted.connection, message)) {
    // One that cannot be read here is bound all the same.
    CO_ASSIGN_OR_RETURN(std::string definition, ShowDefinition(gateway, session.mask, *tool));
    request.set_definition_hash(tool->hash);
    request.set_tool_definition(std::move(definition));
  }
  co_return co_await gateway.approval_client.Request(std::move(request));
}

Task<Stage<AskedCall>> Ask(Gateway& gateway, JudgedCall call) {
  const ServedSession& session = *call.granted.session;
  auto place = TakeHeldPlace(gateway, call.granted.session);
  if (!place.ok()) co_return RefuseAbout(std::move(call), place.status(), nullptr);
  if (absl::Status shown = CheckIsAllShown(*call.message); !shown.ok()) {
    co_return RefuseAbout(std::move(call), std::move(shown), nullptr);
  }
  auto digest = ApprovalDigest(session, *call.message);
  if (!digest.ok()) co_return RefuseAbout(std::move(call), digest.status(), nullptr);
  auto approval = co_await Request(gateway, call, *digest);
  if (!approval.ok()) co_return RefuseAbout(std::move(call), approval.status(), nullptr);
  gateway.approvals.Learn(*approval, gateway.sessions);
  if (approval->state() == types::v1::APPROVAL_STATE_PENDING) {
    co_await RecordApproval(gateway, call, *approval, "asked for"_words);
  } else {
    place->Leave();
  }
  co_return AskedCall{std::move(call), std::make_shared<const Approval>(*std::move(approval)),
                      *std::move(digest), gateway.ApprovalHold(session.facts().server),
                      *std::move(place)};
}

}  // namespace

Task<Stage<AskedCall>> AskApproval(Gateway& gateway, JudgedCall call) {
  if (call.needs_approval) return Ask(gateway, std::move(call));
  return Task<Stage<AskedCall>>(AskedCall{.judged = std::move(call)});
}

}  // namespace sallyport::agent
