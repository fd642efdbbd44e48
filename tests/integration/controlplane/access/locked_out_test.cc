// A person whose request was taken up before a lock shuts them out, and whose transaction comes
// after it.
#include "controlplane/access/ban_agent.h"
#include "controlplane/access/manage_tools.h"
#include "controlplane/access/revoke_principal.h"
#include "tests/integration/controlplane/access/fixture.h"

namespace sallyport::controlplane {
namespace {

struct LockedOut : Fixture {
  LockedOut() { ApplyPolicy("approval: {approvers: [\"okta:approvers\"], expires_after: 10m}"); }

  void LockOut(const std::string& subject) {
    Apply("kind: Lock\nname: incident\nspec: {principal: {realm: okta, subject: " + subject +
          "}}\n");
  }
  Caller Admin(const std::string& subject) {
    PersonCaller person = *SignedIn(subject).person();
    person.is_admin = true;
    return Caller(person, "10.0.0.1");
  }
  // Refused for the lock, with an audit line of its own.
  void CheckRefused(const absl::Status& status, const std::string& action) {
    INFO(status);
    CHECK(ReasonOf(status) == types::v1::DENIAL_REASON_LOCKED);
    const audit_log::Line line = audit_log::List(*Read(), 0, 1000)->back();
    CHECK(line.action == action);
    CHECK(line.denial_reason == types::v1::DENIAL_REASON_LOCKED);
    CHECK(line.detail == "the lock incident shuts you out");
  }
};

TEST_CASE_METHOD(LockedOut, "a decision that comes behind its giver's lock decides nothing",
                 "[controlplane][access]") {
  const auto pending = ByAgent(BotToken());
  const std::string& id = pending.session().approval_id();
  const Caller alice = SignedIn("alice");
  LockOut("alice");
  CheckRefused(Approve(id, alice).status(), "approval.approve");
  CheckRefused(Deny(id, alice).status(), "approval.deny");
  admin::v1::RevokeApprovalRequest revocation;
  revocation.set_id(id);
  CheckRefused(revoke->Run(alice, revocation).status(), "approval.revoke");
  CHECK(ApprovalOf(id).state() == types::v1::APPROVAL_STATE_PENDING);
  CHECK(Approve(id, SignedIn("bob")).ok());
}

TEST_CASE_METHOD(LockedOut, "an administrator changes nothing behind a lock of their own",
                 "[controlplane][access]") {
  const std::string id = ByAgent(BotToken()).session().id();
  const Caller alice = Admin("alice");
  LockOut("alice");
  admin::v1::EndSessionRequest session;
  session.set_id(id);
  CheckRefused(end->Run(alice, session).status(), "session.end");
  CHECK(SessionOf(id).is_pending());
  admin::v1::RevokePrincipalRequest principal;
  principal.set_principal("okta:bot");
  CheckRefused(RevokePrincipal(*control, clock, *confirmed_ends).Run(alice, principal).status(),
               "principal.revoke");
  CHECK(SessionOf(id).is_pending());
  admin::v1::BanAgentRequest agent;
  agent.set_name("a1");
  CheckRefused(BanAgent(*control, clock, is_connected).Run(alice, agent).status(), "agent.ban");
  CHECK(agents::FindInService(*Read(), "a1").ok());
  admin::v1::CreateJoinTokenRequest token;
  token.set_name("a9");
  token.add_servers("wiki");
  CheckRefused(join->Run(alice, token).status(), "join_token.create");
  admin::v1::AcceptToolRequest tool;
  tool.set_server("wiki");
  tool.set_name("echo");
  CheckRefused(ManageTools(*control, clock).Run(alice, tool).status(), "tool.accept");
  admin::v1::ForgetToolsRequest tools;
  tools.set_server("wiki");
  tools.add_names("echo");
  CheckRefused(ManageTools(*control, clock).Run(alice, tools).status(), "tool.forget");
  admin::v1::ResolveCallRequest call;
  call.set_session_id(id);
  call.set_call_id("call-1");
  call.set_was_done(true);
  CheckRefused(settle->Run(alice, call).status(), "call.resolve");
}

TEST_CASE_METHOD(LockedOut, "a lock that shuts a server, or somebody else, shuts out nobody",
                 "[controlplane][access]") {
  const auto pending = ByAgent(BotToken());
  Apply("kind: Lock\nname: files\nspec: {server: files}\n");
  LockOut("mallory");
  CHECK(Approve(pending.session().approval_id(), SignedIn("alice")).ok());
}

TEST_CASE_METHOD(LockedOut,
                 "who only ever approved is known to the administrator who locks them out",
                 "[controlplane][access]") {
  REQUIRE(Approve(ByAgent(BotToken()).session().approval_id(), SignedIn("alice")).ok());
  admin::v1::RevokePrincipalRequest request;
  request.set_principal("okta:alice");
  CHECK_FALSE(RevokePrincipal(*control, clock, *confirmed_ends).Run(admin, request)->is_unknown());
  request.set_principal("okta:alise");
  CHECK(RevokePrincipal(*control, clock, *confirmed_ends).Run(admin, request)->is_unknown());
}

}  // namespace
}  // namespace sallyport::controlplane
