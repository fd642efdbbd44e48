// One stdio child that the modern calls of many clients share: ids, progress tokens and
// subscription ids on its pipe are numbers of ours.
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>

#include "agent/loop/signal.h"
#include "agent/upstream/stdio_upstream.h"
#include "common/denial.h"
#include "tests/fakes/outbound_maker.h"
#include "tests/fakes/temp_dir.h"

namespace sallyport::agent {
namespace {

using Json = nlohmann::json;

struct Rig {
  Rig() : maker(loop) {
    chmod(place.path().c_str(), 0755);
    std::ofstream(place / "child.py") << std::ifstream(SHARED_CHILD).rdbuf();
    SpawnPlan plan;
    plan.argv = {"/usr/bin/python3", place / "child.py"};
    plan.env = {"PATH=/usr/bin:/bin"};
    if (geteuid() == 0) plan.run_as = RunAs{65534, 65534};
    auto child = SpawnChild(plan);
    if (!child.ok()) FAIL(child.status().message());
    upstream = std::make_unique<StdioUpstream>(
        loop, *std::move(child), StdioOptions{.server = "shared", .dropped_lines = &dropped});
  }
  Task<std::unique_ptr<Exchange>> Forward(Json message) {
    message["jsonrpc"] = "2.0";
    message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2026-07-28";
    const OutboundMessage outbound = co_await maker.Make(message.dump());
    auto exchange = co_await upstream->Forward(outbound);
    REQUIRE(exchange.ok());
    co_return *std::move(exchange);
  }
  // The result of a request of its own.
  Task<Json> Ask(std::string method, Json params) {
    auto exchange =
        co_await Forward({{"id", "ask"}, {"method", method}, {"params", std::move(params)}});
    co_return (co_await Next(*exchange))["result"];
  }
  // The next message; null when there is none any more.
  static Task<Json> Next(Exchange& exchange) {
    auto message = co_await exchange.Next();
    if (!message.ok()) co_return Json();
    co_return Json::parse(message->bytes);
  }
  void Run(Task<void> (*test)(Rig*)) { RunUntilDone(loop, test(this)); }

