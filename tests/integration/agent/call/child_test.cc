// A stdio server that ends at each moment, or says what is no message.
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/fakes/temp_dir.h"
#include "tests/integration/agent/call/door.h"

namespace sallyport {
namespace {

// A server that ends at `moment`, until told otherwise.
class Mortal {
 public:
  explicit Mortal(
      const std::string& moment = "",
      const std::string& config = "recording: {durability: process, spool_max_bytes: 128MiB}",
      const std::string& more = "") {
    chmod(place_.path().c_str(), 0755);
    std::ofstream(place_ / "server.py") << std::ifstream(MORTAL_SERVER).rdbuf();
    set_moment(moment);
    door.emplace(config, kPolicy, false,
                 "{name: wiki, stdio: {command: [/usr/bin/python3, \"" + (place_ / "server.py") +
                     "\", \"" + (place_ / "moment") + "\"], isolation: none" +
                     (geteuid() == 0 ? ", run_as: nobody" : "") + "}" + more + "}");
  }
  void set_moment(const std::string& moment) { std::ofstream(place_ / "moment") << moment; }

  // Until the server may be started again.
  HttpClient::Answer Initialize(const std::string& token) const {
    for (;;) {
      auto answer = door->Send({.token = token, .body = Door::Initialize()});
      if (answer.body.find("retryAt") == std::string::npos) return answer;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }

  std::optional<Door> door;

 private:
  TempDir place_;
};

std::string How(const std::string& how, int id = 1) {
  return Door::Call("echo", R"({"how":")" + how + "\"}", id);
}

TEST_CASE("a child that ends while it starts says so at once, and another one is started",
          "[agent][call]") {
  const std::string moment = GENERATE("start", "unanswered", "half");
  INFO(moment);
  Mortal mortal(moment);
  const std::string token = mortal.door->control.Token("bot");
  const auto refused = mortal.Initialize(token);
  CHECK(refused.status == 200);
  CHECK(refused.session_id.empty());
  CHECK(Json::parse(refused.body)["error"]["data"]["reason"] == "upstream_lost");
  mortal.set_moment("");
  CHECK_FALSE(mortal.Initialize(token).session_id.empty());
}

TEST_CASE("a child that ends at every start is not started over and over", "[agent][call]") {
  Mortal mortal("start");
  const std::string token = mortal.door->control.Token("bot");
  const auto attempt = [&] {
    return mortal.door->Send({.token = token, .body = Door::Initialize()}).body;
  };
  attempt();
  attempt();
  CHECK_THAT(attempt(), Catch::Contains("ended at its last 2 starts"));
}

TEST_CASE("a call is held as long as its own server's entry says", "[agent][call]") {
  Mortal mortal("", HoldFor(60), ", limits: {approval_hold_seconds: 1}");
  const std::string token = mortal.door->control.Token("bot");
  const Door::Bot bot{&*mortal.door, token, mortal.Initialize(token).session_id};
  // The agent's own hold is longer than the test waits for an answer.
  CHECK(ReasonOf(bot.Post(Door::Call("delete"))) == "approval_pending");
}

TEST_CASE("a child that ends behind its first answer ends its MCP session, and no other is needed",
          "[agent][call]") {
  Mortal mortal("behind");
  const std::string token = mortal.door->control.Token("bot");
  const auto begun = mortal.Initialize(token);
  if (!begun.session_id.empty()) {
    const Door::Bot bot{&*mortal.door, token, begun.session_id};
    HttpClient::Answer late;
    for (int i = 0; i < 500 && late.status != 404; ++i) late = bot.Post(Door::Call("echo"));
    CHECK(late.status == 404);
    CHECK(Json::parse(late.body)["reason"] == "session_ended");
  }
  mortal.set_moment("");
  CHECK_FALSE(mortal.Initialize(token).session_id.empty());
}

TEST_CASE("a child that ends in a call: all that is in flight hears of it, its session is gone",
          "[agent][call]") {
  const std::string how = GENERATE("unanswered", "half");
  INFO(how);
  Mortal mortal;
  const Door::Bot bot = mortal.door->Connect();
  std::vector<std::unique_ptr<HttpClient>> held;
  for (int id = 10; id < 15; ++id) {
    held.push_back(std::make_unique<HttpClient>(mortal.door->agent->port()));
    held.back()->Send(mortal.door->Bytes(
        {.token = bot.token, .session_id = bot.session_id, .body = How("hold", id)}));
  }
  // All of them have gone out when a later one has been answered.
  CHECK(Door::Message(bot.Post(How("")))["result"].contains("content"));
  const Json lost = Door::Message(bot.Post(How(how)));
  CHECK(lost["result"]["_meta"]["reason"] == "upstream_lost");
  int told = 0;
  for (auto& client : held) {
    const auto answer = client->Read();
    // One that came when the child had ended already finds its session gone.
    told += answer.status == 404 ||
            Door::Message(answer)["result"]["_meta"]["reason"] == "upstream_lost";
  }
  CHECK(told == 5);
  HttpClient::Answer late;
  for (int i = 0; i < 500 && late.status != 404; ++i) late = bot.Post(Door::Call("echo"));
  CHECK(late.status == 404);
  CHECK(Door::Message(mortal.door->Connect().Post(How("")))["result"].contains("content"));
}

TEST_CASE(
    "a child that ends does not complete the session, though another MCP session of it was "
    "deleted",
    "[agent][call]") {
  Mortal mortal;
  const Door::Bot one = mortal.door->Connect(), two = mortal.door->Connect();
  CHECK(one.Delete().status == 204);
  CHECK(Door::Message(two.Post(How("unanswered")))["result"]["_meta"]["reason"] == "upstream_lost");
  HttpClient::Answer late;
  for (int i = 0; i < 500 && late.status != 404; ++i) late = two.Post(How(""));
  CHECK(late.status == 404);
  const Door::Bot again = mortal.door->Connect();
  CHECK(Door::Message(again.Post(How("")))["result"].contains("content"));
  CHECK(mortal.door->control.opens() == 1);
  CHECK(again.Delete().status == 204);
  const auto end = mortal.door->control.AwaitEnd();
  REQUIRE(end);
  CHECK(end->end_reason == types::v1::END_REASON_COMPLETED);
}

TEST_CASE("the answer of a child that ends behind it arrives", "[agent][call]") {
  Mortal mortal;
  const Door::Bot bot = mortal.door->Connect();
  CHECK(Door::Message(bot.Post(How("behind")))["result"]["content"][0]["text"] == "done");
  CHECK(Door::Message(mortal.door->Connect().Post(How("")))["result"].contains("content"));
}

TEST_CASE("what is no message is not taken for one, and does no harm", "[agent][call]") {
  Mortal mortal;
  const Door::Bot bot = mortal.door->Connect();
  CHECK(Door::Message(bot.Post(How("garbage")))["result"]["content"][0]["text"] == "done");
  CHECK(Door::Message(bot.Post(How("pieces")))["result"]["content"] == Json::array());
  for (const char* how : {"digits", "deep"}) {
    INFO(how);
    const auto answer = bot.Post(How(how));
    CHECK(Door::Message(answer)["result"]["_meta"]["reason"] == "upstream_invalid");
    CHECK(answer.body.find("999") == std::string::npos);
  }
  CHECK(Door::Message(bot.Post(How("")))["result"]["content"][0]["text"] == "done");
}

TEST_CASE("numbers that no double holds pass as they are", "[agent][call]") {
  Mortal mortal;
  const auto answer = mortal.door->Connect().Post(How("number"));
  CHECK(answer.body.find("[1e400,-0,1.50,5e-324,12345678901234567890]") != std::string::npos);
}

TEST_CASE("a message too long for the line of a usual stdio server is refused, and it lives on",
          "[agent][call]") {
  Mortal mortal;
  const Door::Bot bot = mortal.door->Connect();
  const auto of = [](std::size_t bytes) {
    const std::string call = Door::Call("echo", R"({"pad":""})");
    std::string padded = call;
    return padded.insert(padded.find("\"\"") + 1, std::string(bytes - call.size(), 'x'));
  };
  constexpr std::size_t kMost = (10u << 20) - (64u << 10);
  CHECK(bot.Post(of(kMost + 1)).status == 413);
  CHECK(Door::Message(bot.Post(of(kMost)))["result"].contains("content"));
}

TEST_CASE("what a child says to nobody is recorded with its reason, and no flood of it",
          "[agent][call]") {
  Mortal mortal;
  Door& door = *mortal.door;
  const Door::Bot bot = door.Connect();
  const auto answer = bot.Post(How("again"));
  CHECK(answer.body.find("done") != std::string::npos);
  CHECK(answer.body.find("done again") == std::string::npos);
  CHECK(door.control.AwaitContent(
      types::v1::RECORD_TYPE_DENIAL, [](const types::v1::RecordContent& content) {
        return content.denial_reason() == types::v1::DENIAL_REASON_UPSTREAM_INVALID &&
               content.detail() == "the server answers no request that waits for an answer";
      }));
  CHECK(bot.Post(How("", 2)).body.find("done") != std::string::npos);
  CHECK(bot.Delete().status == 204);
  REQUIRE(door.control.AwaitEnd());
  const auto records = door.control.records();
  CHECK(std::count_if(records.begin(), records.end(), [](const types::v1::Record& record) {
          return record.type() == types::v1::RECORD_TYPE_DENIAL;
        }) <= 11);
}

TEST_CASE("a child that asks on and on is answered, and no flood of answers is recorded",
          "[agent][call]") {
  Mortal mortal;
  Door& door = *mortal.door;
  const Door::Bot bot = door.Connect();
  CHECK(bot.Post(How("ask")).body.find("done") != std::string::npos);
  CHECK(bot.Delete().status == 204);
  REQUIRE(door.control.AwaitEnd());
  const auto count = [&door](types::v1::RecordType type) {
    const auto records = door.control.records();
    return std::count_if(records.begin(), records.end(),
                         [&](const auto& record) { return record.type() == type; });
  };
  CHECK(count(types::v1::RECORD_TYPE_ANSWER) >= 10);
  CHECK(count(types::v1::RECORD_TYPE_ANSWER) <= 11);
  CHECK(count(types::v1::RECORD_TYPE_DENIAL) <= 11);
}

}  // namespace
}  // namespace sallyport
