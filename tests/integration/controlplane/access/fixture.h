#pragma once

#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "common/denial.h"
#include "common/grant/verify.h"
#include "common/policy/documents.h"
#include "common/record_run.h"
#include "controlplane/access/agent_updates.h"
#include "controlplane/access/call_approvals.h"
#include "controlplane/access/decide_approval.h"
#include "controlplane/access/end_session.h"
#include "controlplane/access/enroll_agent.h"
#include "controlplane/access/expire_sessions.h"
#include "controlplane/access/notices.h"
#include "controlplane/access/open_session.h"
#include "controlplane/access/read_agents.h"
#include "controlplane/access/read_approvals.h"
#include "controlplane/access/read_sessions.h"
#include "controlplane/access/renew_session.h"
#include "controlplane/access/reserve_call.h"
#include "controlplane/access/revoke_approval.h"
#include "controlplane/access/settle_call.h"
#include "controlplane/identity/issuers.h"
#include "controlplane/keys/deployment_keys.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/store/agents.h"
#include "controlplane/store/approvals.h"
#include "controlplane/store/audit_log.h"
#include "controlplane/store/documents.h"
#include "controlplane/store/meta.h"
#include "controlplane/store/outbox.h"
#include "controlplane/store/records.h"
#include "controlplane/store/sessions.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/runs.h"
#include "tests/fakes/temp_dir.h"
#include "tests/integration/controlplane/access/test_issuer.h"

namespace sallyport::controlplane {

// The control plane's use cases over a real database, real keys and an issuer with two entries of
// one realm: access tokens and people's sign-in.
struct Fixture {
  static constexpr char kDigest[] =
      "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

  Fixture() {
    okta.WriteJwks(dir / "okta.json");
    issuers = *Issuers::Create(
        {Entry("okta", "", "api://sallyport"), Entry("okta-people", "id_token", "people")},
        {"api://sallyport-admin"}, clock);
    issuers->Start();
    keys = *DeploymentKeys::Open(dir.path(), clock, {});
    config.add_notify()->set_name("everyone");
    config::v1::Notifier& others = *config.add_notify();
    others.set_name("others");
    others.add_approvers("okta:somebody-else");
    Restart();
    AddAgent("a1", {"wiki", "files"});
    AddAgent("a2", {"wiki"});
  }
  ~Fixture() { issuers->Stop(); }

  config::v1::Issuer Entry(const std::string& id, const std::string& kind,
                           const std::string& audience) {
    config::v1::Issuer entry;
    entry.set_id(id);
    entry.set_realm("okta");
    entry.set_issuer("https://acme.okta.test");
    entry.add_audiences(audience);
    entry.add_algs("ES256");
    entry.set_token_kind(kind);
    entry.mutable_jwks()->set_file(dir / "okta.json");
    entry.mutable_claims()->add_client_id()->add_members("cid");
    entry.mutable_claims()->add_scopes()->add_members("scp");
    entry.mutable_claims()->add_groups()->add_members("groups");
    entry.mutable_principal()->add_user_if()->mutable_present()->add_members("uid");
    return entry;
  }

  // As if the program had been started again over the same files.
  void Restart() {
    changes.reset();
    control.reset();
    recordings.reset();
    control = *Database::Open(data_dir + "/control.db", migrations::Control(), disk_reserve.get());
    recordings =
        *Database::Open(data_dir + "/recordings.db", migrations::Recordings(), disk_reserve.get());
    deployment_id = *meta::DeploymentId(*Read());
    grants.emplace(keys->grant_signer(), deployment_id, clock);
    notices.emplace(config);
    policies.emplace();
    open.emplace(
        OpenSession::Needs{*control, *recordings, clock, *issuers, *policies, *grants, *notices});
    renew.emplace(*control, clock, *issuers);
    decide.emplace(*control, clock, *policies);
    revoke.emplace(*control, clock);
    sent_notices.emplace(*control, clock);
    calls.emplace(CallApprovals::Needs{*control, clock, *policies, *notices, is_connected});
    reserve.emplace(ReserveCall::Needs{*control, clock, *policies, is_connected});
    settle.emplace(*control, clock);
    confirmed_ends.emplace(*control, clock, is_connected, absl::ZeroDuration());
    changes = control->changes().Subscribe([this] { ConfirmEnds(); });
    end.emplace(*control, clock, *confirmed_ends);
    expire.emplace(*control, clock);
    enroll.emplace(*control, clock, keys->ca());
    join.emplace(*control, clock, keys->ca(), "cp.test:7443");
    read_sessions.emplace(*control, *recordings, clock);
    read_approvals.emplace(*control);
    updates.emplace(*control, *recordings, *grants);
  }

