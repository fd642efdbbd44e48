#include <set>

#include "tests/integration/controlplane/access/fixture.h"

namespace sallyport::controlplane {
namespace {

const admin::v1::ListSessionsRequest kAllSessions;

struct Reading : Fixture {
  Reading() {
    ApplyPolicy("bind: address, approval: {approvers: [\"okta:approvers\", \"okta:carol\"]}");
  }

  Caller With(bool is_admin, bool is_approver, bool is_auditor) {
    PersonCaller person = *SignedIn("dave", "[]").person();
    person.is_admin = is_admin;
    person.is_approver = is_approver;
    person.is_auditor = is_auditor;
    return Caller(person, "");
  }
};

TEST_CASE_METHOD(Reading, "sessions are listed page by page, newest first, for admins and auditors",
                 "[controlplane][access]") {
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) {
    ids.insert(ids.begin(), ByAgent(BotToken("bot-" + std::to_string(i))).session().id());
    clock.Advance(absl::Seconds(1));
  }
  admin::v1::ListSessionsRequest request;
  request.set_page_size(2);
  std::vector<std::string> seen;
  do {
    const auto page = read_sessions->Run(With(false, false, true), request);
    REQUIRE(page.ok());
    CHECK(page->items_size() <= 2);
    for (const auto& session : page->items()) seen.push_back(session.id());
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  CHECK(seen == ids);
  CHECK(read_sessions->Run(admin, kAllSessions)->items_size() == 5);
  CHECK(ReasonOf(read_sessions->Run(With(false, true, false), kAllSessions).status()) ==
        types::v1::DENIAL_REASON_ROLE_MISSING);
  CHECK(ReasonOf(read_sessions->Run(Person(BotToken()), kAllSessions).status()) ==
        types::v1::DENIAL_REASON_ROLE_MISSING);
}

TEST_CASE_METHOD(Reading, "sessions are listed by state and by principal",
                 "[controlplane][access]") {
  const std::string one = ByAgent(BotToken("one", "client-1")).session().id();
  const std::string two = ByAgent(BotToken("two", "client-1")).session().id();
  const std::string three = ByAgent(BotToken("three", "two")).session().id();
  REQUIRE(Deny(SessionOf(two).proto().approval_id(), SignedIn("alice")).ok());
  admin::v1::ListSessionsRequest request;
  const auto listed = [&] {
    const auto page = read_sessions->Run(admin, request);
    INFO(page.status());
    REQUIRE(page.ok());
    std::set<std::string> ids;
    for (const auto& session : page->items()) ids.insert(session.id());
    return ids;
  };
  using Ids = std::set<std::string>;
  request.set_principal("okta:client-1");
  CHECK(listed() == Ids{one, two});
  request.set_state(types::v1::SESSION_STATE_DENIED);
  CHECK(listed() == Ids{two});
  request.set_state(types::v1::SESSION_STATE_ACTIVE);
  CHECK(listed().empty());
  request.clear_state();
  request.set_principal("okta:two");  // a subject, and a client id
  CHECK(listed() == Ids{two, three});
  // Nothing is found of whom nobody has heard, and of what nobody has: that is told.
  request.set_principal("other:two");
  CHECK(absl::IsNotFound(read_sessions->Run(admin, request).status()));
  request.set_principal("okta:two");
  request.set_server("files");
  CHECK(listed().empty());
  request.set_server("wikki");
  CHECK(absl::IsNotFound(read_sessions->Run(admin, request).status()));
  request.clear_server();
  for (const char* malformed : {"two", ":two", "okta:"}) {
    request.set_principal(malformed);
    CHECK(absl::IsInvalidArgument(read_sessions->Run(admin, request).status()));
  }
}

TEST_CASE_METHOD(Reading, "a page token or size that cannot be is refused",
                 "[controlplane][access]") {
  admin::v1::ListSessionsRequest request;
  request.set_page_token("nonsense");
  CHECK(read_sessions->Run(admin, request).status().code() == absl::StatusCode::kInvalidArgument);
  request.clear_page_token();
  request.set_page_size(-1);
  CHECK(read_sessions->Run(admin, request).status().code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE_METHOD(Reading, "callers and agents watch their own sessions", "[controlplane][access]") {
  const std::string id = ByAgent(BotToken()).session().id();
  CHECK(read_sessions->Own(Person(BotToken()), id).ok());
  CHECK(read_sessions->Own(Agent("a1"), id).ok());
  CHECK(read_sessions->Own(Person(BotToken("other")), id).status().code() ==
        absl::StatusCode::kNotFound);
  CHECK(read_sessions->Own(Agent("a2"), id).status().code() == absl::StatusCode::kNotFound);
}

TEST_CASE_METHOD(Reading, "a person without a role sees the approvals that name him, and no others",
                 "[controlplane][access]") {
  for (int i = 0; i < 3; ++i) ByAgent(BotToken("bot-" + std::to_string(i)));
  ApplyPolicy("approval: {approvers: [\"okta:others\"]}");
  for (int i = 3; i < 6; ++i) ByAgent(BotToken("bot-" + std::to_string(i)));
  const auto count = [&](const Caller& caller) {
    return read_approvals->Run(caller, admin::v1::ListApprovalsRequest())->items_size();
  };
  CHECK(count(SignedIn("alice", R"(["approvers"])")) == 3);
  CHECK(count(SignedIn("carol", "[]")) == 3);
  CHECK(count(SignedIn("eve", "[]")) == 0);
  CHECK(count(With(false, true, false)) == 6);
  CHECK(count(With(false, false, true)) == 6);
  CHECK(count(admin) == 6);
  CHECK(count(Agent("a1")) == 0);
  admin::v1::ListApprovalsRequest request;
  request.set_page_size(2);
  auto page = read_approvals->Run(SignedIn("alice"), request);
  CHECK(page->items_size() == 2);
  request.set_page_token(page->next_page_token());
  page = read_approvals->Run(SignedIn("alice"), request);
  CHECK(page->items_size() == 1);
  CHECK(page->next_page_token().empty());
}

TEST_CASE_METHOD(
    Reading, "an approval that one may not see does not exist; a decided one is listed on demand",
    "[controlplane][access]") {
  admin::v1::GetApprovalRequest request;
  request.set_id(ByAgent(BotToken()).session().approval_id());
  CHECK(read_approvals->Run(SignedIn("alice"), request).ok());
  CHECK(read_approvals->Run(SignedIn("eve", "[]"), request).status().code() ==
        absl::StatusCode::kNotFound);
  REQUIRE(Approve(request.id(), SignedIn("alice")).ok());
  CHECK(read_approvals->Run(admin, admin::v1::ListApprovalsRequest())->items_size() == 0);
  admin::v1::ListApprovalsRequest all;
  all.set_all_states(true);
  CHECK(read_approvals->Run(admin, all)->items_size() == 1);
}

TEST_CASE_METHOD(Reading, "agents are listed with whether they are connected",
                 "[controlplane][access]") {
  ReadAgents read_agents(
      *control, *recordings,
      {.is_connected = [](std::string_view name) { return name == "a2"; },
       .not_understood = [](std::string_view name) { return name == "a2" ? "policy p: why" : ""; },
       .copy_seen_at =
           [&](std::string_view name) {
             return name == "a2" ? clock.Now() : absl::InfinitePast();
           }});
  const auto agents = read_agents.Run(With(false, false, true), admin::v1::ListAgentsRequest());
  REQUIRE(agents->items_size() == 2);
  CHECK(agents->items(0).name() == "a1");
  CHECK_FALSE(agents->items(0).connected());
  CHECK(agents->items(1).connected());
  CHECK(agents->items(0).not_understood().empty());
  CHECK(agents->items(1).not_understood() == "policy p: why");
  CHECK_FALSE(agents->items(0).has_copy_seen_at());
  CHECK(FromProto(agents->items(1).copy_seen_at()) == clock.Now());
  CHECK(ReasonOf(
            read_agents.Run(With(false, true, false), admin::v1::ListAgentsRequest()).status()) ==
        types::v1::DENIAL_REASON_ROLE_MISSING);
  admin::v1::ListAgentsRequest request;
  request.set_page_size(1);
  CHECK(read_agents.Run(admin, request)->next_page_token() == "a1");
}

TEST_CASE_METHOD(Reading, "an agent's own recordings are listed, the newest first",
                 "[controlplane][access]") {
  ReadAgents read_agents(*control, *recordings,
                         {.is_connected = [](std::string_view) { return true; },
                          .not_understood = [](std::string_view) { return ""; },
                          .copy_seen_at = [](std::string_view) { return absl::InfinitePast(); }});
  admin::v1::ListAgentRecordingsRequest request;
  request.set_name("a1");
  CHECK(read_agents.Run(admin, request)->items_size() == 0);
  AddCalls("agent:a1:0f", 2);
  const absl::Time began = clock.Now();
  clock.Advance(absl::Minutes(1));
  AddCalls("agent:a1:0e", 1);
  // None of these is its own: another agent's, whose name begins alike, and a session's.
  AddCalls("agent:a1-b:01", 1);
  AddCalls("agent:a10:01", 1);
  AddCalls("ses_aaaaaaaaaaaaaaaaaaaaaaaaaa", 1);
  const auto all = read_agents.Run(With(false, false, true), request);
  REQUIRE(all.ok());
  REQUIRE(all->items_size() == 2);
  CHECK(all->items(0).id() == "agent:a1:0e");
  CHECK(all->items(1).id() == "agent:a1:0f");
  CHECK(all->items(1).records() == 2);
  CHECK(FromProto(all->items(1).began_at()) == began);
  CHECK(FromProto(all->items(1).last_received_at()) == began);
  request.set_page_size(1);
  request.set_page_token(read_agents.Run(admin, request)->next_page_token());
  CHECK(read_agents.Run(admin, request)->items(0).id() == "agent:a1:0f");
  CHECK(read_agents.Run(admin, request)->next_page_token().empty());

  CHECK(ReasonOf(read_agents.Run(With(false, true, false), request).status()) ==
        types::v1::DENIAL_REASON_ROLE_MISSING);
  request.set_name("a");
  CHECK(read_agents.Run(admin, request).status().code() == absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace sallyport::controlplane
