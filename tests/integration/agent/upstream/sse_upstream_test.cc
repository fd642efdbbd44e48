#include "agent/upstream/sse_upstream.h"

#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "agent/loop/signal.h"
#include "common/denial.h"
#include "tests/fakes/outbound_maker.h"
#include "tests/fakes/raw_http_server.h"

namespace sallyport::agent {
namespace {

using types::v1::DenialReason;
using Reply = RawHttpServer::Reply;

const std::string kSseHead =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
const std::string kTaken = "HTTP/1.1 202 Accepted\r\nContent-Length: 8\r\n\r\nAccepted";

std::string Event(const std::string& data, const std::string& type = "message") {
  return HttpChunk("event: " + type + "\ndata: " + data + "\n\n");
}
std::string Request(int id, const std::string& method = "do/it", const std::string& params = "{}") {
  return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"method":")" + method +
         R"(","params":)" + params + "}";
}
std::string Result(int id, const std::string& result = "{}") {
  return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"result":)" + result + "}";
}
std::string Notification(const std::string& method, const std::string& params = "{}") {
  return R"({"jsonrpc":"2.0","method":")" + method + R"(","params":)" + params + "}";
}
bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// A server whose stream begins with `opening`, and then `ends`, and whose answers to POST are
// `taken`, on connections that it `closes`.
struct Rig {
  explicit Rig(std::string opening = kSseHead + Event("/messages?session=s1", "endpoint"),
               std::string taken = kTaken, bool ends = false, bool closes = false)
      : maker(loop), sweep(loop), server([=](const std::string& request) {
          return request.starts_with("GET ") ? Reply{opening, ends, !ends} : Reply{taken, closes};
        }) {
    HttpOptions options{.server = "old",
                        .url = *ParseServerUrl("http://127.0.0.1:" + server.port() + "/sse"),
                        .headers = {{"Authorization", "Bearer held-credential"}}};
    options.limits.max_bytes = 65536;
    upstream = std::make_unique<SseUpstream>(loop, sweep, std::move(options));
  }
  Task<absl::StatusOr<std::unique_ptr<Exchange>>> Forward(std::string json) {
    OutboundMessage message = co_await maker.Make(std::move(json));
    co_return co_await upstream->Forward(message);
  }
  Task<absl::Status> Send(std::string json) {
    OutboundMessage message = co_await maker.Make(std::move(json));
    co_return co_await upstream->Send(message);
  }
  // The status of the request as a whole.
  Task<absl::Status> Call(std::string json) {
    auto exchange = co_await Forward(std::move(json));
    if (!exchange.ok()) co_return exchange.status();
    co_return (co_await (*exchange)->Next()).status();
  }
  std::size_t posts() const {
    std::size_t n = 0;
    for (const std::string& request : server.requests()) n += request.starts_with("POST ") ? 1 : 0;
    return n;
  }
  // Until the server has read so many messages.
  Task<void> Posted(std::size_t n) {
    while (posts() < n) co_await Sleep(loop, absl::Milliseconds(1));
  }
  void Run(Task<void> (*test)(Rig*)) { RunUntilDone(loop, test(this)); }

  Loop loop;
  OutboundMaker maker;
  DeadlineSweep sweep;
  RawHttpServer server;
  std::unique_ptr<SseUpstream> upstream;
};

