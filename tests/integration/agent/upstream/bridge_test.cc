#include "agent/upstream/bridge.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "agent/loop/signal.h"
#include "agent/upstream/first_contact.h"
#include "agent/upstream/http_upstream.h"
#include "common/denial.h"
#include "tests/fakes/outbound_maker.h"
#include "tests/fakes/raw_http_server.h"

namespace sallyport::agent {
namespace {

using nlohmann::json;
using types::v1::DenialReason;
using Reply = RawHttpServer::Reply;

// Of a GET: one of no method.
json BodyOf(const std::string& request) {
  const std::string body = request.substr(request.find("\r\n\r\n") + 4);
  return body.empty() ? json({{"method", "none"}}) : json::parse(body);
}
std::string Result(const json& request, json result) {
  return json{{"jsonrpc", "2.0"}, {"id", request["id"]}, {"result", std::move(result)}}.dump();
}
json Parsed(const absl::StatusOr<UpstreamMessage>& message) {
  REQUIRE(message.ok());
  return json::parse(message->bytes);
}
std::string Request(int id, const std::string& method, const json& params = json::object()) {
  return json{{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", params}}.dump();
}
std::string Answer(const json& id, const char* member, const json& body) {
  return json{{"jsonrpc", "2.0"}, {"id", id}, {member, body}}.dump();
}
const json kAsksForName = json::parse(
    R"({"resultType":"input_required","requestState":"s1","inputRequests":{"who":{"method":"elicitation/create","params":{"message":"Name?"}}}})");

// A server of the modern era alone, over HTTP. `on_call` answers what is not part of its beginning.
struct Rig {
  using OnCall = std::function<Reply(const json& request)>;

  explicit Rig(OnCall on_call)
      : maker(loop), sweep(loop), server([on_call, this](const std::string& request) {
          const json body = BodyOf(request);
          if (body["method"] == "initialize" && !is_modern_alone) {
            return Reply{JsonReply(Result(
                body, {{"protocolVersion", "2025-06-18"}, {"serverInfo", {{"name", "both"}}}}))};
          }
          if (body["method"] == "initialize") {
            return Reply{
                HttpReply(400, "application/json",
                          Answer(body["id"], "error",
                                 {{"code", -32022},
                                  {"message", "no"},
                                  {"data", {{"supported", {"2026-07-28"}}, {"requested", "x"}}}}))};
          }
          if (body["method"] == "server/discover") {
            return Reply{JsonReply(Result(
                body,
                json::parse(
                    R"({"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{},"resources":{"subscribe":true}},"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s","version":"1"}}})")))};
          }
          if (body["method"] == "tools/list") {
            return Reply{JsonReply(Result(
                body,
                json::parse(
                    R"({"resultType":"complete","tools":[{"name":"t","inputSchema":{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}}}}]})")))};
          }
          return on_call(body);
        }) {
    Open();
  }
  void Open() {
    HttpOptions options{.server = "modern",
                        .url = *ParseServerUrl("http://127.0.0.1:" + server.port() + "/mcp")};
    upstream = std::make_unique<FirstContact>(
        loop, FirstContactOptions{
                  .server = "modern",
                  .transport = std::make_unique<HttpUpstream>(loop, sweep, std::move(options)),
                  .is_http = true,
                  .found = found});
  }
  Task<std::unique_ptr<Exchange>> Forward(std::string text) {
    OutboundMessage message = co_await maker.Make(std::move(text));
    auto exchange = co_await upstream->Forward(message);
    REQUIRE(exchange.ok());
    co_return *std::move(exchange);
  }
  Task<absl::StatusOr<UpstreamMessage>> Call(std::string text) {
    auto exchange = co_await Forward(std::move(text));
    co_return co_await exchange->Next();
  }
  Task<void> Send(std::string text) {
    OutboundMessage message = co_await maker.Make(std::move(text));
    CHECK((co_await upstream->Send(message)).ok());
  }
  Task<json> Begin() {
    auto answer = co_await Call(Request(
        1, "initialize",
        json::parse(
            R"({"protocolVersion":"2025-06-18","capabilities":{"elicitation":{}},"clientInfo":{"name":"c","version":"1"}})")));
    co_await Send(R"({"jsonrpc":"2.0","method":"notifications/initialized"})");
    co_return Parsed(answer);
  }
  // The bodies of what the server got of that method.
  std::vector<json> got(const std::string& method) const {
    std::vector<json> out;
    for (const std::string& request : server.requests()) {
      if (json body = BodyOf(request); body["method"] == method) out.push_back(std::move(body));
    }
    return out;
  }
  void Run(Task<void> (*test)(Rig*)) { RunUntilDone(loop, test(this)); }

  Loop loop;
  OutboundMaker maker;
  DeadlineSweep sweep;
  RawHttpServer server;
  std::shared_ptr<ServerProtocol> found = std::make_shared<ServerProtocol>();
  // Whether it refuses an initialize.
  std::atomic<bool> is_modern_alone = true;
  std::unique_ptr<FirstContact> upstream;
};

Task<void> Begins(Rig* rig) {
  const json answer = co_await rig->Begin();
  CHECK(answer["id"] == 1);
  CHECK(answer["result"]["protocolVersion"] == "2025-06-18");
  CHECK(answer["result"]["serverInfo"]["name"] == "s");
  CHECK(Parsed(co_await rig->Call(Request(2, "ping")))["result"] == json::object());
  CHECK(Parsed(co_await rig->Call(
            Request(3, "logging/setLevel", {{"level", "loud"}})))["error"]["code"] == -32602);
  CHECK(Parsed(co_await rig->Call(Request(4, "logging/setLevel", {{"level", "info"}})))["result"] ==
        json::object());
  const json called = Parsed(co_await rig->Call(
      Request(5, "tools/call", {{"name", "t"}, {"arguments", {{"region", "eu"}}}})));
  CHECK(called["result"] == json::parse(R"({"content":[]})"));
  const json sent = rig->got("tools/call").front();
  const json& meta = sent["params"]["_meta"];
  CHECK(meta["io.modelcontextprotocol/protocolVersion"] == "2026-07-28");
  CHECK(meta["io.modelcontextprotocol/clientInfo"]["name"] == "c");
  CHECK(meta["io.modelcontextprotocol/clientCapabilities"] == json::parse(R"({"elicitation":{}})"));
  CHECK(meta["io.modelcontextprotocol/logLevel"] == "info");
  const std::string head = rig->server.requests().back();
  CHECK(head.find("Mcp-Method: tools/call\r\n") != std::string::npos);
  CHECK(head.find("Mcp-Name: t\r\n") != std::string::npos);
  CHECK(head.find("mcp-param-region: eu\r\n") != std::string::npos);
  CHECK(rig->got("ping").empty());
  CHECK(rig->got("logging/setLevel").empty());
  CHECK(rig->got("initialize").size() == 1);
}
TEST_CASE("a server of the modern era alone is a session to a legacy client", "[agent][bridge]") {
  Rig rig([](const json& request) {
    return Reply{JsonReply(
        Result(request, json::parse(R"({"resultType":"complete","content":[],"ttlMs":1})")))};
  });
  rig.Run(Begins);
}

Task<void> RefusesALongArgument(Rig* rig) {
  co_await rig->Begin();
  const auto call = [](std::size_t bytes) {
    return Request(5, "tools/call",
                   {{"name", "t"}, {"arguments", {{"region", std::string(bytes, 'x')}}}});
  };
  OutboundMessage message = co_await rig->maker.Make(call(17409));
  const absl::Status refused = (co_await rig->upstream->Forward(message)).status();
  CHECK(ReasonOf(refused) == DenialReason::DENIAL_REASON_MESSAGE_TOO_LARGE);
  CHECK(std::string(refused.message()).find("the header mcp-param-region") != std::string::npos);
  CHECK(rig->got("tools/call").empty());
  CHECK((co_await rig->Call(call(17408))).ok());
  const std::string head = rig->server.requests().back();
  CHECK(head.find("mcp-param-region: x") != std::string::npos);
}
TEST_CASE("an argument that no header can repeat refuses the call, and nothing is sent",
          "[agent][bridge]") {
  Rig rig([](const json& request) {
    return Reply{
        JsonReply(Result(request, json::parse(R"({"resultType":"complete","content":[]})")))};
  });
  rig.Run(RefusesALongArgument);
}

Task<void> AsksForItself(Rig* rig) {
  CHECK((co_await rig->Begin())["result"]["serverInfo"]["name"] == "s");
  rig->is_modern_alone = false;
  rig->Open();
  CHECK((co_await rig->Begin())["result"]["serverInfo"]["name"] == "both");
  CHECK(rig->got("server/discover").size() == 1);
}
TEST_CASE("that one session's initialize was refused decides nothing for the next",
          "[agent][bridge]") {
  Rig rig([](const json& message) {
    return Reply{HttpReply(message["method"] == "none" ? 405 : 202, "text/plain", "")};
  });
  rig.Run(AsksForItself);
}

Task<void> AsksTheClient(Rig* rig) {
  co_await rig->Begin();
  auto exchange = co_await rig->Forward(Request(7, "tools/call", {{"name", "t"}}));
  const json asked = Parsed(co_await exchange->Next());
  CHECK(asked["method"] == "elicitation/create");
  CHECK(asked["params"]["message"] == "Name?");
  co_await rig->Send(Answer("of-nobody", "result", {{"action", "accept"}}));
  co_await rig->Send(
      Answer(asked["id"], "result", {{"action", "accept"}, {"content", {{"name", "Ada"}}}}));
  const json answer = Parsed(co_await exchange->Next());
  CHECK(answer["id"] == 7);
  CHECK(answer["result"] == json::parse(R"({"content":[]})"));
  CHECK_FALSE((co_await exchange->Next()).ok());

  const auto calls = rig->got("tools/call");
  REQUIRE(calls.size() == 2);
  CHECK(calls[0]["id"] != calls[1]["id"]);
  CHECK_FALSE(calls[0]["params"].contains("requestState"));
  CHECK(calls[1]["params"]["requestState"] == "s1");
  CHECK(calls[1]["params"]["inputResponses"] ==
        json::parse(R"({"who":{"action":"accept","content":{"name":"Ada"}}})"));
  CHECK(calls[1]["params"]["name"] == "t");
}
TEST_CASE("what a server wants first is asked of the client and taken to it", "[agent][bridge]") {
  Rig rig([](const json& request) {
    const bool is_answered = request["params"].contains("inputResponses");
    return Reply{JsonReply(
        Result(request, is_answered ? json::parse(R"({"resultType":"complete","content":[]})")
                                    : kAsksForName))};
  });
  rig.Run(AsksTheClient);
}

Task<void> IsRefusedByTheClient(Rig* rig) {
  co_await rig->Begin();
  auto exchange = co_await rig->Forward(Request(7, "tools/call", {{"name", "t"}}));
  const json asked = Parsed(co_await exchange->Next());
  co_await rig->Send(Answer(asked["id"], "error", {{"code", -1}, {"message", "not now"}}));
  const json answer = Parsed(co_await exchange->Next());
  CHECK(answer["id"] == 7);
  CHECK(answer["error"] == json::parse(R"({"code":-1,"message":"not now"})"));
  CHECK(rig->got("tools/call").size() == 1);
}
TEST_CASE("a client that will not answer ends the call with its own error", "[agent][bridge]") {
  Rig rig([](const json& request) { return Reply{JsonReply(Result(request, kAsksForName))}; });
  rig.Run(IsRefusedByTheClient);
}

Task<void> EndsTheRounds(Rig* rig) {
  co_await rig->Begin();
  auto exchange = co_await rig->Forward(Request(7, "tools/call", {{"name", "t"}}));
  absl::Status ended;
  while (ended.ok()) {
    auto message = co_await exchange->Next();
    ended = message.status();
    if (message.ok())
      co_await rig->Send(Answer(Parsed(message)["id"], "result", {{"action", "accept"}}));
  }
  CHECK(ReasonOf(ended) == DenialReason::DENIAL_REASON_UPSTREAM_INVALID);
  CHECK(rig->got("tools/call").size() == 11);
}
TEST_CASE("a server that asks without end is refused after ten rounds", "[agent][bridge]") {
  Rig rig([](const json& request) { return Reply{JsonReply(Result(request, kAsksForName))}; });
  rig.Run(EndsTheRounds);
}

Task<void> GoesOnUnasked(Rig* rig) {
  co_await rig->Begin();
  auto exchange = co_await rig->Forward(Request(7, "tools/call", {{"name", "t"}}));
  const auto told = co_await exchange->Next();
  REQUIRE(told.ok());
  CHECK_FALSE(told->stray.empty());
  CHECK(rig->got("tools/call").size() == 1);
  CHECK(Parsed(co_await exchange->Next())["id"] == 7);
  CHECK(rig->got("tools/call").size() == 2);
}
TEST_CASE("a round in which the client is asked for nothing is told of before it goes out",
          "[agent][bridge]") {
  Rig rig([](const json& request) {
    const bool is_again = request["params"].contains("requestState");
    return Reply{JsonReply(Result(
        request, json::parse(is_again ? R"({"resultType":"complete","content":[]})"
                                      : R"({"resultType":"input_required","requestState":"s"})")))};
  });
  rig.Run(GoesOnUnasked);
}

Task<void> IsInvalid(Rig* rig) {
  co_await rig->Begin();
  auto answer = co_await rig->Call(Request(7, "tools/call", {{"name", "t"}}));
  CHECK(ReasonOf(answer.status()) == DenialReason::DENIAL_REASON_UPSTREAM_INVALID);
  CHECK(rig->got("tools/call").size() == 1);
}
TEST_CASE("what a legacy client cannot be told of is refused", "[agent][bridge]") {
  const std::string result =
      GENERATE(R"({"resultType":"task","taskId":"x"})",
               R"({"resultType":"input_required","requestState":1})",
               R"({"resultType":"input_required"})",
               R"({"resultType":"input_required","inputRequests":{"a":{}}})");
  Rig rig([result](const json& request) {
    return Reply{JsonReply(Result(request, json::parse(result)))};
  });
  rig.Run(IsInvalid);
}
TEST_CASE("a request from a server of an era that has none is refused", "[agent][bridge]") {
  Rig rig([](const json&) {
    return Reply{
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n" +
            HttpChunk(R"(data: {"jsonrpc":"2.0","id":1,"method":"roots/list"})"
                      "\n\n"),
        true};
  });
  rig.Run(IsInvalid);
}

Task<void> TakeNext(Exchange* exchange, absl::Status* got, Signal* done) {
  *got = (co_await exchange->Next()).status();
  done->Set();
}
Task<void> WakesWhoAsks(Rig* rig) {
  co_await rig->Begin();
  for (auto expected : {absl::StatusCode::kCancelled, absl::StatusCode::kUnavailable}) {
    auto exchange = co_await rig->Forward(Request(7, "tools/call", {{"name", "t"}}));
    CHECK((co_await exchange->Next()).ok());
    absl::Status got;
    Signal done(rig->loop);
    rig->loop.Spawn(TakeNext(exchange.get(), &got, &done));
    co_await Sleep(rig->loop, absl::ZeroDuration());
    if (expected == absl::StatusCode::kCancelled) {
      exchange->Cancel();
    } else {
      co_await rig->upstream->Close();
    }
    co_await done.Wait();
    CHECK(got.code() == expected);
  }
  CHECK(rig->got("tools/call").size() == 2);
}
TEST_CASE("a call that waits for its client is woken by Cancel and by Close", "[agent][bridge]") {
  Rig rig([](const json& request) { return Reply{JsonReply(Result(request, kAsksForName))}; });
  rig.Run(WakesWhoAsks);
}

const std::string kAcknowledged =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n" +
    HttpChunk(
        "data: "
        R"({"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{}})"
        "\n\n");

Task<void> Subscribes(Rig* rig) {
  co_await rig->Begin();
  const json subscribed =
      Parsed(co_await rig->Call(Request(2, "resources/subscribe", {{"uri", "x://a"}})));
  CHECK(subscribed["result"] == json::object());
  rig->server.Say(HttpChunk(
      "data: "
      R"({"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"x://a","_meta":{"io.modelcontextprotocol/subscriptionId":"q"}}})"
      "\n\n"));
  const json updated = Parsed(co_await rig->upstream->NextUnrelated());
  CHECK(updated["params"]["uri"] == "x://a");
  CHECK(updated["params"]["_meta"] == json::object());
  const auto listens = rig->got("subscriptions/listen");
  REQUIRE(listens.size() == 1);
  CHECK(listens[0]["params"]["notifications"] ==
        json::parse(R"({"resourceSubscriptions":["x://a"]})"));
  CHECK(rig->got("resources/subscribe").empty());
  // Twice is once, and none is no listening at all.
  CHECK(Parsed(co_await rig->Call(Request(3, "resources/subscribe", {{"uri", "x://a"}})))
            .contains("result"));
  CHECK(Parsed(co_await rig->Call(Request(4, "resources/unsubscribe", {{"uri", "x://a"}})))
            .contains("result"));
  CHECK(rig->got("subscriptions/listen").size() == 1);
}
TEST_CASE("subscriptions of a session are one listen", "[agent][bridge]") {
  Rig rig([](const json&) { return Reply{kAcknowledged, false, true}; });
  rig.Run(Subscribes);
}

Task<void> IsNotTold(Rig* rig) {
  co_await rig->Begin();
  const json answer =
      Parsed(co_await rig->Call(Request(2, "resources/subscribe", {{"uri", "x://a"}})));
  CHECK(answer["error"]["code"] == -32602);
}
TEST_CASE("a subscription that the server refuses is refused", "[agent][bridge]") {
  Rig rig([](const json& request) {
    return Reply{HttpReply(404, "application/json",
                           Answer(request["id"], "error", {{"code", -32601}, {"message", "no"}}))};
  });
  rig.Run(IsNotTold);
}

}  // namespace
}  // namespace sallyport::agent
