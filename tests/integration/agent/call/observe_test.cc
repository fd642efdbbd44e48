// A policy on trial: what it would refuse passes and is recorded as such, until its time is over;
// what other policies refuse does not.
#include <catch2/catch.hpp>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/integration/agent/call/modern_client.h"

namespace sallyport {
namespace {

using enum types::v1::DenialReason;
using enum types::v1::RecordType;

constexpr char kConfig[] = "recording: {durability: process, spool_max_bytes: 128MiB}";

std::string Trial(const std::string& until) {
  return R"(
kind: Policy
name: trial
spec:
  principals: [{realm: okta}]
  servers: [wiki]
  observe_until: )" +
         until + R"(
  rules:
    - allow: {tools: [echo]}
    - require_approval: {tools: [delete], approvers: ["okta:approvers"]}
    - deny: {tools: ["drop-*"]}
)";
}

std::string In(absl::Duration time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::Now() + time, absl::UTCTimeZone());
}

bool Passes(const HttpClient::Answer& answer) {
  const Json result = Door::Message(answer)["result"];
  return result.contains("content") && !result.value("isError", false);
}

std::optional<types::v1::RecordContent> Recorded(Door& door, const std::string& tool) {
  return door.control.AwaitContent(RECORD_TYPE_REQUEST,
                                   [&](const auto& content) { return content.target() == tool; });
}

TEST_CASE("what a policy on trial would refuse passes and is recorded as such",
          "[agent][observe]") {
  Door door(kConfig, Trial("2199-01-01T00:00:00Z"));
  const Door::Bot bot = door.Connect();
  for (const char* tool : {"drop-all", "delete", "get-page", "echo"})
    CHECK(Passes(bot.Post(Door::Call(tool))));
  const auto denied = Recorded(door, "drop-all");
  REQUIRE(denied);
  CHECK(denied->observed_reason() == DENIAL_REASON_POLICY_DENIED);
  CHECK(denied->observed_policy() == "trial");
  const auto asked = Recorded(door, "delete");
  REQUIRE(asked);
  CHECK(asked->observed_reason() == DENIAL_REASON_APPROVAL_PENDING);
  CHECK(asked->observed_policy() == "trial");
  // No rule speaks for it.
  const auto hidden = Recorded(door, "get-page");
  REQUIRE(hidden);
  CHECK(hidden->observed_reason() == DENIAL_REASON_POLICY_DENIED);
  const auto allowed = Recorded(door, "echo");
  REQUIRE(allowed);
  CHECK(allowed->observed_reason() == DENIAL_REASON_UNSPECIFIED);
  CHECK(allowed->observed_policy().empty());
}

TEST_CASE("what a policy on trial would keep a server from asking is asked and recorded as such",
          "[agent][observe]") {
  Door door(kConfig, Trial("2199-01-01T00:00:00Z"));
  const Door::Bot bot = door.Connect("bot", R"({"elicitation":{}})");
  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/call") return std::nullopt;
    return Streamed(R"({"jsonrpc":"2.0","id":"s1","method":"elicitation/create","params":{}})",
                    message["id"]);
  });
  CHECK(bot.Post(Door::Call("echo")).body.find("elicitation/create") != std::string::npos);
  const auto asked = door.control.AwaitContent(RECORD_TYPE_MESSAGE, [](const auto& content) {
    return content.method() == "elicitation/create";
  });
  REQUIRE(asked);
  CHECK(asked->observed_reason() == DENIAL_REASON_POLICY_DENIED);
}

TEST_CASE("so is a round that it would refuse", "[agent][observe]") {
  Door door(kConfig, Trial("2199-01-01T00:00:00Z"), false, "", ServerEras::kModern);
  door.set_awkward([](const Json& message) -> std::optional<RawHttpServer::Reply> {
    if (message.value("method", "") != "tools/call") return std::nullopt;
    return ResultOf(message,
                    {{"resultType", "input_required"},
                     {"inputRequests",
                      {{"q", {{"method", "elicitation/create"}, {"params", Json::object()}}}}}});
  });
  ModernClient client(door);
  ModernClient::Ask ask = ModernClient::Call("echo", Json::object());
  ask.capabilities = {{"elicitation", Json::object()}};
  CHECK(client.Post(ask).body.find("input_required") != std::string::npos);
  const auto result = door.control.AwaitContent(
      RECORD_TYPE_RESULT, [](const auto& content) { return content.method() == "tools/call"; });
  REQUIRE(result);
  CHECK(result->observed_reason() == DENIAL_REASON_POLICY_DENIED);
}

TEST_CASE("another policy refuses and asks as ever beside one on trial", "[agent][observe]") {
  Door door(kConfig + std::string("\nlimits: {approval_hold_seconds: 1}"),
            Trial("2199-01-01T00:00:00Z") + R"(
---
kind: Policy
name: house
spec:
  principals: [{realm: okta}]
  servers: [wiki]
  rules:
    - deny: {tools: [drop-all]}
    - require_approval: {tools: [delete], approvers: ["okta:approvers"]}
)");
  const Door::Bot bot = door.Connect();
  CHECK(ReasonOf(bot.Post(Door::Call("drop-all"))) == "policy_denied");
  CHECK(ReasonOf(bot.Post(Door::Call("delete"))) == "approval_pending");
  CHECK(door.Seen("tools/call") == 0);
  CHECK(Passes(bot.Post(Door::Call("drop-other"))));
}

TEST_CASE("a trial is over at its time, in live sessions too", "[agent][observe]") {
  Door door(kConfig, Trial(In(absl::Seconds(6))));
  const Door::Bot bot = door.Connect();
  REQUIRE(Passes(bot.Post(Door::Call("drop-all"))));
  const absl::Time until = absl::Now() + absl::Seconds(30);
  std::string reason;
  while (reason.empty() && absl::Now() < until) {
    absl::SleepFor(absl::Milliseconds(20));
    reason = ReasonOf(bot.Post(Door::Call("drop-all")));
  }
  CHECK(reason == "policy_denied");
  const int before = door.Seen("tools/call");
  CHECK_FALSE(Passes(bot.Post(Door::Call("get-page"))));
  CHECK(ReasonOf(bot.Post(Door::Call("drop-all"))) == "policy_denied");
  CHECK(door.Seen("tools/call") == before);
  CHECK(Passes(bot.Post(Door::Call("echo"))));
}

}  // namespace
}  // namespace sallyport