Task<void> Converses(Rig* rig) {
  auto first = co_await rig->Forward(Request(
      1, "initialize", R"({"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{}})"));
  REQUIRE(first.ok());
  co_await rig->Posted(1);
  rig->server.Say(Event(Result(1, R"({"protocolVersion":"2025-06-18"})")));
  CHECK((co_await (*first)->Next())->bytes == Result(1, R"({"protocolVersion":"2025-06-18"})"));
  CHECK((co_await rig->Send(Notification("notifications/initialized"))).ok());

  auto second = co_await rig->Forward(Request(2, "a", R"({"_meta":{"progressToken":"p"}})"));
  auto third = co_await rig->Forward(Request(3));
  REQUIRE(second.ok());
  REQUIRE(third.ok());
  co_await rig->Posted(4);
  // With two requests in flight a notification is nobody's.
  rig->server.Say(
      Event(Notification("notifications/tools/list_changed")) + Event(Result(3)) +
      Event(Notification("notifications/progress", R"({"progressToken":"p","progress":1})")) +
      Event(Result(9)) + Event("hello", "greeting") +
      Event(R"({"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"what?"}})") +
      Event(Result(2)));
  CHECK((co_await (*third)->Next())->bytes == Result(3));
  CHECK((co_await (*second)->Next())->method == "notifications/progress");
  CHECK((co_await (*second)->Next())->bytes == Result(2));
  CHECK((co_await rig->upstream->NextUnrelated())->method == "notifications/tools/list_changed");

  const auto requests = rig->server.requests();
  REQUIRE(requests.size() == 5);
  CHECK(requests[0].starts_with("GET /sse HTTP/1.1\r\n"));
  CHECK(Has(requests[0], "Accept: text/event-stream\r\n"));
  for (const std::string& request : requests) {
    CHECK(Has(request, "Authorization: Bearer held-credential\r\n"));
    CHECK_FALSE(Has(request, "Mcp-Session-Id"));
  }
  CHECK(requests[1].starts_with("POST /messages?session=s1 HTTP/1.1\r\n"));
  CHECK(Has(requests[3], "MCP-Protocol-Version: 2025-06-18\r\n"));
  // The stream, and connections that are used again: one more than messages go out at a time, for
  // an answer may be here before the word that its request was taken.
  CHECK(rig->server.connections() <= 4);
}
TEST_CASE("messages are posted to the endpoint and answered on the stream",
          "[agent][sse_upstream]") {
  Rig rig;
  rig.Run(Converses);
}

// --- the endpoint

Task<void> RefusesToOpen(Rig* rig) {
  const absl::Status status = co_await rig->Call(Request(1));
  CHECK(ReasonOf(status) == DenialReason::DENIAL_REASON_UPSTREAM_INVALID);
  CHECK_FALSE(Has(std::string(status.message()), "held-credential"));
  CHECK(ReasonOf(co_await rig->Call(Request(2))) == DenialReason::DENIAL_REASON_UPSTREAM_INVALID);
  CHECK(ReasonOf((co_await rig->upstream->NextUnrelated()).status()) ==
        DenialReason::DENIAL_REASON_UPSTREAM_INVALID);
  CHECK(rig->server.requests().size() == 1);
}
TEST_CASE("a stream without an endpoint at its own origin gets no message and no second request",
          "[agent][sse_upstream]") {
  const std::string opening =
      GENERATE(kSseHead + Event("http://127.0.0.2/messages", "endpoint"),
               kSseHead + Event("http://127.0.0.1:1/messages", "endpoint"),
               kSseHead + Event("https://evil.example/", "endpoint"),
               kSseHead + Event("//evil.example/", "endpoint"),
               kSseHead + Event("/a/../b", "endpoint"), kSseHead + Event("/messages"),
               kSseHead + Event(Result(1)), kSseHead + Event(std::string(70000, 'x'), "endpoint"),
               HttpReply(200, "text/html", "held-credential"),
               HttpReply(401, "text/plain", "held-credential"),
               HttpReply(307, "text/plain", "", "Location: http://169.254.169.254/\r\n"),
               "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\n"
               "Transfer-Encoding: chunked\r\n\r\n" +
                   Event("/messages", "endpoint"));
  INFO(opening.substr(0, 200));
  Rig rig(opening);
  rig.Run(RefusesToOpen);
}

