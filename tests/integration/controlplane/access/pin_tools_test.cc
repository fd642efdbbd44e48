#include "controlplane/access/pin_tools.h"

#include <map>

#include "controlplane/access/manage_tools.h"
#include "controlplane/store/tools.h"
#include "tests/integration/controlplane/access/fixture.h"

namespace sallyport::controlplane {
namespace {

struct Pinning : Fixture {
  static std::string Hash(char digit) { return std::string(64, digit); }

  static agent::v1::ReportToolsRequest Saying(const std::string& server, const std::string& name,
                                              char hash) {
    agent::v1::ReportToolsRequest request;
    request.set_server(server);
    agent::v1::SeenTool& seen = *request.add_tools();
    seen.set_name(name);
    seen.set_definition_hash(Hash(hash));
    seen.set_definition(std::string(R"({"name":"x","v":")") + hash + "\"}");
    return request;
  }
  agent::v1::ReportToolsResponse Report(const std::string& agent, char hash,
                                        const std::string& name = "echo") {
    const auto response = PinTools(*control, clock).Run(Agent(agent), Saying("wiki", name, hash));
    INFO(response.status());
    REQUIRE(response.ok());
    return *response;
  }
  absl::StatusOr<admin::v1::AcceptToolResponse> Accept(char hash) {
    admin::v1::AcceptToolRequest request;
    request.set_server("wiki");
    request.set_name("echo");
    request.set_definition_hash(Hash(hash));
    return ManageTools(*control, clock).Run(admin, request);
  }
  absl::StatusOr<admin::v1::ForgetToolsResponse> Forget(const std::vector<std::string>& names) {
    admin::v1::ForgetToolsRequest request;
    request.set_server("wiki");
    *request.mutable_names() = {names.begin(), names.end()};
    return ManageTools(*control, clock).Run(admin, request);
  }
  // That agent has read the server's list to its end, and these pinned tools were not in it.
  void ReadList(const std::string& agent, const std::vector<std::string>& unlisted) {
    agent::v1::ReportToolsRequest request;
    request.set_server("wiki");
    *request.mutable_list()->mutable_unlisted() = {unlisted.begin(), unlisted.end()};
    REQUIRE(PinTools(*control, clock).Run(Agent(agent), request).ok());
  }
  // The tools that are shown as not listed any more, with since when.
  std::map<std::string, absl::Time> Unlisted() {
    admin::v1::ListToolsRequest request;
    request.set_server("wiki");
    const auto shown = ManageTools(*control, clock).Run(admin, request);
    REQUIRE(shown.ok());
    std::map<std::string, absl::Time> unlisted;
    for (const types::v1::Tool& tool : shown->items()) {
      if (tool.has_unlisted_at()) unlisted[tool.name()] = FromProto(tool.unlisted_at());
    }
    return unlisted;
  }
  uint64_t Version() { return meta::CurrentSnapshot(*Read())->version; }
  size_t Lines() { return audit_log::List(*Read(), 0, 1000)->size(); }
};

TEST_CASE_METHOD(Pinning, "a tool is pinned at its first report, with an audit line",
                 "[controlplane][access]") {
  const uint64_t before = Version();
  const auto response = Report("a1", 'a');
  REQUIRE(response.pins_size() == 1);
  CHECK(response.pins(0).definition_hash() == Hash('a'));
  CHECK_FALSE(response.pins(0).is_changed());
  CHECK(LastAction() == "tool.pin");
  CHECK(Version() == before + 1);
  // The same again, by whomever, is no news.
  const size_t lines = Lines();
  CHECK(Report("a2", 'a').pins_size() == 1);
  CHECK(Lines() == lines);
  CHECK(Version() == before + 1);
}

TEST_CASE_METHOD(Pinning, "a change is known to all agents until it is accepted",
                 "[controlplane][access]") {
  Report("a1", 'a');
  CHECK(Report("a1", 'b').pins(0).is_changed());
  CHECK(LastAction() == "tool.change");
  const auto pins = tools::Pins(*Read(), "wiki");
  REQUIRE(pins.ok());
  REQUIRE(pins->size() == 1);
  CHECK(pins->front().is_changed());
  CHECK(pins->front().definition_hash() == Hash('a'));
  const uint64_t before = Version();
  const auto accepted = Accept('b');
  REQUIRE(accepted.ok());
  CHECK(accepted->tool().accepted_by() == "local:uid=0");
  CHECK(LastAction() == "tool.accept");
  CHECK(Version() == before + 1);
  CHECK_FALSE(Report("a1", 'b').pins(0).is_changed());
}

TEST_CASE_METHOD(Pinning, "nothing but what was looked at is accepted", "[controlplane][access]") {
  CHECK(Accept('a').status().code() == absl::StatusCode::kNotFound);
  Report("a1", 'a');
  Report("a1", 'b');
  Report("a1", 'c');
  const size_t lines = Lines();
  const auto stale = Accept('b');
  CHECK(stale.status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK(ReasonOf(stale.status()) == types::v1::DENIAL_REASON_DEFINITION_CHANGED);
  CHECK(Lines() == lines);
  CHECK(tools::Pins(*Read(), "wiki")->front().definition_hash() == Hash('a'));
}

TEST_CASE_METHOD(Pinning, "what was accepted outlives a restart", "[controlplane][access]") {
  Report("a1", 'a');
  Report("a1", 'b');
  Restart();
  CHECK(Report("a2", 'b').pins(0).is_changed());
  REQUIRE(Accept('b').ok());
  Restart();
  CHECK_FALSE(Report("a2", 'b').pins(0).is_changed());
}

TEST_CASE_METHOD(Pinning, "an agent speaks of servers it fronts, and nobody else speaks",
                 "[controlplane][access]") {
  PinTools pin(*control, clock);
  CHECK(ReasonOf(pin.Run(Agent("a2"), Saying("files", "echo", 'a')).status()) ==
        types::v1::DENIAL_REASON_SERVER_UNKNOWN);
  CHECK(ReasonOf(pin.Run(Agent("stranger"), Saying("wiki", "echo", 'a')).status()) ==
        types::v1::DENIAL_REASON_SERVER_UNKNOWN);
  CHECK(ReasonOf(pin.Run(admin, Saying("wiki", "echo", 'a')).status()) ==
        types::v1::DENIAL_REASON_ROLE_MISSING);
  CHECK(tools::Pins(*Read(), "wiki")->empty());
}

TEST_CASE_METHOD(Pinning, "a report that is none changes nothing", "[controlplane][access]") {
  PinTools pin(*control, clock);
  const auto refused = [&](agent::v1::ReportToolsRequest request) {
    *request.add_tools() = Saying("wiki", "fine", 'a').tools(0);
    return pin.Run(Agent("a1"), request).status().code() == absl::StatusCode::kInvalidArgument;
  };
  CHECK(refused(Saying("wiki", "echo", 'G')));
  agent::v1::ReportToolsRequest longest = Saying("wiki", "echo", 'a');
  longest.mutable_tools(0)->set_definition(std::string((256 << 10) + 1, 'x'));
  CHECK(refused(longest));
  agent::v1::ReportToolsRequest many;
  many.set_server("wiki");
  for (int i = 0; i < 1000; ++i) *many.add_tools() = Saying("wiki", "t", 'a').tools(0);
  CHECK(refused(many));
  CHECK(tools::Pins(*Read(), "wiki")->empty());
}

TEST_CASE_METHOD(Pinning, "a name that cannot be pinned keeps no other tool from it",
                 "[controlplane][access]") {
  agent::v1::ReportToolsRequest request = Saying("wiki", std::string(4097, 'n'), 'a');
  *request.add_tools() = Saying("wiki", "", 'a').tools(0);
  *request.add_tools() = Saying("wiki", std::string(4096, 'n'), 'a').tools(0);
  *request.add_tools() = Saying("wiki", "echo", 'a').tools(0);
  const auto response = PinTools(*control, clock).Run(Agent("a1"), request);
  REQUIRE(response.ok());
  REQUIRE(response->pins_size() == 2);
  CHECK(response->pins(0).name().size() == 4096);
  CHECK(response->pins(1).name() == "echo");
  CHECK(*tools::Count(*Read(), "wiki") == 2);
}

TEST_CASE_METHOD(Pinning, "of one server no more than 4,096 tools are kept",
                 "[controlplane][access]") {
  for (int page = 0; page < 5; ++page) {
    agent::v1::ReportToolsRequest request;
    request.set_server("wiki");
    for (int i = 0; i < 1000; ++i) {
      *request.add_tools() =
          Saying("wiki", "tool-" + std::to_string(1000 * page + i), 'a').tools(0);
    }
    const auto response = PinTools(*control, clock).Run(Agent("a1"), request);
    REQUIRE(response.ok());
    CHECK(response->pins_size() == (page < 4 ? 1000 : 96));
  }
  CHECK(*tools::Count(*Read(), "wiki") == 4096);
}

TEST_CASE_METHOD(Pinning, "a tool that its server lists no more is shown with since when",
                 "[controlplane][access]") {
  Report("a1", 'a', "old");
  Report("a1", 'a', "echo");
  CHECK(Unlisted().empty());
  const uint64_t before = Version();
  const absl::Time since = clock.Now();
  ReadList("a1", {"old", "never-seen"});
  CHECK(Unlisted() == std::map<std::string, absl::Time>{{"old", since}});
  clock.Advance(absl::Minutes(1));
  ReadList("a1", {"old", "echo"});
  CHECK(Unlisted() == std::map<std::string, absl::Time>{{"old", since}, {"echo", clock.Now()}});
  ReadList("a1", {"echo"});
  CHECK(Unlisted() == std::map<std::string, absl::Time>{{"echo", clock.Now()}});
  CHECK(Version() == before);
  REQUIRE(Forget({"echo"}).ok());
  Report("a1", 'a', "echo");
  CHECK(Unlisted().empty());
}

TEST_CASE_METHOD(Pinning, "a tool that one agent's server still lists is not said to be gone",
                 "[controlplane][access]") {
  Report("a1", 'a', "old");
  ReadList("a2", {});
  ReadList("a1", {"old"});
  CHECK(Unlisted().empty());
  clock.Advance(absl::Minutes(1));
  ReadList("a2", {"old"});
  CHECK(Unlisted() == std::map<std::string, absl::Time>{{"old", clock.Now()}});
  ReadList("a2", {});
  CHECK(Unlisted().empty());
  // What serves it no more has no say in it.
  AddAgent("a2", {"files"});
  CHECK(Unlisted().contains("old"));
}

TEST_CASE_METHOD(Pinning, "of one list no more than 4,096 tools are missing",
                 "[controlplane][access]") {
  agent::v1::ReportToolsRequest request;
  request.set_server("wiki");
  for (int i = 0; i < 4097; ++i) request.mutable_list()->add_unlisted("tool");
  CHECK(PinTools(*control, clock).Run(Agent("a1"), request).status().code() ==
        absl::StatusCode::kInvalidArgument);
}

TEST_CASE_METHOD(Pinning, "a pin is forgotten, and its place is another tool's",
                 "[controlplane][access]") {
  Report("a1", 'a', "old");
  Report("a1", 'a', "older");
  Report("a1", 'a', "echo");
  const uint64_t before = Version();
  const auto forgotten = Forget({"old", "older"});
  REQUIRE(forgotten.ok());
  REQUIRE(forgotten->items_size() == 2);
  CHECK(forgotten->items(0).name() == "old");
  CHECK(forgotten->items(0).definition().empty());
  CHECK(*tools::Count(*Read(), "wiki") == 1);
  CHECK(tools::Pins(*Read(), "wiki")->front().name() == "echo");
  CHECK(Version() == before + 1);  // agents hear of it
  const auto lines = *audit_log::List(*Read(), 0, 1000);
  CHECK(lines.back().action == "tool.forget");
  CHECK(lines.back().object == "tool/wiki/older");
  CHECK(lines.back().detail == Hash('a'));
  CHECK(lines.back().actor == "local:uid=0");
  // Its server lists it after all: it is pinned to what it is now.
  CHECK(Report("a1", 'b', "old").pins(0).definition_hash() == Hash('b'));
  CHECK(LastAction() == "tool.pin");
}

TEST_CASE_METHOD(Pinning, "what waits to be accepted is not forgotten, nor what is beside it",
                 "[controlplane][access]") {
  Report("a1", 'a', "old");
  Report("a1", 'a');
  Report("a1", 'b');
  const size_t lines = Lines();
  const uint64_t before = Version();
  const auto refused = Forget({"old", "echo"});
  CHECK(refused.status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK(ReasonOf(refused.status()) == types::v1::DENIAL_REASON_DEFINITION_CHANGED);
  CHECK(Forget({"old", "none"}).status().code() == absl::StatusCode::kNotFound);
  CHECK(Forget({}).status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(*tools::Count(*Read(), "wiki") == 2);
  CHECK(Lines() == lines);
  CHECK(Version() == before);
  // The change is as unaccepted as it was.
  CHECK(Report("a1", 'b').pins(0).is_changed());
}

TEST_CASE_METHOD(Pinning, "tools are listed by name and by page, without their definitions",
                 "[controlplane][access]") {
  Report("a1", 'a', "b");
  Report("a1", 'a', "a");
  Report("a1", 'a', "c");
  ManageTools manage(*control, clock);
  admin::v1::ListToolsRequest request;
  request.set_server("wiki");
  request.set_page_size(2);
  const auto first = manage.Run(admin, request);
  REQUIRE(first.ok());
  REQUIRE(first->items_size() == 2);
  CHECK(first->items(0).name() == "a");
  CHECK(first->items(0).definition().empty());
  CHECK(first->next_page_token() == "b");
  request.set_page_token(first->next_page_token());
  const auto second = manage.Run(admin, request);
  REQUIRE(second->items_size() == 1);
  CHECK(second->items(0).name() == "c");
  CHECK(second->next_page_token().empty());
  admin::v1::GetToolRequest get;
  get.set_server("wiki");
  get.set_name("b");
  CHECK_FALSE(manage.Run(admin, get)->tool().definition().empty());
}

TEST_CASE_METHOD(Pinning, "the tools of a server that nobody fronts are no empty list",
                 "[controlplane][access]") {
  Report("a1", 'a');
  ManageTools manage(*control, clock);
  admin::v1::ListToolsRequest request;
  request.set_server("wik");
  const auto status = manage.Run(admin, request).status();
  CHECK(status.code() == absl::StatusCode::kNotFound);
  CHECK(status.message() == "no agent fronts a server called wik; did you mean wiki?");
}

}  // namespace
}  // namespace sallyport::controlplane
