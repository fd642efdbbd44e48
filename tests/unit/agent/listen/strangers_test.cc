// Connections that nobody was authenticated on.
#include "agent/listen/strangers.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <deque>
#include <thread>

#include "agent/listen/http_listener.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/http_client.h"

namespace sallyport::agent {
namespace {

// Whoever asks for /known is known from then on.
class Service final : public HttpService {
 public:
  Task<void> Serve(ClientConnection& connection) override {
    if (connection.request().target == "/known") connection.MarkKnown();
    co_await connection.Answer(OwnAnswer{.body = "here"});
  }
};

struct Stage {
  explicit Stage(std::size_t max_connections = 4096) {
    ListenerOptions options;
    options.address = "127.0.0.1:0";
    options.max_connections = max_connections;
    auto created = HttpListener::Create(loop, clock, std::move(options));
    if (!created.ok()) std::abort();
    listener = *std::move(created);
    const std::string& address = listener->address();
    port = std::atoi(address.substr(address.rfind(':') + 1).c_str());
    listener->Start(service);
    thread = std::thread([this] { loop.Run(); });
  }
  ~Stage() {
    loop.Post([this] { loop.Spawn(Drain()); });
    thread.join();
  }
  Task<void> Drain() {
    co_await listener->Drain(absl::ZeroDuration());
    loop.Stop();
  }

  FakeClock clock;
  Loop loop;
  Service service;
  std::unique_ptr<HttpListener> listener;
  int port = 0;
  std::thread thread;
};

bool Answers(HttpClient& client, const std::string& target = "/") {
  client.Send("GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n");
  return client.Read().body == "here";
}

TEST_CASE("an address keeps the newest 64 connections that nobody is known on", "[agent][listen]") {
  Stage stage;
  HttpClient known(stage.port);
  REQUIRE(Answers(known, "/known"));
  std::deque<HttpClient> strangers;
  for (int i = 0; i < 70; ++i) strangers.emplace_back(stage.port);
  // One that is known only now makes room.
  REQUIRE(Answers(strangers.back(), "/known"));
  stage.clock.Advance(absl::Seconds(1));
  for (int i = 0; i < 5; ++i) CHECK(strangers[i].AwaitClose());
  CHECK(Answers(strangers[5]));
  CHECK(Answers(strangers[68]));
  CHECK(Answers(strangers[69]));
  CHECK(Answers(known));
}

TEST_CASE("a crowd of one address may stand for a second, in a quarter of all places",
          "[agent][listen]") {
  Stage stage(400);
  std::deque<HttpClient> strangers;
  for (int i = 0; i < 110; ++i) strangers.emplace_back(stage.port);
  for (int i = 0; i < 10; ++i) CHECK(strangers[i].AwaitClose());
  CHECK(Answers(strangers[10]));
  CHECK(Answers(strangers[109]));
}

TEST_CASE("a connection on which nothing was ever said has no longer than a head",
          "[agent][listen]") {
  Stage stage;
  HttpClient silent(stage.port);
  HttpClient other(stage.port);
  REQUIRE(Answers(other));
  stage.clock.Advance(absl::Seconds(11));
  CHECK(silent.AwaitClose());
  CHECK(Answers(other));
}

}  // namespace
}  // namespace sallyport::agent
