#include <unistd.h>

#include "common/denial.h"
#include "controlplane/rpc/method_table.h"
#include "sallyport/admin/v1/approval_service.grpc.pb.h"
#include "sallyport/admin/v1/caller_service.grpc.pb.h"
#include "sallyport/admin/v1/session_service.grpc.pb.h"
#include "sallyport/agent/v1/snapshot_service.grpc.pb.h"
#include "tests/fakes/test_ca.h"
#include "tests/integration/controlplane/rpc/any_method.h"

namespace sallyport::controlplane {
namespace {

bool IsRefusal(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNAUTHENTICATED ||
         status.error_code() == grpc::StatusCode::PERMISSION_DENIED;
}

constexpr char kListSessions[] = "sallyport.admin.v1.SessionService/ListSessions";
constexpr char kListAgents[] = "sallyport.admin.v1.AgentService/ListAgents";
constexpr char kRefreshKeys[] = "sallyport.agent.v1.SnapshotService/RefreshKeys";
constexpr char kHealth[] = "grpc.health.v1.Health/Check";

TEST_CASE("a stranger gets past no door but for health and enrollment", "[integration][rpc]") {
  Deployment deployment;
  const auto people = deployment.People();
  const auto enrollment = deployment.Enrollment();
  for (const MethodRow& row : MethodTable()) {
    // A stream that is let in does not end.
    if (row.method == "grpc.health.v1.Health/Watch") continue;
    INFO(row.method);
    CHECK(IsRefusal(Call(people, row.method)) == (row.people != Who::kAnybody));
    if (row.method != "sallyport.agent.v1.EnrollmentService/Enroll") {
      CHECK(IsRefusal(Call(enrollment, row.method)) == (row.enrollment != Who::kAnybody));
    }
  }
  CHECK(Call(people, kHealth).ok());
  CHECK(Call(enrollment, kHealth).ok());
  CHECK(Call(people, "sallyport.admin.v1.SessionService/DropSessions").error_code() ==
        grpc::StatusCode::UNIMPLEMENTED);
}

TEST_CASE("the admin socket refuses what its table refuses", "[integration][rpc]") {
  Deployment deployment;
  const auto channel = deployment.AdminSocket();
  for (const MethodRow& row : MethodTable()) {
    if (row.admin_socket != Who::kNobody) continue;
    INFO(row.method);
    const grpc::Status status = Call(channel, row.method);
    CHECK((IsRefusal(status) || status.error_code() == grpc::StatusCode::UNIMPLEMENTED));
  }
  CHECK(Call(channel, kListSessions).ok());
  CHECK(Call(channel, kHealth).ok());
}

TEST_CASE("a request that cannot be read is the caller's fault, in words", "[integration][rpc]") {
  Deployment deployment;
  const auto channel = deployment.AdminSocket();
  const std::string method =
      GENERATE(as<std::string>(), kListSessions, "sallyport.admin.v1.SessionService/WatchSession");
  // A field that ends too early; a text that is not UTF-8.
  for (const char* bytes : {"\x0a\x7f", "\x0a\x02\xc3\x28\x1a\x02\xc3\x28"}) {
    const grpc::Status status = Call(channel, method, "", bytes);
    CHECK(status.error_code() == grpc::StatusCode::INVALID_ARGUMENT);
    CHECK(status.error_message() ==
          "the request is no message of this method, or has text in it that is not UTF-8");
  }
  CHECK(Call(channel, kListSessions).ok());
}

TEST_CASE("the agents' door opens only to a certificate of ours", "[integration][rpc]") {
  Deployment deployment;
  // TLS ends before there is a call.
  CHECK(Call(deployment.Agents({}), kHealth).error_code() == grpc::StatusCode::UNAVAILABLE);
  const TestCa other;
  const PrivateKey key = GenerateKey();
  const ClientCertificate foreign{KeyToPem(*key),
                                  other.Issue(*key, {.uri = "spiffe://sallyport/agent/a"})};
  CHECK(Call(deployment.Agents(foreign), kHealth).error_code() == grpc::StatusCode::UNAVAILABLE);

  const auto own = deployment.Enroll("a", {"wiki"});
  CHECK(Call(deployment.Agents(own), kHealth).ok());
  CHECK(FromGrpcStatus(Call(deployment.Agents(own), kRefreshKeys)).code() ==
        absl::StatusCode::kNotFound);
}

TEST_CASE("an agent's certificate opens nothing at the people's door", "[integration][rpc]") {
  Deployment deployment;
  const auto certificate = deployment.Enroll("a", {"wiki"});
  const auto channel = deployment.Tls("localhost", certificate);
  const grpc::Status admin = Call(channel, kListSessions);
  CHECK(admin.error_code() == grpc::StatusCode::UNAUTHENTICATED);
  CHECK(admin.error_message().starts_with("token_missing: "));
  CHECK(Call(channel, kRefreshKeys).error_code() == grpc::StatusCode::PERMISSION_DENIED);
}

TEST_CASE("a person's token opens nothing at the agents' door", "[integration][rpc]") {
  Deployment deployment;
  const auto channel = deployment.Agents(deployment.Enroll("a", {"wiki"}));
  const std::string token = deployment.PersonToken("ann", {"corp:admins", "admins"});
  for (const MethodRow& row : MethodTable()) {
    if (row.agents != Who::kNobody) continue;
    INFO(row.method);
    CHECK(IsRefusal(Call(channel, row.method, token)));
  }
}

TEST_CASE("whoever is let in can ask for whom the control plane takes him", "[integration][rpc]") {
  Deployment deployment;
  const auto ask = [&](const std::shared_ptr<grpc::Channel>& channel, const std::string& token) {
    admin::v1::GetCallerResponse response;
    const auto context = Deployment::Context(token);
    const grpc::Status status = admin::v1::CallerService::NewStub(channel)->GetCaller(
        context.get(), admin::v1::GetCallerRequest(), &response);
    INFO(status.error_message());
    REQUIRE(status.ok());
    return response;
  };
  const auto people = deployment.People();
  const auto ann = ask(people, deployment.PersonToken("ann", {"admins", "auditors"}));
  CHECK(ann.name() == "user:corp:ann");
  CHECK(std::vector<std::string>(ann.roles().begin(), ann.roles().end()) ==
        std::vector<std::string>{"admin", "auditor"});
  CHECK(ann.may_manage());
  CHECK(ann.has_token_expires_at());

  const auto eve = ask(people, deployment.PersonToken("eve", {}));
  CHECK(eve.roles().empty());
  CHECK(eve.may_manage());
  const auto bot = ask(people, deployment.BotToken("bot"));
  CHECK(bot.principal().kind() == types::v1::PRINCIPAL_KIND_SERVICE);
  CHECK(bot.may_access());
  CHECK_FALSE(bot.may_manage());

  const auto local = ask(deployment.AdminSocket(), "");
  CHECK(local.name() == "local:uid=" + std::to_string(geteuid()));
  CHECK_FALSE(local.has_principal());
}

TEST_CASE("roles and audiences decide at the people's door", "[integration][rpc]") {
  Deployment deployment;
  const auto channel = deployment.People();
  const std::string admin = deployment.PersonToken("ann", {"admins"});
  const std::string auditor = deployment.PersonToken("bob", {"auditors"});
  const std::string nobody = deployment.PersonToken("eve", {});
  const std::string bot = deployment.BotToken("bot", {{"groups", {"admins"}}});

  CHECK(Call(channel, kListSessions, admin).ok());
  CHECK(Call(channel, kListSessions, auditor).ok());
  CHECK(Call(channel, kListAgents, nobody).error_message().starts_with("role_missing: "));
  // Who has no role may have been passed by, and sees that: the use case says no to the rest.
  CHECK(Call(channel, kListSessions, nobody).error_code() == grpc::StatusCode::PERMISSION_DENIED);
  // A token for servers does not manage, whatever its groups.
  CHECK(Call(channel, kListSessions, bot).error_message().starts_with("token_invalid: "));
  CHECK(Call(channel, kListSessions, admin + "x").error_code() ==
        grpc::StatusCode::UNAUTHENTICATED);

  constexpr char kReplay[] = "sallyport.admin.v1.SessionService/ReplaySession";
  CHECK(Call(channel, kReplay, admin).error_message().starts_with("role_missing: "));
  CHECK_FALSE(IsRefusal(Call(channel, kReplay, auditor)));
  // Reflection is for who is known.
  constexpr char kReflection[] = "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
  CHECK_FALSE(IsRefusal(Call(channel, kReflection, nobody)));
}

TEST_CASE("a token of nearly 16 KiB is read", "[integration][rpc]") {
  Deployment deployment;
  std::vector<std::string> groups = {"admins"};
  for (int i = 0; i < 400; ++i) groups.push_back(absl::StrCat("a-group-of-the-company-", i));
  const std::string token = deployment.PersonToken("ann", groups);
  REQUIRE(token.size() > 15 << 10);
  REQUIRE(token.size() < 16 << 10);
  CHECK(Call(deployment.People(), kListSessions, token).ok());
}

TEST_CASE("a join secret enrolls one agent, once", "[integration][rpc]") {
  Deployment deployment;
  const std::string secret = deployment.JoinSecret("a", {"wiki"});
  REQUIRE(deployment.TryEnroll(secret).ok());
  const absl::Status again = deployment.TryEnroll(secret).status();
  CHECK(absl::IsUnauthenticated(again));
  CHECK(ReasonOf(again) == types::v1::DENIAL_REASON_JOIN_TOKEN_INVALID);
  CHECK_FALSE(deployment.TryEnroll("never made").ok());
}

TEST_CASE("an agent renews its certificate for itself", "[integration][rpc]") {
  Deployment deployment;
  const auto stub =
      agent::v1::EnrollmentService::NewStub(deployment.Agents(deployment.Enroll("a", {"wiki"})));
  const PrivateKey key = GenerateKey();
  agent::v1::RenewCertificateRequest request;
  request.set_certificate_request(*MakeCertificateRequest(*key, "somebody-else"));
  agent::v1::RenewCertificateResponse response;
  REQUIRE(stub->RenewCertificate(Deployment::Context().get(), request, &response).ok());
  const auto chain = CertificatesFromPem(response.certificate().chain());
  REQUIRE(chain.ok());
  CHECK(UriNames(*chain->front()) == std::vector<std::string>{"spiffe://sallyport/agent/a"});
  const ClientCertificate renewed{KeyToPem(*key), response.certificate().chain()};
  CHECK(Call(deployment.Agents(renewed), kHealth).ok());
}

TEST_CASE("a database that is lost is not replaced by an empty one", "[integration][rpc]") {
  const std::string lost = GENERATE("control.db", "recordings.db");
  Deployment deployment;
  deployment.Stop();
  const std::string path = deployment.dir() / ("data/" + lost);
  for (const char* more : {"", "-wal", "-shm"}) unlink((path + more).c_str());
  const absl::Status why = deployment.WhyNoStart();
  CHECK(absl::IsFailedPrecondition(why));
  CHECK_THAT(std::string(why.message()), Catch::StartsWith(path + " is missing"));
  CHECK(::access(path.c_str(), F_OK) != 0);
}

TEST_CASE("a second control plane on the same data is refused", "[integration][rpc]") {
  Deployment deployment;
  auto settings = Settings::Load(deployment.ConfigPath());
  REQUIRE(settings.ok());
  const SystemClock clock;
  CHECK(absl::IsUnavailable(ControlPlane::Start(*std::move(settings), clock).status()));
  CHECK(Call(deployment.AdminSocket(), kHealth).ok());
}

}  // namespace
}  // namespace sallyport::controlplane