Task<void> LosesAnUnopened(Rig* rig) {
  CHECK(ReasonOf(co_await rig->Call(Request(1))) == DenialReason::DENIAL_REASON_UPSTREAM_LOST);
  CHECK(rig->server.requests().size() == 1);
}
Task<void> IsAnswered(Rig* rig) {
  auto exchange = co_await rig->Forward(Request(1));
  REQUIRE(exchange.ok());
  co_await rig->Posted(1);
  // So that the word that it was taken is here before.
  co_await Sleep(rig->loop, absl::Milliseconds(20));
  rig->server.Say(Event(Result(1)));
  CHECK((co_await (*exchange)->Next()).ok());
  CHECK((co_await rig->Send(Notification("notifications/initialized"))).ok());
}
TEST_CASE("events that are no messages come before the endpoint", "[agent][sse_upstream]") {
  Rig rig(kSseHead + HttpChunk(": hello\n\n") + Event("{}", "ping") +
          Event("2026-11-26T00:00:00Z", "ping") + Event("/messages", "endpoint"));
  rig.Run(IsAnswered);
}
TEST_CASE("a message is taken whose word of it has no proper end", "[agent][sse_upstream]") {
  const bool closes = GENERATE(false, true);
  const std::string length = GENERATE("", "Content-Length: 100\r\n");
  INFO(length << closes);
  Rig rig(kSseHead + Event("/messages", "endpoint"),
          "HTTP/1.1 202 Accepted\r\n" + length + "\r\nAccepted", false, closes);
  rig.Run(IsAnswered);
}

TEST_CASE("a stream that ends before its endpoint is lost", "[agent][sse_upstream]") {
  Rig rig(kSseHead + "0\r\n\r\n", kTaken, true);
  rig.Run(LosesAnUnopened);
}

// --- the end of the stream

Task<void> LosesTheSession(Rig* rig) {
  auto first = co_await rig->Forward(Request(1));
  auto second = co_await rig->Forward(Request(2));
  REQUIRE(first.ok());
  REQUIRE(second.ok());
  co_await rig->Posted(2);
  rig->server.Say(Event(Result(1)) + "0\r\n\r\n");
  CHECK((co_await (*first)->Next())->bytes == Result(1));
  CHECK(ReasonOf((co_await (*second)->Next()).status()) ==
        DenialReason::DENIAL_REASON_UPSTREAM_LOST);
  CHECK(ReasonOf((co_await rig->upstream->NextUnrelated()).status()) ==
        DenialReason::DENIAL_REASON_UPSTREAM_LOST);
  CHECK(ReasonOf(co_await rig->Call(Request(3))) == DenialReason::DENIAL_REASON_UPSTREAM_LOST);
  CHECK(ReasonOf(co_await rig->Send(Notification("notifications/initialized"))) ==
        DenialReason::DENIAL_REASON_UPSTREAM_LOST);
  CHECK(rig->posts() == 2);
  CHECK(rig->server.requests().size() == 3);
}
TEST_CASE("the stream's end is the session's: what is in flight is lost and nothing is sent again",
          "[agent][sse_upstream]") {
  Rig rig;
  rig.Run(LosesTheSession);
}

Task<void> EndsOnWhatIsForbidden(Rig* rig) {
  auto first = co_await rig->Forward(Request(1));
  REQUIRE(first.ok());
  co_await rig->Posted(1);
  rig->server.Say(Event("/elsewhere", "endpoint"));
  CHECK(ReasonOf((co_await (*first)->Next()).status()) ==
        DenialReason::DENIAL_REASON_UPSTREAM_INVALID);
  CHECK(ReasonOf(co_await rig->Call(Request(2))) == DenialReason::DENIAL_REASON_UPSTREAM_INVALID);
  CHECK(rig->posts() == 1);
}
TEST_CASE("a second endpoint ends the session", "[agent][sse_upstream]") {
  Rig rig;
  rig.Run(EndsOnWhatIsForbidden);
}

Task<void> EndsOnTooMuch(Rig* rig) {
  auto first = co_await rig->Forward(Request(1));
  REQUIRE(first.ok());
  rig->server.Say(Event(Result(1, R"({"a":")" + std::string(70000, 'x') + R"("})")));
  CHECK(ReasonOf((co_await (*first)->Next()).status()) ==
        DenialReason::DENIAL_REASON_UPSTREAM_INVALID);
  CHECK_FALSE((co_await rig->upstream->NextUnrelated()).ok());
}
TEST_CASE("an event longer than a message may be ends the session", "[agent][sse_upstream]") {
  Rig rig;
  rig.Run(EndsOnTooMuch);
}

