#include "agent/call/check_definition.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/call/about_approval.h"
#include "agent/call/check_policy.h"
#include "agent/call/hold_call.h"
#include "agent/call/join_session.h"
#include "common/denial.h"

namespace sallyport::agent {
namespace {

using Outcome = std::variant<JudgedCall, RefusedCall, AbandonedCall>;

bool IsChanged(Gateway& gateway, const JudgedCall& call, const AgentSnapshot& snapshot) {
  return gateway.tool_pins.IsChanged(snapshot, call.granted.session->facts().server,
                                     call.message->target);
}

absl::Status Changed(const JudgedCall& call) {
  return Denied(types::v1::DENIAL_REASON_DEFINITION_CHANGED,
                absl::StrCat("the definition of the tool ", call.message->target,
                             " has changed and has not been accepted; call again once an "
                             "administrator has accepted it"));
}

Task<Outcome> AwaitAcceptance(Gateway& gateway, JudgedCall call, OpenRequest& request) {
  if (absl::Status room = CheckHoldRoom(gateway, *call.granted.session); !room.ok()) {
    co_return RefuseAbout(std::move(call), std::move(room), nullptr);
  }
  Signal changed(gateway.loop);
  const ToolPins::Listener listener(gateway.tool_pins, changed);
  const std::string text =
      absl::StrCat("Waiting until an administrator accepts the changed definition of the tool ",
                   call.message->target);
  co_await HoldCall(gateway, call.granted, *call.message, request, changed,
                    {.text = text, .hold = gateway.limits.approval_hold}, [&] {
                      const auto snapshot = gateway.snapshots.current();
                      return !IsChanged(gateway, call, *snapshot);
                    });
  if (request.is_cancelled) co_return AbandonedCall{std::move(call.granted)};
  if (absl::Status live = CheckStillLive(gateway, call.granted); !live.ok()) {
    co_return RefuseAbout(std::move(call), std::move(live), nullptr);
  }
  auto judged = JudgeAgain(gateway, std::move(call));
  if (auto* refused = std::get_if<RefusedCall>(&judged)) co_return std::move(*refused);
  JudgedCall& again = std::get<JudgedCall>(judged);
  if (IsChanged(gateway, again, *again.granted.authenticated->snapshot)) {
    const absl::Status why = Changed(again);
    co_return RefuseForNow(gateway, std::move(again), why, nullptr);
  }
  co_return std::move(again);
}

// Whether the tool must be looked at before anything is said of it: what was accepted of it, or
// will be approved, may be another thing by now.
bool WantsLook(const Gateway& gateway, const JudgedCall& call, const AgentSnapshot& snapshot) {
  const std::string& server = call.granted.session->facts().server;
  const std::string& tool = call.message->target;
  const ToolLook& look = call.granted.connection->tool_look();
  if (look.asked.is_set()) return false;
  // A client may have read a part of the list.
  if (look.was_listed)
    return call.needs_approval && gateway.tool_pins.Find(server, tool) == nullptr;
  return call.needs_approval || gateway.tool_pins.IsReliedOn(snapshot, server, tool);
}

Task<Outcome> Check(Gateway& gateway, JudgedCall call, OpenRequest& request) {
  const std::string& server = call.granted.session->facts().server;
  if (WantsLook(gateway, call, *call.granted.authenticated->snapshot)) {
    co_await LearnTools(gateway, call.granted.session, call.granted.connection);
  }
  const AgentSnapshot& snapshot = *call.granted.authenticated->snapshot;
  if (!IsChanged(gateway, call, snapshot)) co_return std::move(call);
  if (snapshot.PinModeOf(server) == PinMode::kDeny) {
    const absl::Status why = Changed(call);
    co_return RefuseAbout(std::move(call), why, nullptr);
  }
  co_return co_await AwaitAcceptance(gateway, std::move(call), request);
}

}  // namespace

Task<Outcome> CheckDefinition(Gateway& gateway, JudgedCall call, OpenRequest& request) {
  const std::string& server = call.granted.session->facts().server;
  const AgentSnapshot& snapshot = *call.granted.authenticated->snapshot;
  const bool passes = call.message->method != "tools/call" ||
                      snapshot.PinModeOf(server) == PinMode::kIgnore ||
                      !(WantsLook(gateway, call, snapshot) || IsChanged(gateway, call, snapshot));
  if (passes) return Task<Outcome>(std::move(call));
  return Check(gateway, std::move(call), request);
}

}  // namespace sallyport::agent