  void ConfirmEnds() {
    const auto t = control->Read();
    for (const auto& [id, agent] : served) {
      if (away.contains(agent) || frozen.contains(agent) || !t.ok()) continue;
      const auto session = sessions::Find(**t, id);
      if (session.ok() && session->has_value() &&
          (*session)->state() == types::v1::SESSION_STATE_ENDED)
        confirmed_ends->Note(agent, id);
    }
  }

  std::unique_ptr<WriteTransaction> Write() { return *control->Write(); }
  std::unique_ptr<ReadTransaction> Read() { return *control->Read(); }

  void AddAgent(const std::string& name, const std::vector<std::string>& servers) {
    auto t = Write();
    REQUIRE(agents::Put(*t, {.name = name,
                             .servers = servers,
                             .enrolled_at = clock.Now(),
                             .certificate_expires_at = clock.Now()})
                .ok());
    REQUIRE(t->Commit().ok());
  }

  // Documents as people write them.
  void Apply(const std::string& yaml) {
    const auto parsed = ParseDocuments(yaml, "test.yaml");
    INFO(parsed.status());
    REQUIRE(parsed.ok());
    auto t = Write();
    for (const auto& document : *parsed)
      REQUIRE(documents::PutDocument(*t, document, admin, clock.Now()).ok());
    REQUIRE(t->Commit().ok());
  }
  // `session` and `rules` as they stand in a policy for bots and people of the realm on wiki and
  // files.
  void ApplyPolicy(const std::string& session,
                   const std::string& rules = "[{allow: {tools: [\"*\"]}}]",
                   const std::string& principal = "realm: okta") {
    Apply("kind: Policy\nname: bots\nspec:\n  principals: [{" + principal +
          "}]\n  servers: [wiki, files]\n  session: {" + session + "}\n  rules: " + rules + "\n");
  }

