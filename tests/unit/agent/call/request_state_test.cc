#include "agent/call/request_state.h"

#include <catch2/catch.hpp>

#include "common/denial.h"
#include "tests/fakes/fake_clock.h"
#include "tests/unit/agent/mcp/modern_messages.h"

namespace sallyport::agent {
namespace {

struct Stage {
  std::unique_ptr<ServedSession> Session(const std::string& id, const std::string& subject,
                                         char key) {
    SessionFacts facts;
    facts.id = id;
    facts.server = "wiki";
    facts.principal.set_realm("okta");
    facts.principal.set_subject(subject);
    facts.expires_at = clock.Now() + absl::Hours(1);
    facts.remaining = absl::Hours(1);
    facts.terms.mutable_idle_timeout()->set_seconds(60);
    auto made = std::make_unique<ServedSession>(loop, clock, facts, subject + " at wiki");
    made->state_key = std::string(32, key);
    made->digest_key = std::string(32, 'd');
    return made;
  }

  Loop loop;
  FakeClock clock;
  std::unique_ptr<ServedSession> session = Session("ses_1", "bot", 'k');
};

std::string Params(const std::string& name, const std::string& arguments) {
  return R"("name":")" + name + R"(","arguments":)" + arguments;
}
ClientMessage Call(const std::string& arguments = R"({"a":1,"b":"x"})") {
  return ModernCall("deploy", arguments);
}
// The call again, with a state.
ClientMessage Retry(const std::string& state,
                    const std::string& params = Params("deploy", R"({"a":1,"b":"x"})"),
                    const std::string& method = "tools/call") {
  return FromClient(ModernRequest(method, params + R"(,"requestState":")" + state + "\""));
}
std::string Sealed(ServedSession& session, const ClientMessage& call = Call(),
                   const Continuation& continuation = {.server_state = "\"s\""}) {
  auto state = SealRequestState(session, call, continuation, absl::ZeroDuration());
  REQUIRE(state.ok());
  return *std::move(state);
}
bool Opens(ServedSession& session, const ClientMessage& retry) {
  const auto opened = OpenRequestState(session, retry);
  if (!opened.ok()) {
    CHECK(ReasonOf(opened.status()) == types::v1::DENIAL_REASON_MESSAGE_INVALID);
  }
  return opened.ok();
}

TEST_CASE("a retry goes on with what its state holds, which nobody can read", "[agent][call]") {
  Stage stage;
  const std::string secret = R"("the server's \"own\" state: hunter2")";
  const std::string state = Sealed(*stage.session, Call(),
                                   {.server_state = secret,
                                    .is_counted = true,
                                    .approval_id = "apr_1",
                                    .call_id = "call-1",
                                    .asked = {"", "q"},
                                    .rounds = 3});
  CHECK(state.find("hunter2") == std::string::npos);
  CHECK(state.find("apr_1") == std::string::npos);
  CHECK(state.find_first_of("\"\\") == std::string::npos);
  const auto opened = OpenRequestState(*stage.session, Retry(state));
  REQUIRE(opened.ok());
  CHECK(opened->server_state == secret);
  CHECK(opened->is_counted);
  CHECK(opened->approval_id == "apr_1");
  CHECK(opened->call_id == "call-1");
  CHECK(opened->asked == std::vector<std::string>{"", "q"});
  CHECK(opened->rounds == 4);
}

TEST_CASE("the same state is never given twice", "[agent][call]") {
  Stage stage;
  CHECK(Sealed(*stage.session) != Sealed(*stage.session));
}

TEST_CASE("a state is good for one retry", "[agent][call]") {
  Stage stage;
  const std::string state = Sealed(*stage.session);
  CHECK(stage.session->rounds.size() == 1);
  CHECK(Opens(*stage.session, Retry(state)));
  CHECK(stage.session->rounds.empty());
  CHECK_FALSE(Opens(*stage.session, Retry(state)));
}

TEST_CASE("a state is of its session and its principal", "[agent][call]") {
  Stage stage;
  const std::string state = Sealed(*stage.session);
  const auto with_rounds = [&](std::unique_ptr<ServedSession> other) {
    other->rounds = stage.session->rounds;
    return Opens(*other, Retry(state));
  };
  // Even where the key and the round were the same.
  CHECK_FALSE(with_rounds(stage.Session("ses_2", "bot", 'k')));
  CHECK_FALSE(with_rounds(stage.Session("ses_1", "thief", 'k')));
  CHECK_FALSE(with_rounds(stage.Session("ses_1", "bot", 'l')));
  CHECK(with_rounds(stage.Session("ses_1", "bot", 'k')));
}

TEST_CASE("a state is of its method, name and arguments", "[agent][call]") {
  Stage stage;
  const std::string state = Sealed(*stage.session);
  CHECK_FALSE(Opens(*stage.session, Retry(state, Params("destroy", R"({"a":1,"b":"x"})"))));
  CHECK_FALSE(Opens(*stage.session, Retry(state, Params("deploy", R"({"a":2,"b":"x"})"))));
  CHECK_FALSE(Opens(*stage.session, Retry(state, Params("deploy", R"({"a":1})"))));
  CHECK_FALSE(Opens(*stage.session, Retry(state, Params("deploy", R"({"a":1,"b":"x","c":0})"))));
  CHECK_FALSE(Opens(*stage.session, Retry(state, Params("deploy", R"({"a":"1","b":"x"})"))));
  CHECK_FALSE(Opens(*stage.session, Retry(state, R"("name":"deploy")")));
  CHECK_FALSE(
      Opens(*stage.session, Retry(state, Params("deploy", R"({"a":1,"b":"x"})"), "prompts/get")));
  // A refused try leaves the round open for the right one.
  CHECK(Opens(*stage.session, Retry(state)));
}

TEST_CASE("a state is of all that stands beside the arguments, and of the client that says it",
          "[agent][call]") {
  Stage stage;
  const std::string arguments = Params("deploy", R"({"a":1,"b":"x"})");
  const ClientMessage call = FromClient(ModernRequest("tools/call", arguments + R"(,"x":1)"));
  const std::string state = Sealed(*stage.session, call);
  CHECK_FALSE(Opens(*stage.session, Retry(state)));
  for (const char* other : {R"(,"x":666)", R"(,"x":1,"uri":"file:///a")", R"(,"x":1,"ref":{})",
                            R"(,"x":1,"task":{})"}) {
    CHECK_FALSE(Opens(*stage.session, Retry(state, arguments + other)));
  }
  ClientMessage retry = Retry(state, arguments + R"(,"x":1,"inputResponses":{})");
  const auto with = [&](std::string_view before, const std::string& after) {
    std::string bytes = retry.bytes;
    const std::size_t place = bytes.find(before);
    REQUIRE(place != std::string::npos);
    return FromClient(bytes.replace(place, before.size(), after));
  };
  CHECK_FALSE(Opens(*stage.session, with(R"("_meta":{)", R"("_meta":{"v/x":1,)")));
  CHECK_FALSE(Opens(*stage.session, with(R"("id":1)", R"("id":1,"more":1)")));
  CHECK_FALSE(Opens(*stage.session,
                    with(R"(clientCapabilities":{})", R"(clientCapabilities":{"roots":{}})")));
  CHECK(Opens(*stage.session, with(R"("_meta":{)", R"("_meta":{"progressToken":9,)")));
}

TEST_CASE("the order of arguments and what answers the server do not matter", "[agent][call]") {
  Stage stage;
  const std::string state = Sealed(*stage.session, Call(), {.asked = {"q"}});
  CHECK(Opens(*stage.session, Retry(state, Params("deploy", R"({ "b" : "\u0078", "a" : 1 })") +
                                               R"(,"inputResponses":{"q":{"action":"accept"}})")));
}

TEST_CASE("a retry answers what was asked, and nothing else", "[agent][call]") {
  Stage stage;
  const std::string state = Sealed(*stage.session, Call(), {.asked = {"q", "r"}});
  const auto with = [&](const std::string& answers) {
    return Retry(state, Params("deploy", R"({"a":1,"b":"x"})") + R"(,"inputResponses":)" + answers);
  };
  for (const char* foreign : {R"({"s":{}})", R"({"q":{},"R":{}})", R"({"":{}})"}) {
    CHECK_FALSE(Opens(*stage.session, with(foreign)));
  }
  // The round is still open, and not all has to be answered in it.
  CHECK(Opens(*stage.session, with(R"({"\u0072":{}})")));
}

TEST_CASE("parts of a binding cannot be shifted into each other", "[agent][call]") {
  Stage stage;
  const std::string state = Sealed(*stage.session, ModernCall("ab", R"({"c":1})"));
  CHECK_FALSE(Opens(*stage.session, Retry(state, Params("a", R"({"bc":1})"))));
}

TEST_CASE("a state with any character changed, cut or added is refused", "[agent][call]") {
  Stage stage;
  const std::string state = Sealed(*stage.session);
  for (std::size_t i = 0; i < state.size(); ++i) {
    std::string tampered = state;
    tampered[i] = tampered[i] == 'A' ? 'B' : 'A';
    INFO(i);
    CHECK_FALSE(Opens(*stage.session, Retry(tampered)));
    CHECK_FALSE(Opens(*stage.session, Retry(state.substr(0, i))));
  }
  for (const std::string& foreign :
       {state + "A", state + "=", " " + state, "x" + state, std::string("sp1."),
        std::string("sp1.AAAA"), std::string("the server's own")}) {
    CHECK_FALSE(Opens(*stage.session, Retry(foreign)));
  }
  // The same text, written with an escape.
  CHECK_FALSE(Opens(*stage.session, Retry("\\u0073" + state.substr(1))));
  CHECK(Opens(*stage.session, Retry(state)));
}

TEST_CASE("a state holds for as long as its session may be idle, or until it is given up",
          "[agent][call]") {
  Stage stage;
  const std::string late = Sealed(*stage.session, Call(), {.call_id = "call-1"});
  const std::string given_up = Sealed(*stage.session, Call(), {.call_id = "call-2"});
  GiveUpRequestState(*stage.session, "\"" + given_up + "\"");
  GiveUpRequestState(*stage.session, "\"somebody else's\"");
  CHECK(stage.session->rounds.TakeGivenUp(absl::Seconds(59)) == std::vector<std::string>{"call-2"});
  CHECK_FALSE(Opens(*stage.session, Retry(given_up)));
  CHECK(stage.session->rounds.TakeGivenUp(absl::Seconds(60)) == std::vector<std::string>{"call-1"});
  CHECK_FALSE(Opens(*stage.session, Retry(late)));
}

TEST_CASE("a state does not outlive the agent that gave it", "[agent][call]") {
  Stage stage;
  const std::string state = Sealed(*stage.session);
  // The keys come back after a restart, the rounds do not.
  const auto restarted = stage.Session("ses_1", "bot", 'k');
  CHECK_FALSE(Opens(*restarted, Retry(state)));
}

}  // namespace
}  // namespace sallyport::agent
