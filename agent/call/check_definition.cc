#include "agent/call/check_definition.h"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "agent/call/about_approval.h"
#include "agent/call/check_policy.h"
#include "agent/call/hold_call.h"
#include "agent/call/join_session.h"
#include "common/denial.h"

namespace sallyport::agent {
namespace {

using Outcome = std::variant<JudgedCall, RefusedCall, AbandonedCall>;

enum class Standing : std::uint8_t {
  kAccepted,  // or nothing relies on it
  kChanged,
  // Something relies on it, and the server does not show it.
  kUnseen,
  // There can be no definition of it that was accepted.
  kUnpinnable,
};

Standing StandingOf(const Gateway& gateway, const JudgedCall& call, const AgentSnapshot& snapshot) {
  const std::string& server = call.granted.session->facts().server;
  const std::string& tool = call.message->target;
  if (snapshot.PinModeOf(server) == PinMode::kIgnore) return Standing::kAccepted;
  if (!gateway.tool_pins.CanPin(snapshot, server, tool)) return Standing::kUnpinnable;
  if (!gateway.tool_pins.IsReliedOn(snapshot, server, tool)) return Standing::kAccepted;
  const SeenDefinition shown = call.granted.connection->tool_look().Find(tool);
  if (shown == nullptr) return Standing::kUnseen;
  return gateway.tool_pins.IsAccepted(snapshot, server, *shown) ? Standing::kAccepted
                                                                : Standing::kChanged;
}

absl::Status Barred(const JudgedCall& call, Standing standing) {
  const std::string& tool = call.message->target;
  if (standing == Standing::kUnpinnable) {
    return Denied(types::v1::DENIAL_REASON_DEFINITION_CHANGED,
                  "no definition of the tool can be accepted: its name is empty or longer than 4 "
                  "KiB, or its server has more tools than can be accepted");
  }
  return Denied(types::v1::DENIAL_REASON_DEFINITION_CHANGED,
                standing == Standing::kChanged
                    ? absl::StrCat("the definition of the tool ", tool,
                                   " has changed and has not been accepted; call again once an "
                                   "administrator has accepted it")
                    : absl::StrCat("the server does not show what the tool ", tool,
                                   " is now, so nobody can say that it is what was accepted; call "
                                   "again once the server lists it"));
}

std::string Waiting(const JudgedCall& call, Standing standing) {
  const std::string& tool = call.message->target;
  return standing == Standing::kChanged
             ? absl::StrCat(
                   "Waiting until an administrator accepts the changed definition of the tool ",
                   tool)
             : absl::StrCat("Waiting until the server lists the tool ", tool);
}

// A call waits, and its tool is looked at meanwhile.
struct Watch {
  bool is_over = false;
  // Why no look can be recorded, nor the call. Ok: they can.
  absl::Status unrecorded;
};

// Looks again and again, for as long as somebody waits.
Task<void> KeepLooking(Gateway& gateway, Held<ServedSession> session,
                       Held<McpConnection> connection, LookFor look_for,
                       std::shared_ptr<Watch> watch) {
  for (;;) {
    co_await Sleep(gateway.loop, kLookGoodFor);
    if (watch->is_over || connection->is_over()) co_return;
    watch->unrecorded =
        co_await LearnTools(gateway, session, connection, look_for, absl::ZeroDuration());
    gateway.tool_pins.Changed();
  }
}

Task<Outcome> AwaitAcceptance(Gateway& gateway, JudgedCall call, Standing standing,
                              OpenRequest& request) {
  auto place = TakeHeldPlace(gateway, call.granted.session);
  if (!place.ok()) co_return RefuseAbout(std::move(call), place.status(), nullptr);
  Signal changed(gateway.loop);
  const ToolPins::Listener listener(gateway.tool_pins, changed);
  const auto watch = std::make_shared<Watch>();
  gateway.loop.Spawn(
      KeepLooking(gateway, call.granted.session, call.granted.connection, LookOf(call), watch));
  co_await HoldCall(gateway, call.granted, *call.message, request, changed,
                    {.text = Waiting(call, standing),
                     .hold = gateway.ApprovalHold(call.granted.session->facts().server)},
                    [&] {
                      return !watch->unrecorded.ok() ||
                             StandingOf(gateway, call, *gateway.snapshots.current()) ==
                                 Standing::kAccepted;
                    });
  watch->is_over = true;
  place->Leave();
  if (request.is_cancelled) co_return AbandonedCall{std::move(call.granted)};
  if (absl::Status live = CheckStillLive(gateway, call.granted); !live.ok()) {
    co_return RefuseAbout(std::move(call), std::move(live), nullptr);
  }
  if (!watch->unrecorded.ok()) {
    co_return RefuseAbout(std::move(call), watch->unrecorded, nullptr);
  }
  auto judged = JudgeAgain(gateway, std::move(call));
  if (auto* refused = std::get_if<RefusedCall>(&judged)) co_return std::move(*refused);
  JudgedCall& again = std::get<JudgedCall>(judged);
  const Standing now = StandingOf(gateway, again, *again.granted.authenticated->snapshot);
  if (now != Standing::kAccepted) {
    const absl::Status why = Barred(again, now);
    co_return RefuseForNow(gateway, std::move(again), why, nullptr);
  }
  co_return std::move(again);
}

// Whether the tool must be looked at before anything is said of it: what was accepted of it, or
// will be approved, may be another thing by now. An approval is about what it is at that moment,
// whatever becomes of changes otherwise.
bool WantsLook(const Gateway& gateway, const JudgedCall& call, Standing standing) {
  const ToolLook& look = call.granted.connection->tool_look();
  return (call.needs_approval || standing == Standing::kUnseen) &&
         (!look.HasLooked(gateway.clock.SinceBoot(), kLookGoodFor) ||
          look.HasPassedOver(call.message->target));
}

Task<Outcome> Check(Gateway& gateway, JudgedCall call, Standing standing, OpenRequest& request) {
  const std::string& server = call.granted.session->facts().server;
  if (WantsLook(gateway, call, standing)) {
    absl::Status looked = co_await LearnTools(gateway, call.granted.session,
                                              call.granted.connection, LookOf(call), kLookGoodFor);
    if (!looked.ok()) co_return RefuseAbout(std::move(call), std::move(looked), nullptr);
    auto judged = JudgeAgain(gateway, std::move(call));
    if (auto* refused = std::get_if<RefusedCall>(&judged)) co_return std::move(*refused);
    call = std::get<JudgedCall>(std::move(judged));
    standing = StandingOf(gateway, call, *call.granted.authenticated->snapshot);
  }
  if (standing == Standing::kAccepted) co_return std::move(call);
  const AgentSnapshot& snapshot = *call.granted.authenticated->snapshot;
  // Nothing that anybody does makes one of these pinned while the call waits.
  if (standing == Standing::kUnpinnable || snapshot.PinModeOf(server) == PinMode::kDeny) {
    const absl::Status why = Barred(call, standing);
    co_return RefuseAbout(std::move(call), why, nullptr);
  }
  co_return co_await AwaitAcceptance(gateway, std::move(call), standing, request);
}

}  // namespace

Task<Outcome> CheckDefinition(Gateway& gateway, JudgedCall call, OpenRequest& request) {
  if (call.message->method != "tools/call") return Task<Outcome>(std::move(call));
  const Standing standing = StandingOf(gateway, call, *call.granted.authenticated->snapshot);
  if (standing == Standing::kAccepted && !WantsLook(gateway, call, standing))
    return Task<Outcome>(std::move(call));
  return Check(gateway, std::move(call), standing, request);
}

}  // namespace sallyport::agent
