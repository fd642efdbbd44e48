// Connections that nobody was authenticated on.
#include "agent/listen/strangers.h"

#include <catch2/catch.hpp>
#include <deque>
#include <utility>

#include "tests/fakes/http_client.h"
#include "tests/unit/agent/listen/listener_thread.h"

namespace sallyport::agent {
namespace {

// Whoever asks for /known is known from then on.
class Service final : public HttpService {
 public:
  void OnBadHead(const ClientConnection&, HttpError) override {}
  Task<void> Serve(ClientConnection& connection) override {
    if (connection.request().target == "/known") connection.MarkKnown();
    co_await connection.Answer(OwnAnswer{.body = "here"});
  }
};

struct Stage : ListenerThread {
  explicit Stage(std::size_t max_connections = 4096) {
    ListenerOptions options;
    options.max_connections = max_connections;
    Start(service, std::move(options));
  }
  ~Stage() { Stop(); }

  Service service;
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