  TempDir place;
  Loop loop;
  OutboundMaker maker;
  std::uint64_t dropped = 0;
  std::unique_ptr<StdioUpstream> upstream;
};

Json Hold(const Json& id, const std::string& tag, const Json& meta = Json::object()) {
  return {{"id", id}, {"method", "hold"}, {"params", {{"tag", tag}, {"_meta", meta}}}};
}

Task<void> ManyEqualIds(Rig* rig) {
  constexpr int kCalls = 40;
  std::vector<std::unique_ptr<Exchange>> calls;
  for (int i = 0; i < kCalls; ++i) {
    calls.push_back(co_await rig->Forward(
        Hold("same", std::to_string(i), {{"progressToken", i % 2 == 0 ? Json(7) : Json("t")}})));
  }
  co_await rig->Ask("release", Json::object());
  for (int i = 0; i < kCalls; ++i) {
    Exchange& call = *calls[static_cast<std::size_t>(i)];
    const Json progress = co_await Rig::Next(call);
    CHECK(progress["method"] == "notifications/progress");
    CHECK(progress["params"]["progressToken"] == (i % 2 == 0 ? Json(7) : Json("t")));
    CHECK(progress["params"]["message"] == std::to_string(i));
    const Json answer = co_await Rig::Next(call);
    CHECK(answer["id"] == "same");
    CHECK(answer["result"]["tag"] == std::to_string(i));
  }
  const Json seen = (co_await rig->Ask("seen", Json::object()))["seen"];
  std::vector<Json> ids;
  for (int i = 0; i < kCalls; ++i) {
    const Json& request = seen[static_cast<std::size_t>(i)];
    CHECK(request["params"]["_meta"]["progressToken"] == request["id"]);
    ids.push_back(request["id"]);
  }
  std::sort(ids.begin(), ids.end());
  CHECK(std::adjacent_find(ids.begin(), ids.end()) == ids.end());
  CHECK(rig->dropped == 0);
  co_await rig->upstream->Close();
}
TEST_CASE("calls with equal ids and tokens on one pipe get their own answers, out of order",
          "[agent][stdio]") {
  Rig rig;
  rig.Run(ManyEqualIds);
}

Task<void> LogsAndNews(Rig* rig) {
  auto quiet = co_await rig->Forward(Hold(1, "quiet"));
  auto loud_message = Hold(1, "loud", {{"io.modelcontextprotocol/logLevel", "info"}});
  loud_message["params"]["log"] = true;
  auto loud = co_await rig->Forward(loud_message);
  auto news =
      co_await rig->Forward({{"id", "l"}, {"method", "listen"}, {"params", {{"tag", "news"}}}});
  const Json line = co_await Rig::Next(*loud);
  CHECK(line["method"] == "notifications/message");
  CHECK(line["params"]["data"] == "loud");
  const Json changed = co_await Rig::Next(*news);
  CHECK(changed["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"] == "l");
  CHECK(changed["params"]["tag"] == "news");
  co_await rig->Ask("release", Json::object());
  CHECK((co_await Rig::Next(*quiet))["result"]["tag"] == "quiet");
  CHECK((co_await Rig::Next(*loud))["result"]["tag"] == "loud");
  CHECK((co_await Rig::Next(*news))["id"] == "l");
  co_await rig->upstream->Close();
}
TEST_CASE("log lines go to the call that asked for them, news to their subscription",
          "[agent][stdio]") {
  Rig rig;
  rig.Run(LogsAndNews);
}

Task<void> Cancels(Rig* rig) {
  auto kept = co_await rig->Forward(Hold(1, "kept"));
  auto cancelled = co_await rig->Forward(Hold(1, "cancelled"));
  auto dropped = co_await rig->Forward(Hold(1, "dropped"));
  cancelled->Cancel();
  cancelled->Cancel();
  CHECK((co_await cancelled->Next()).status().code() == absl::StatusCode::kCancelled);
  dropped.reset();
  co_await rig->Ask("release", Json::object());
  CHECK((co_await Rig::Next(*kept))["result"]["tag"] == "kept");
  const Json seen = (co_await rig->Ask("seen", Json::object()))["seen"];
  std::vector<Json> told;
  for (const Json& message : seen) {
    if (message["method"] == "notifications/cancelled")
      told.push_back(message["params"]["requestId"]);
  }
  CHECK(told == std::vector<Json>{seen[1]["id"], seen[2]["id"]});
  // Their late answers are nobody's.
  CHECK(rig->dropped == 2);
  co_await rig->upstream->Close();
}
TEST_CASE("a child is told once of each call that was given up, by our number", "[agent][stdio]") {
  Rig rig;
  rig.Run(Cancels);
}

Task<void> Misdirects(Rig* rig) {
  auto other = co_await rig->Forward(Hold("client-id", "other"));
  for (const Json& id : {Json("client-id"), Json("ask"), Json(999999), Json("1"), Json(0)}) {
    CHECK((co_await rig->Ask("answer", {{"id", id}}))["tag"] == "proper");
  }
  CHECK(rig->dropped == 5);
  co_await rig->Ask("release", Json::object());
  CHECK((co_await Rig::Next(*other))["result"]["tag"] == "other");
  co_await rig->upstream->Close();
}
TEST_CASE("an answer under a client's own id, or one that nobody has, is nobody's",
          "[agent][stdio]") {
  Rig rig;
  rig.Run(Misdirects);
}

Task<void> UnaskedProgress(Rig* rig) {
  auto other = co_await rig->Forward(Hold("x", "other"));  // our 1, and it gave no token
  for (const Json& token : {Json(1), Json("x"), Json(12345)}) {
    co_await rig->Ask("say", {{"message",
                               {{"method", "notifications/progress"},
                                {"params", {{"progressToken", token}, {"progress", 1}}}}}});
  }
  CHECK(rig->dropped == 3);
  co_await rig->Ask("release", Json::object());
  CHECK((co_await Rig::Next(*other))["result"]["tag"] == "other");
  co_await rig->upstream->Close();
}
TEST_CASE("progress that nobody asked for is nobody's", "[agent][stdio]") {
  Rig rig;
  rig.Run(UnaskedProgress);
}

Task<void> EndsSubscription(Rig* rig) {
  auto listen = co_await rig->Forward(
      {{"id", "l"}, {"method", "subscriptions/listen"}, {"params", {{"tag", "news"}}}});
  auto other = co_await rig->Forward(Hold("x", "other"));
  CHECK((co_await Rig::Next(*listen))["params"]["tag"] == "news");
  const Json seen = (co_await rig->Ask("seen", Json::object()))["seen"];
  // Of a call it is nobody's: only subscriptions end so.
  for (const std::size_t which : {1U, 0U}) {
    co_await rig->Ask("say", {{"message",
                               {{"method", "notifications/cancelled"},
                                {"params", {{"requestId", seen[which]["id"]}}}}}});
  }
  CHECK(co_await Rig::Next(*listen) ==
        Json::parse(R"({"jsonrpc":"2.0","id":"l","result":{"resultType":"complete",)"
                    R"("_meta":{"io.modelcontextprotocol/subscriptionId":"l"}}})"));
  CHECK_FALSE((co_await listen->Next()).ok());
  listen.reset();
  co_await rig->Ask("release", Json::object());
  CHECK((co_await Rig::Next(*other))["result"]["tag"] == "other");
  // What the server has ended itself it is not told of.
  const Json told = (co_await rig->Ask("seen", Json::object()))["seen"];
  for (const Json& message : told) {
    CHECK(message["method"] != "notifications/cancelled");
  }
  co_await rig->upstream->Close();
}
TEST_CASE("a subscription that its server cancels is over for its client, and nothing else is",
          "[agent][stdio]") {
  Rig rig;
  rig.Run(EndsSubscription);
}

Task<void> CancelsAlone(Rig* rig) {
  const std::string meta = "io.modelcontextprotocol/subscriptionId";
  for (const Json& params :
       {Json{{"requestId", 1}}, Json{{"requestId", 2}}, Json{{"requestId", "ask"}},
        Json{{"requestId", 1}, {"_meta", {{meta, 2}}}}, Json::object()}) {
    auto call = co_await rig->Forward(
        {{"id", "ask"},
         {"method", "say"},
         {"params", {{"message", {{"method", "notifications/cancelled"}, {"params", params}}}}}});
    CHECK((co_await Rig::Next(*call))["id"] == "ask");
  }
  CHECK(rig->dropped == 5);
  for (std::uint64_t i = 0; i < rig->dropped; ++i) {
    const auto told = co_await rig->upstream->NextUnrelated();
    CHECK(told->stray == "the server cancels no subscription that is in flight");
    CHECK(told->method == "notifications/cancelled");
  }
  co_await rig->upstream->Close();
}
TEST_CASE("a call that its server says is cancelled goes on, and its client hears nothing of it",
          "[agent][stdio]") {
  Rig rig;
  rig.Run(CancelsAlone);
}

Json Flood(const std::string& tag, int count) {
  return {{"id", tag},
          {"method", "flood"},
          {"params", {{"tag", tag}, {"count", count}, {"_meta", {{"progressToken", tag}}}}}};
}

Task<void> OneDoesNotRead(Rig* rig) {
  auto slow = co_await rig->Forward(Flood("slow", 100000));
  const auto begun = std::chrono::steady_clock::now();
  // Its own backlog is its own business until somebody else wants something of the pipe.
  auto other = co_await rig->Forward(Hold("x", "other"));
  co_await rig->Ask("release", Json::object());
  CHECK((co_await Rig::Next(*other))["result"]["tag"] == "other");
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(15));
  const absl::Status why = (co_await slow->Next()).status();
  CHECK(ReasonOf(why) == types::v1::DENIAL_REASON_LIMIT_EXCEEDED);
  CHECK(ReasonOf((co_await slow->Next()).status()) == types::v1::DENIAL_REASON_LIMIT_EXCEEDED);
  int told = 0;
  const Json seen = (co_await rig->Ask("seen", Json::object()))["seen"];
  for (const Json& message : seen) {
    if (message["method"] != "notifications/cancelled") continue;
    ++told;
    CHECK(message["params"]["requestId"] == seen[0]["id"]);
  }
  CHECK(told == 1);
  co_await rig->upstream->Close();
}
TEST_CASE("a call whose client does not read is ended when others wait, and they go on",
          "[agent][stdio]") {
  Rig rig;
  rig.Run(OneDoesNotRead);
}

Task<void> ReadAll(Rig* rig, Exchange* flood, int count, int* read, Signal* done) {
  for (; *read < count; ++*read) {
    if (!(co_await flood->Next()).ok()) break;
  }
  done->Set();
}
Task<void> BothRead(Rig* rig) {
  constexpr int kCount = 20000;
  auto flood = co_await rig->Forward(Flood("flood", kCount));
  Signal done(rig->loop);
  int read = 0;
  rig->loop.Spawn(ReadAll(rig, flood.get(), kCount, &read, &done));
  auto other = co_await rig->Forward(Hold("x", "other"));
  co_await rig->Ask("release", Json::object());
  CHECK((co_await Rig::Next(*other))["result"]["tag"] == "other");
  co_await done.Wait();
  CHECK(read == kCount);
  co_await rig->upstream->Close();
}
TEST_CASE("a call whose client reads keeps all that a flooding server says, beside others",
          "[agent][stdio]") {
  Rig rig;
  rig.Run(BothRead);
}

Task<void> Alone(Rig* rig) {
  auto slow = co_await rig->Forward(Flood("slow", 2000));
  co_await Sleep(rig->loop, absl::Milliseconds(1500));
  for (int i = 0; i < 2000; ++i) {
    const Json progress = co_await Rig::Next(*slow);
    if (progress["method"] != "notifications/progress") FAIL("message " << i << " is lost");
  }
  co_await rig->upstream->Close();
}
TEST_CASE("a call that is alone on its pipe may read as slowly as it likes", "[agent][stdio]") {
  Rig rig;
  rig.Run(Alone);
}

Task<void> Dies(Rig* rig) {
  auto one = co_await rig->Forward(Hold(1, "one"));
  auto two = co_await rig->Forward(Hold(1, "two"));
  auto last = co_await rig->Forward({{"id", 1}, {"method", "die"}, {"params", Json::object()}});
  for (Exchange* call : {one.get(), two.get(), last.get()}) {
    CHECK(ReasonOf((co_await call->Next()).status()) == types::v1::DENIAL_REASON_UPSTREAM_LOST);
  }
  const OutboundMessage late = co_await rig->maker.Make(R"({"jsonrpc":"2.0","id":1,"method":"x"})");
  CHECK(ReasonOf((co_await rig->upstream->Forward(late)).status()) ==
        types::v1::DENIAL_REASON_UPSTREAM_LOST);
  CHECK_FALSE((co_await rig->upstream->NextUnrelated()).ok());
  co_await rig->upstream->Close();
}
TEST_CASE("a child that dies answers all its calls with upstream_lost, at once", "[agent][stdio]") {
  Rig rig;
  rig.Run(Dies);
}

}  // namespace
}  // namespace sallyport::agent
