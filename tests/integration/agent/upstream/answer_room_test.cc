// What is long of what servers say is read while there is room for it.
#include "agent/upstream/answer_room.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <memory>
#include <optional>
#include <string>

#include "agent/loop/signal.h"
#include "agent/upstream/http_upstream.h"
#include "agent/upstream/stdio_upstream.h"
#include "common/denial.h"
#include "tests/fakes/outbound_maker.h"
#include "tests/fakes/raw_http_server.h"
#include "tests/fakes/temp_dir.h"

namespace sallyport::agent {
namespace {

using types::v1::DenialReason;
constexpr std::size_t kMiB = std::size_t{1} << 20;
using MessageOr = absl::StatusOr<UpstreamMessage>;

std::string Result(std::size_t bytes) {
  return R"({"jsonrpc":"2.0","id":1,"result":{"text":")" + std::string(bytes, 'x') + R"("}})";
}
std::string Streamed(std::size_t bytes) {
  return "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: "
         "chunked\r\n\r\n" +
         HttpChunk(": " + std::string(100000, '-') + "\n\ndata: " + Result(bytes) + "\n\n") +
         "0\r\n\r\n";
}

// An upstream that shares the room with others, of whom each has as much as one may.
struct Rig {
  explicit Rig(RawHttpServer::Script script) : server(std::move(script)) {
    HttpOptions options{.server = "raw",
                        .url = *ParseServerUrl("http://127.0.0.1:" + server->port() + "/mcp"),
                        .answers = {.room = room, .principal = "p"}};
    options.patience.no_room = absl::Milliseconds(300);
    upstream = std::make_unique<HttpUpstream>(loop, sweep, std::move(options));
  }
  explicit Rig(absl::Duration long_line = absl::Seconds(60)) {
    chmod(dir.path().c_str(), 0755);
    std::ofstream(dir / "child.py") << std::ifstream(AWKWARD_CHILD).rdbuf();
    SpawnPlan plan;
    plan.argv = {"/usr/bin/python3", dir / "child.py"};
    plan.env = {"PATH=/usr/bin:/bin"};
    plan.isolate = false;
    if (geteuid() == 0) plan.run_as = RunAs{65534, 65534};
    auto child = SpawnChild(plan);
    REQUIRE(child.ok());
    upstream =
        std::make_unique<StdioUpstream>(loop, *std::move(child),
                                        StdioOptions{.server = "awkward",
                                                     .answers = {.room = room, .principal = "p"},
                                                     .long_line = long_line});
  }

  AnswerPlace Take(const std::string& principal, std::size_t bytes) {
    return AnswerShare{.room = room, .principal = principal}.Take(bytes);
  }

  Loop loop;
  TempDir dir;
  OutboundMaker maker{loop};
  DeadlineSweep sweep{loop};
  std::shared_ptr<AnswerRoom> room = std::make_shared<AnswerRoom>(loop);
  std::optional<RawHttpServer> server;
  std::unique_ptr<Upstream> upstream;
};

// Its exchange, and what it brought first, which holds its place.
struct Asked {
  std::unique_ptr<Exchange> exchange;
  std::optional<MessageOr> message;
};

Task<void> Ask(Rig* rig, std::string method, Asked* asked) {
  const OutboundMessage request = co_await rig->maker.Make(
      R"({"jsonrpc":"2.0","id":1,"method":")" + method + R"(","params":{"bytes":200000,"text":")" +
      std::string(100000, 'x') + "\"}}");
  auto exchange = co_await rig->upstream->Forward(request);
  REQUIRE(exchange.ok());
  asked->exchange = *std::move(exchange);
  asked->message.emplace(co_await asked->exchange->Next());
}

Task<void> WaitsForRoom(Rig* rig) {
  AnswerPlace held = rig->Take("p", 64 * kMiB);
  CHECK(rig->Take("p", kMiB) == nullptr);
  Asked asked;
  rig->loop.Spawn(Ask(rig, "long", &asked));
  co_await Sleep(rig->loop, absl::Milliseconds(150));
  CHECK_FALSE(asked.message.has_value());
  held.reset();
  for (int i = 0; i < 500 && !asked.message; ++i) {
    co_await Sleep(rig->loop, absl::Milliseconds(10));
  }
  REQUIRE(asked.message.has_value());
  REQUIRE(asked.message->ok());
  CHECK((*asked.message)->bytes.size() > 200000);
  // It holds what it is long, and no more, until it is done with.
  CHECK(rig->Take("p", 64 * kMiB) == nullptr);
  CHECK(rig->Take("p", 63 * kMiB) != nullptr);
  asked.exchange = nullptr;
  CHECK(rig->Take("p", 64 * kMiB) == nullptr);
  asked.message.reset();
  CHECK(rig->Take("p", 64 * kMiB) != nullptr);
  co_await rig->upstream->Close();
}

TEST_CASE("a long answer is read when there is room for it, which it gives back",
          "[agent][upstream]") {
  const int kind = GENERATE(0, 1, 2);
  if (kind == 0) {
    Rig rig;
    RunUntilDone(rig.loop, WaitsForRoom(&rig));
  } else {
    Rig rig([kind](const std::string&) {
      return RawHttpServer::Reply{kind == 1 ? JsonReply(Result(200000)) : Streamed(200000)};
    });
    RunUntilDone(rig.loop, WaitsForRoom(&rig));
  }
}

Task<void> HoldsWhatNobodyTakes(Rig* rig) {
  for (
      const char* message :
      {R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{}}})",
       R"({"jsonrpc":"2.0","method":"notifications/initialized"})"}) {
    const OutboundMessage outbound = co_await rig->maker.Make(message);
    if (outbound.message().id.empty()) {
      CHECK((co_await rig->upstream->Send(outbound)).ok());
    } else {
      auto exchange = co_await rig->upstream->Forward(outbound);
      REQUIRE(exchange.ok());
      CHECK((co_await (*exchange)->Next()).ok());
    }
  }
  // Of the three that the server says on its own stream, all wait here.
  co_await Sleep(rig->loop, absl::Milliseconds(200));
  CHECK(rig->Take("p", 62 * kMiB) == nullptr);
  CHECK(rig->Take("p", 60 * kMiB) != nullptr);
  {
    const auto first = co_await rig->upstream->NextUnrelated();
    REQUIRE(first.ok());
    CHECK(rig->Take("p", 62 * kMiB) == nullptr);
  }
  CHECK(rig->Take("p", 62 * kMiB - 200) != nullptr);
  co_await rig->upstream->Close();
}