  std::string Claims(const std::string& audience, const std::string& subject,
                     const std::string& more) {
    const int64_t now = absl::ToUnixSeconds(clock.Now());
    return R"({"iss":"https://acme.okta.test","aud":")" + audience + R"(","sub":")" + subject +
           R"(","iat":)" + std::to_string(now) + R"(,"exp":)" + std::to_string(now + 3600) +
           R"(,"jti":"j1")" + more + "}";
  }
  std::string BotToken(const std::string& subject = "bot", const std::string& client = "client-1",
                       const std::string& audience = "api://sallyport") {
    return okta.Mint(Claims(audience, subject, R"(,"cid":")" + client + R"(","scp":["mcp.use"])"));
  }
  // A person's access token.
  std::string UserToken(const std::string& subject) {
    return okta.Mint(
        Claims("api://sallyport", subject, R"(,"cid":"client-1","uid":")" + subject + "\""));
  }

  // A caller of the people's door, by a token that is identified as there.
  Caller Person(const std::string& token, const std::string& address = "10.0.0.1") {
    const auto identified = issuers->Identify(token, {.door = Door::kPeople});
    REQUIRE(std::holds_alternative<Identity>(identified));
    const Identity& identity = std::get<Identity>(identified);
    return Caller(PersonCaller{.principal = identity.principal,
                               .issuer_id = identity.issuer_id,
                               .token_id = identity.token_id,
                               .signing_key = identity.signing_key,
                               .token_expires_at = identity.expires_at,
                               .may_access = identity.may_access,
                               .may_manage = identity.may_manage},
                  address);
  }
  // Signed in through the id_token entry.
  Caller SignedIn(const std::string& subject, const std::string& groups = R"(["approvers"])") {
    return Person(okta.Mint(Claims("people", subject, R"(,"groups":)" + groups)));
  }
  Caller Agent(const std::string& name) { return Caller(AgentCaller{name}, "10.9.9.9"); }

  access::v1::OpenSessionRequest Request(const std::string& server) {
    access::v1::OpenSessionRequest request;
    request.set_request_id("request-number-" + std::to_string(++requests));
    request.set_server(server);
    return request;
  }
  access::v1::OpenSessionResponse ByAgent(const std::string& token,
                                          const std::string& server = "wiki",
                                          const std::string& agent = "a1",
                                          const std::string& address = "10.0.0.1") {
    access::v1::OpenSessionRequest request = Request(server);
    request.set_token(token);
    request.set_client_address(address);
    const auto response = open->Run(Agent(agent), request);
    INFO(response.status());
    REQUIRE(response.ok());
    served.emplace(response->session().id(), agent);
    return *response;
  }
  // Records of that many counted calls arrive, the first ones of the session.
  void AddCalls(const std::string& session_id, uint64_t count) {
    types::v1::RecordContent content;
    content.set_method("tools/call");
    content.set_is_counted(true);
    std::string bytes;
    for (uint64_t n = 1; n <= count; ++n) {
      types::v1::Record record;
      record.set_session_id(session_id);
      record.set_n(n);
      record.set_type(types::v1::RECORD_TYPE_REQUEST);
      record.set_payload(content.SerializeAsString());
      AppendRecord(bytes, record.SerializeAsString());
    }
    const std::string packed = RunPacker().Pack(bytes);
    const records::ReceivedRun received{packed, Unpacked(packed)};
    REQUIRE(records::Appender(*recordings)
                .Append("a1", std::span(&received, 1), clock.Now(),
                        [](const auto&, const auto&) { return absl::OkStatus(); })
                .ok());
  }

  access::v1::OpenSessionResponse ByCaller(const std::string& token,
                                           const std::string& server = "wiki",
                                           const std::string& address = "10.0.0.1") {
    const auto response = open->Run(Person(token, address), Request(server));
    INFO(response.status());
    REQUIRE(response.ok());
    return *response;
  }

  absl::StatusOr<types::v1::Approval> Approve(const std::string& id, const Caller& by) {
    admin::v1::ApproveApprovalRequest request;
    request.set_id(id);
    auto response = decide->Run(by, request);
    if (!response.ok()) return response.status();
    return response->approval();
  }
  absl::StatusOr<types::v1::Approval> Deny(const std::string& id, const Caller& by) {
    admin::v1::DenyApprovalRequest request;
    request.set_id(id);
    request.set_reason("not today");
    auto response = decide->Run(by, request);
    if (!response.ok()) return response.status();
    return response->approval();
  }
  // As when the session's END record has come in.
  absl::StatusOr<types::v1::Session> EndByAgent(const std::string& id, types::v1::EndReason reason,
                                                uint64_t count) {
    const auto t = *control->Write();
    Session session = **sessions::Find(*t, id);
    const auto closed =
        sessions::Close(*t, session, {.reason = reason}, count, Agent("a1"), clock.Now());
    if (!closed.ok()) return closed.status();
    if (const absl::Status committed = t->Commit(); !committed.ok()) return committed;
    return session.proto();
  }

  Session SessionOf(const std::string& id) { return **sessions::Find(*Read(), id); }
  Approval ApprovalOf(const std::string& id) { return **approvals::Find(*Read(), id); }
  GrantClaims Verified(const types::v1::Grant& grant, const std::string& agent) {
    const auto keys_of_grants = jose::KeySet::Parse(keys->grant_signer().public_keys());
    REQUIRE(keys_of_grants.ok());
    const auto claims =
        GrantVerifier(deployment_id, agent, *keys_of_grants).Verify(grant.token(), clock.Now());
    INFO(claims.status());
    REQUIRE(claims.ok());
    return *claims;
  }
  std::string LastAction() { return audit_log::List(*Read(), 0, 1000)->back().action; }

  TempDir dir;
  FakeClock clock;
  TestIssuer okta;
  std::unique_ptr<Issuers> issuers;
  std::unique_ptr<DeploymentKeys> keys;
  config::v1::ControlPlaneConfig config;
  const Caller admin{LocalAdminCaller{.uid = 0}, ""};
  // Where the databases are, and what is kept of that disk; for the next Restart.
  std::string data_dir = dir.path();
  // Agents that are not connected; all others are.
  std::set<std::string, std::less<>> away;
  // Agents that are connected, and confirm no end. All others confirm it at once.
  std::set<std::string, std::less<>> frozen;
  // By session, the agent that has opened it.
  std::map<std::string, std::string> served;
  const IsConnected is_connected = [this](std::string_view name) { return !away.contains(name); };
  std::unique_ptr<DiskReserve> disk_reserve;
  std::unique_ptr<Database> control;
  std::unique_ptr<Database> recordings;
  std::unique_ptr<ChangeFeed::Subscription> changes;
  std::string deployment_id;
  std::optional<SessionGrants> grants;
  std::optional<ApprovalNotices> notices;
  std::optional<CurrentPolicies> policies;
  std::optional<OpenSession> open;
  std::optional<RenewSession> renew;
  std::optional<DecideApproval> decide;
  std::optional<RevokeApproval> revoke;
  std::optional<Notices> sent_notices;
  std::optional<CallApprovals> calls;
  std::optional<ReserveCall> reserve;
  std::optional<SettleCall> settle;
  std::optional<ConfirmedEnds> confirmed_ends;
  std::optional<EndSession> end;
  std::optional<ExpireSessions> expire;
  std::optional<EnrollAgent> enroll;
  std::optional<CreateJoinToken> join;
  std::optional<ReadSessions> read_sessions;
  std::optional<ReadApprovals> read_approvals;
  std::optional<AgentUpdates> updates;
  int requests = 0;
};

}  // namespace sallyport::controlplane
