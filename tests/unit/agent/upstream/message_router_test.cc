#include "agent/upstream/message_router.h"

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "agent/mcp/json_scan.h"

namespace sallyport::agent {
namespace {

struct Rig {
  std::string_view Route(const std::string& json) {
    return router->Route(*ScanUpstreamMessage(json)).dropped;
  }
  // All that NextUnrelated has to tell.
  std::vector<UpstreamMessage> Told() {
    std::vector<UpstreamMessage> told;
    router->Lose(absl::UnavailableError("gone"));
    loop.Spawn(Read(*this, told));
    loop.Run();
    return told;
  }
  static Task<void> Read(Rig& rig, std::vector<UpstreamMessage>& told) {
    for (;;) {
      auto message = co_await rig.router->NextUnrelated();
      if (!message.ok()) break;
      told.push_back(*std::move(message));
    }
    rig.loop.Stop();
  }

  Loop loop;
  std::shared_ptr<MessageRouter> router = std::make_shared<MessageRouter>(loop);
};

constexpr char kAnswer[] = R"({"jsonrpc":"2.0","id":9,"result":{"x":"secret"}})";

TEST_CASE("what belongs to nothing is told of without its bytes", "[agent][upstream]") {
  Rig rig;
  CHECK(rig.Route(kAnswer) == "answer_to_nothing");
  CHECK(rig.Route(R"({"jsonrpc":"2.0","method":"notifications/progress","params":)"
                  R"({"progressToken":"none","progress":1}})") == "progress_of_nothing");
  CHECK(rig.Route(R"({"jsonrpc":"2.0","method":"notifications/message","params":{}})").empty());
  const auto told = rig.Told();
  REQUIRE(told.size() == 3);
  CHECK(told[0].stray == "the server answers no request that waits for an answer");
  CHECK(told[0].bytes.empty());
  CHECK(told[0].shape == Shape::kNotification);
  CHECK(told[1].method == "notifications/progress");
  CHECK_FALSE(told[1].stray.empty());
  CHECK(told[2].stray.empty());
}

TEST_CASE("a flood of what belongs to nothing is told of sixteen times and takes no room",
          "[agent][upstream]") {
  Rig rig;
  for (int i = 0; i < 1000; ++i) rig.Route(kAnswer);
  for (int i = 0; i < 256; ++i) {
    CHECK(rig.Route(R"({"jsonrpc":"2.0","method":"notifications/message","params":{}})").empty());
  }
  CHECK(rig.Route(R"({"jsonrpc":"2.0","method":"notifications/message","params":{}})") ==
        "unrelated");
  CHECK(rig.Told().size() == 16 + 256);
}

}  // namespace
}  // namespace sallyport::agent