TEST_CASE("what a server says on its own stream has its place until somebody is done with it",
          "[agent][upstream]") {
  Rig rig([](const std::string& request) {
    if (request.starts_with("GET ")) {
      const std::string message =
          R"({"jsonrpc":"2.0","method":"notifications/message","params":{"data":")" +
          std::string(kMiB, 'x') + R"("}})";
      std::string events;
      for (int i = 0; i < 3; ++i) events += HttpChunk("data: " + message + "\n\n");
      return RawHttpServer::Reply{
          "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: "
          "chunked\r\n\r\n" +
          events};
    }
    if (request.find("initialized") != std::string::npos)
      return RawHttpServer::Reply{"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"};
    return RawHttpServer::Reply{
        JsonReply(R"({"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18"}})",
                  "Mcp-Session-Id: s\r\n")};
  });
  RunUntilDone(rig.loop, HoldsWhatNobodyTakes(&rig));
}

TEST_CASE("no server takes more than half of the room, whoever asks", "[agent][upstream]") {
  Loop loop;
  const auto room = std::make_shared<AnswerRoom>(loop);
  const auto take = [&](const std::string& principal, const std::string& server) {
    return AnswerShare{.room = room, .principal = principal, .server = server}.Take(64 * kMiB);
  };
  const AnswerPlace first = take("a", "slow"), second = take("b", "slow");
  CHECK(first != nullptr);
  CHECK(second != nullptr);
  CHECK(take("c", "slow") == nullptr);
  // What it could not have, it does not hold.
  CHECK(take("c", "good") != nullptr);
  CHECK(take("d", "good") != nullptr);
}

Task<void> GivesUp(Rig* rig) {
  const AnswerPlace held = rig->Take("p", 64 * kMiB);
  Asked asked;
  co_await Ask(rig, "long", &asked);
  CHECK(ReasonOf(asked.message->status()) == DenialReason::DENIAL_REASON_LIMIT_EXCEEDED);
  co_await rig->upstream->Close();
}

TEST_CASE("a long answer for which there is no room for too long ends its call",
          "[agent][upstream]") {
  Rig rig([](const std::string&) { return RawHttpServer::Reply{JsonReply(Result(200000))}; });
  RunUntilDone(rig.loop, GivesUp(&rig));
}

Task<void> Cancels(Rig* rig) {
  const AnswerPlace held = rig->Take("p", 64 * kMiB);
  Asked asked;
  rig->loop.Spawn(Ask(rig, "long", &asked));
  co_await Sleep(rig->loop, absl::Milliseconds(100));
  REQUIRE(asked.exchange != nullptr);
  asked.exchange->Cancel();
  co_await Sleep(rig->loop, absl::Milliseconds(20));
  REQUIRE(asked.message.has_value());
  CHECK(absl::IsCancelled(asked.message->status()));
  co_await rig->upstream->Close();
}

TEST_CASE("who waits for room can be cancelled", "[agent][upstream]") {
  Rig rig([](const std::string&) { return RawHttpServer::Reply{JsonReply(Result(200000))}; });
  RunUntilDone(rig.loop, Cancels(&rig));
}

Task<void> LosesTheChild(Rig* rig) {
  Asked asked;
  co_await Ask(rig, "raw", &asked);
  CHECK(ReasonOf(asked.message->status()) == DenialReason::DENIAL_REASON_UPSTREAM_LOST);
  asked.exchange = nullptr;
  co_await rig->upstream->Close();
  CHECK(rig->Take("p", 64 * kMiB) != nullptr);
}

TEST_CASE("a child that does not end a long line that it has begun is given up",
          "[agent][upstream]") {
  Rig rig(absl::Milliseconds(100));
  RunUntilDone(rig.loop, LosesTheChild(&rig));
}

}  // namespace
}  // namespace sallyport::agent
