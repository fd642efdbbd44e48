#include "controlplane/access/enroll_agent.h"

#include <atomic>
#include <thread>

#include "common/tls.h"
#include "tests/integration/controlplane/access/fixture.h"

namespace sallyport::controlplane {
namespace {

struct Enrolling : Fixture {
  admin::v1::CreateJoinTokenRequest Named(const std::string& name,
                                          const std::vector<std::string>& servers) {
    admin::v1::CreateJoinTokenRequest request;
    request.set_name(name);
    for (const std::string& server : servers) request.add_servers(server);
    return request;
  }
  std::string Secret(const std::string& name, const std::vector<std::string>& servers) {
    const auto created = join->Run(admin, Named(name, servers));
    INFO(created.status());
    REQUIRE(created.ok());
    return created->join_token().substr(created->join_token().rfind(':') + 1);
  }
  agent::v1::EnrollRequest With(const std::string& secret) {
    agent::v1::EnrollRequest request;
    request.set_secret(secret);
    request.set_certificate_request(*MakeCertificateRequest(*GenerateKey(), "agent"));
    return request;
  }
};

TEST_CASE_METHOD(Enrolling,
                 "a join string names the door, pins the CA and carries a secret for ten minutes",
                 "[controlplane][access]") {
  const auto created = join->Run(admin, Named("a3", {"wiki", "files"}));
  REQUIRE(created.ok());
  CHECK_THAT(created->join_token(),
             Catch::StartsWith("sallyport-join:1:cp.test:7443:" + keys->ca().fingerprint() + ":"));
  CHECK(FromProto(created->expires_at()) == clock.Now() + absl::Minutes(10));
  CHECK(LastAction() == "join_token.create");
}

TEST_CASE_METHOD(Enrolling, "an agent gets a certificate in its name and the servers it fronts",
                 "[controlplane][access]") {
  const auto enrolled = enroll->Run("10.0.0.9", With(Secret("a3", {"wiki", "files"})));
  INFO(enrolled.status());
  REQUIRE(enrolled.ok());
  CHECK(enrolled->name() == "a3");
  CHECK(enrolled->servers_size() == 2);
  const auto chain = CertificatesFromPem(enrolled->certificate().chain());
  REQUIRE(chain.ok());
  CHECK(UriNames(*chain->front()) == std::vector<std::string>{"spiffe://sallyport/agent/a3"});
  CHECK(enrolled->certificate().ca() == keys->ca().certificate());
  CHECK((*agents::Find(*Read(), "a3"))->Fronts("files"));
  CHECK(LastAction() == "agent.enroll");
}

TEST_CASE_METHOD(Enrolling, "a join string names what an agent's configuration may name",
                 "[controlplane][access]") {
  for (const char* server : {"wiki", "my.wiki", "0_a-b"}) {
    INFO(server);
    CHECK(join->Run(admin, Named("a3", {server})).ok());
  }
  for (const char* server : {"", ".wiki", "_wiki", "-wiki", "Wiki", "wi ki", "wi/ki"}) {
    INFO(server);
    CHECK(absl::IsInvalidArgument(join->Run(admin, Named("a3", {server})).status()));
  }
  CHECK(absl::IsInvalidArgument(join->Run(admin, Named("my.agent", {"wiki"})).status()));
}

TEST_CASE_METHOD(Enrolling, "a join token is no good twice, late, or made up",
                 "[controlplane][access]") {
  const std::string secret = Secret("a3", {"wiki"});
  REQUIRE(enroll->Run("10.0.0.9", With(secret)).ok());
  const absl::Status again = enroll->Run("10.0.0.9", With(secret)).status();
  CHECK(again.code() == absl::StatusCode::kUnauthenticated);
  CHECK(ReasonOf(again) == types::v1::DENIAL_REASON_JOIN_TOKEN_INVALID);
  CHECK(ReasonOf(enroll->Run("", With("made-up")).status()) ==
        types::v1::DENIAL_REASON_JOIN_TOKEN_INVALID);
  CHECK(ReasonOf(enroll->Run("", With("")).status()) ==
        types::v1::DENIAL_REASON_JOIN_TOKEN_INVALID);
  const std::string late = Secret("a4", {"wiki"});
  clock.Advance(absl::Minutes(10));
  CHECK(ReasonOf(enroll->Run("", With(late)).status()) ==
        types::v1::DENIAL_REASON_JOIN_TOKEN_INVALID);
}

TEST_CASE_METHOD(Enrolling, "of many who replay one join token at once, exactly one is enrolled",
                 "[controlplane][access]") {
  const std::string secret = Secret("a3", {"wiki"});
  std::vector<agent::v1::EnrollRequest> requests(8, With(secret));
  std::atomic<int> enrolled = 0;
  std::atomic<int> refused = 0;
  std::vector<std::thread> threads;
  for (const auto& request : requests) {
    threads.emplace_back([&] {
      const absl::Status status = enroll->Run("10.0.0.9", request).status();
      if (status.ok()) ++enrolled;
      if (ReasonOf(status) == types::v1::DENIAL_REASON_JOIN_TOKEN_INVALID) ++refused;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(enrolled == 1);
  CHECK(refused == 7);
}

TEST_CASE_METHOD(Enrolling, "a bad certificate request uses nothing up", "[controlplane][access]") {
  const std::string secret = Secret("a3", {"wiki"});
  agent::v1::EnrollRequest request = With(secret);
  request.set_certificate_request("not a request");
  CHECK(enroll->Run("10.0.0.9", request).status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(enroll->Run("10.0.0.9", With(secret)).ok());
}

TEST_CASE_METHOD(Enrolling, "join tokens are made by admins, for proper names",
                 "[controlplane][access]") {
  CHECK(ReasonOf(join->Run(SignedIn("alice"), Named("a3", {"wiki"})).status()) ==
        types::v1::DENIAL_REASON_ROLE_MISSING);
  CHECK(ReasonOf(join->Run(Agent("a1"), Named("a3", {"wiki"})).status()) ==
        types::v1::DENIAL_REASON_ROLE_MISSING);
  for (const char* name : {"", "A3", "-a", "a b", "a\nb", "a/b"}) {
    INFO(name);
    CHECK(join->Run(admin, Named(name, {"wiki"})).status().code() ==
          absl::StatusCode::kInvalidArgument);
    CHECK(join->Run(admin, Named("a3", {name})).status().code() ==
          absl::StatusCode::kInvalidArgument);
  }
  CHECK(join->Run(admin, Named("a3", {})).status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(join->Run(admin, Named("a3", {"wiki", "wiki"})).status().code() ==
        absl::StatusCode::kInvalidArgument);
  CHECK(join->Run(admin, Named(std::string(64, 'a'), {"wiki"})).status().code() ==
        absl::StatusCode::kInvalidArgument);
}

TEST_CASE_METHOD(Enrolling, "an agent renews its own certificate; one that never enrolled does not",
                 "[controlplane][access]") {
  agent::v1::RenewCertificateRequest request;
  request.set_certificate_request(*MakeCertificateRequest(*GenerateKey(), "anything"));
  clock.Advance(absl::Hours(12));
  const auto renewed = enroll->Run(Agent("a1"), request);
  REQUIRE(renewed.ok());
  const auto chain = CertificatesFromPem(renewed->certificate().chain());
  CHECK(UriNames(*chain->front()) == std::vector<std::string>{"spiffe://sallyport/agent/a1"});
  CHECK((*agents::Find(*Read(), "a1"))->certificate_expires_at ==
        FromProto(renewed->certificate().not_after()));
  CHECK(ReasonOf(enroll->Run(Agent("stranger"), request).status()) ==
        types::v1::DENIAL_REASON_ROLE_MISSING);
  CHECK(ReasonOf(enroll->Run(SignedIn("alice"), request).status()) ==
        types::v1::DENIAL_REASON_ROLE_MISSING);
}

TEST_CASE_METHOD(Enrolling, "an agent that enrolls anew loses its sessions: it may have lost their recordings",
                 "[controlplane][access]") {
  ApplyPolicy("max_duration: 15m");
  const std::string wiki = ByAgent(BotToken()).session().id();
  const std::string files = ByAgent(BotToken(), "files").session().id();
  REQUIRE(enroll->Run("10.0.0.9", With(Secret("a1", {"wiki"}))).ok());
  for (const std::string& id : {wiki, files}) {
    CHECK(SessionOf(id).proto().end_reason() == types::v1::END_REASON_REVOKED);
    CHECK(SessionOf(id).proto().detail() == "agent a1 has enrolled anew");
  }
}

}  // namespace
}  // namespace sallyport::controlplane