Task<void> FailsWhatIsInFlight(Rig* rig) {
  auto first = co_await rig->Forward(Request(1));
  REQUIRE(first.ok());
  rig->server.Say(Event(R"({"jsonrpc":"2.0","id":1,"result":{},"id":1})"));
  CHECK(ReasonOf((co_await (*first)->Next()).status()) ==
        DenialReason::DENIAL_REASON_UPSTREAM_INVALID);
  // The session goes on.
  auto second = co_await rig->Forward(Request(2));
  REQUIRE(second.ok());
  rig->server.Say(Event(Result(2)));
  CHECK((co_await (*second)->Next())->bytes == Result(2));
}
TEST_CASE("a message that is not clean ends what is in flight", "[agent][sse_upstream]") {
  Rig rig;
  rig.Run(FailsWhatIsInFlight);
}

Task<void> PassesOverUnclean(Rig* rig) {
  auto exchange = co_await rig->Forward(Request(1));
  REQUIRE(exchange.ok());
  co_await rig->Posted(1);
  rig->server.Say(Event(R"({"jsonrpc":"2.0","method":"notifications/progress","params":{}})") +
                  Event(Result(1)));
  CHECK((co_await (*exchange)->Next()).ok());
  CHECK_FALSE((co_await rig->upstream->NextUnrelated())->stray.empty());
}
TEST_CASE("a notification that is not clean ends nothing", "[agent][sse_upstream]") {
  Rig rig;
  rig.Run(PassesOverUnclean);
}

// --- messages that are not taken

Task<void> IsNotTaken(Rig* rig) {
  const auto reason = ReasonOf(co_await rig->Call(Request(1)));
  CHECK((reason == DenialReason::DENIAL_REASON_UPSTREAM_INVALID ||
         reason == DenialReason::DENIAL_REASON_UPSTREAM_LOST));
  CHECK_FALSE((co_await rig->Send(Notification("notifications/initialized"))).ok());
  CHECK(rig->posts() == 2);
}
TEST_CASE("a message that the server does not take fails alone and is sent once",
          "[agent][sse_upstream]") {
  const std::string taken =
      GENERATE(HttpReply(400, "text/plain", "held-credential"), HttpReply(500, "text/plain", ""),
               HttpReply(307, "text/plain", "", "Location: http://169.254.169.254/\r\n"),
               std::string("HTTP/1.2 202 Accepted\r\n\r\n"));
  Rig rig(kSseHead + Event("/messages", "endpoint"), taken);
  rig.Run(IsNotTaken);
}

// --- waiting

Task<void> TakeNext(Exchange* exchange, absl::Status* got, Signal* done) {
  *got = (co_await exchange->Next()).status();
  done->Set();
}
Task<void> WakesWaiters(Rig* rig) {
  for (auto expected : {absl::StatusCode::kCancelled, absl::StatusCode::kUnavailable}) {
    auto exchange = co_await rig->Forward(Request(1));
    REQUIRE(exchange.ok());
    absl::Status got;
    Signal done(rig->loop);
    rig->loop.Spawn(TakeNext(exchange->get(), &got, &done));
    co_await Sleep(rig->loop, absl::ZeroDuration());
    if (expected == absl::StatusCode::kCancelled) {
      (*exchange)->Cancel();
    } else {
      co_await rig->upstream->Close();
    }
    co_await done.Wait();
    CHECK(got.code() == expected);
  }
}
TEST_CASE("who waits for an answer on the stream is woken by Cancel and by Close",
          "[agent][sse_upstream]") {
  Rig rig;
  rig.Run(WakesWaiters);
}

}  // namespace
}  // namespace sallyport::agent
