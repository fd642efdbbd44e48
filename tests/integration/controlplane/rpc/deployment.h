#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/grpc_status.h"
#include "common/ids.h"
#include "common/tls.h"
#include "controlplane/controlplane.h"
#include "controlplane/store/audit_log.h"
#include "migrations/migrations.h"
#include "sallyport/admin/v1/agent_service.grpc.pb.h"
#include "sallyport/admin/v1/issuer_service.grpc.pb.h"
#include "sallyport/admin/v1/policy_service.grpc.pb.h"
#include "sallyport/agent/v1/enrollment_service.grpc.pb.h"
#include "tests/fakes/temp_dir.h"
#include "tests/fakes/test_key.h"

namespace sallyport::controlplane {

// A certificate for a client, in PEM.
struct ClientCertificate {
  std::string key;
  std::string chain;
};

// The system's clock, and what a test sets it forward by. Thread-safe.
class SteppedClock final : public Clock {
 public:
  absl::Time Now() const override { return system_.Now() + absl::Seconds(forward_seconds_.load()); }
  absl::Duration SinceBoot() const override { return system_.SinceBoot(); }
  void StepForward(int64_t seconds) { forward_seconds_ += seconds; }

 private:
  SystemClock system_;
  std::atomic<int64_t> forward_seconds_ = 0;
};

// The whole control plane in this process, on real files and a real port, with an issuer whose keys
// the test holds: bots by access token, people by sign-in, in one realm.
class Deployment {
 public:
  // `more`: further lines of controlplane.yaml.
  explicit Deployment(const std::string& more = "",
                      size_t remembered_changes = ChangeFeed::kRemembered) {
    std::ofstream(dir_ / "jwks.json") << JwksOf({issuer_.Jwk()});
    std::ofstream(ConfigPath()) << absl::StrCat(
        "listen: 127.0.0.1:0\nlocal_listen: 127.0.0.1:0\ndata_dir: ", dir_ / "data",
        "\nissuers:\n"
        "  - {id: bots, realm: corp, issuer: \"https://issuer.test\", audiences: "
        "[\"api://sallyport\"], algs: [ES256], clock_skew: 1s,\n"
        "     jwks: {file: ",
        dir_ / "jwks.json",
        "}, claims: {client_id: [[cid]], scopes: [[scp]], groups: [[groups]]}}\n"
        "  - {id: people, realm: corp, issuer: \"https://issuer.test\", audiences: [cli], "
        "token_kind: id_token, algs: [ES256], clock_skew: 1s,\n"
        "     jwks: {file: ",
        dir_ / "jwks.json",
        "}, claims: {groups: [[groups]]}}\n"
        "admin_audiences: [\"api://sallyport-admin\"]\n"
        "roles: {admin: [\"corp:admins\"], approver: [\"corp:approvers\"], auditor: "
        "[\"corp:auditors\"]}\n",
        more);
    auto settings = Settings::Load(ConfigPath());
    INFO(settings.status());
    REQUIRE(settings.ok());
    settings->remembered_changes = remembered_changes;
    auto plane = ControlPlane::Start(*std::move(settings), clock_);
    INFO(plane.status());
    REQUIRE(plane.ok());
    plane_ = *std::move(plane);
    ca_ = *ReadFile(dir_ / "data/ca.pem");
  }

  ControlPlane& plane() { return *plane_; }
  SteppedClock& clock() { return clock_; }
  const TempDir& dir() const { return dir_; }
  std::string ConfigPath() const { return dir_ / "controlplane.yaml"; }

  // A person's sign-in.
  std::string PersonToken(const std::string& subject, const std::vector<std::string>& groups,
                          absl::Duration lifetime = absl::Hours(1)) const {
    return Token({{"sub", subject}, {"aud", "cli"}, {"groups", groups}}, lifetime);
  }
  // A bot's access token.
  std::string BotToken(const std::string& subject, const nlohmann::json& more = {}) const {
    nlohmann::json claims = {{"sub", subject}, {"aud", "api://sallyport"}, {"cid", subject}};
    if (more.is_object()) claims.update(more);
    return Token(claims, absl::Hours(1));
  }

  // The issuer signs with another key, and publishes the one before no more; the control plane
  // knows.
  void ChangeIssuerKey() {
    issuer_ = TestKey("ES256", "k2");
    std::ofstream(dir_ / "jwks.json") << JwksOf({issuer_.Jwk()});
    admin::v1::CheckIssuersResponse checked;
    REQUIRE(admin::v1::IssuerService::NewStub(AdminSocket())
                ->CheckIssuers(Context().get(), {}, &checked)
                .ok());
  }

  // A channel to one of the doors; `server_name` is what the client asks for in TLS.
  std::shared_ptr<grpc::Channel> Tls(const std::string& server_name,
                                     const ClientCertificate& certificate = {}) const {
    grpc::ChannelArguments arguments;
    arguments.SetSslTargetNameOverride(server_name);
    // Else channels to one address share a connection.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(
        plane_->addresses().api, grpc::SslCredentials({ca_, certificate.key, certificate.chain}),
        arguments);
  }
  std::shared_ptr<grpc::Channel> People() const { return Tls("localhost"); }
  std::shared_ptr<grpc::Channel> Enrollment() const { return Tls("enroll.sallyport"); }
  std::shared_ptr<grpc::Channel> Agents(const ClientCertificate& certificate) const {
    return Tls("agents.sallyport", certificate);
  }
  std::shared_ptr<grpc::Channel> AdminSocket() const {
    return grpc::CreateChannel("unix:" + (dir_ / "data/admin.sock"),
                               grpc::InsecureChannelCredentials());
  }

  // With a deadline, and a bearer token unless it is empty.
  static std::unique_ptr<grpc::ClientContext> Context(const std::string& token = "") {
    auto context = std::make_unique<grpc::ClientContext>();
    context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    if (!token.empty()) context->AddMetadata("authorization", "Bearer " + token);
    return context;
  }

  // Of a new agent.
  std::string JoinString(const std::string& agent, const std::vector<std::string>& servers) {
    admin::v1::CreateJoinTokenRequest request;
    request.set_name(agent);
    for (const std::string& server : servers) request.add_servers(server);
    admin::v1::CreateJoinTokenResponse response;
    const auto status = admin::v1::AgentService::NewStub(AdminSocket())
                            ->CreateJoinToken(Context().get(), request, &response);
    INFO(status.error_message());
    REQUIRE(status.ok());
    return response.join_token();
  }
  std::string JoinSecret(const std::string& agent, const std::vector<std::string>& servers) {
    const std::string join_string = JoinString(agent, servers);
    return join_string.substr(join_string.rfind(':') + 1);
  }

  // What Enroll says to `secret`; the certificate where it says OK.
  absl::StatusOr<ClientCertificate> TryEnroll(const std::string& secret) {
    const PrivateKey key = GenerateKey();
    agent::v1::EnrollRequest request;
    request.set_secret(secret);
    request.set_certificate_request(*MakeCertificateRequest(*key, "agent"));
    agent::v1::EnrollResponse response;
    const auto status = agent::v1::EnrollmentService::NewStub(Enrollment())
                            ->Enroll(Context().get(), request, &response);
    if (!status.ok()) return FromGrpcStatus(status);
    return ClientCertificate{KeyToPem(*key), response.certificate().chain()};
  }
  ClientCertificate Enroll(const std::string& agent, const std::vector<std::string>& servers) {
    auto certificate = TryEnroll(JoinSecret(agent, servers));
    INFO(certificate.status());
    REQUIRE(certificate.ok());
    return *certificate;
  }

  // Over the admin socket.
  void Apply(const std::string& text) {
    admin::v1::ApplyDocumentsRequest request;
    auto& file = *request.add_files();
    file.set_name("test.yaml");
    file.set_text(text);
    admin::v1::ApplyDocumentsResponse response;
    const auto status = admin::v1::PolicyService::NewStub(AdminSocket())
                            ->ApplyDocuments(Context().get(), request, &response);
    INFO(status.error_message());
    REQUIRE(status.ok());
  }

  // Stops the control plane for good, and reads what it has written down.
  std::vector<audit_log::Line> StopAndReadAudit() {
    Stop();
    const auto control = Database::Open(dir_ / "data/control.db", migrations::Control());
    INFO(control.status());
    REQUIRE(control.ok());
    return *audit_log::List(**(*control)->Read(), 0, 1000);
  }

  void Stop() { plane_.reset(); }
  // Why it does not start; not OK.
  absl::Status WhyNoStart() {
    auto settings = Settings::Load(ConfigPath());
    REQUIRE(settings.ok());
    return ControlPlane::Start(*std::move(settings), clock_).status();
  }

 private:
  std::string Token(nlohmann::json claims, absl::Duration lifetime) const {
    const int64_t now = absl::ToUnixSeconds(absl::Now());
    claims["iss"] = "https://issuer.test";
    claims["iat"] = now - 1;
    claims["exp"] = now + absl::ToInt64Seconds(lifetime);
    claims["jti"] = NewRequestId();
    return issuer_.Token(claims, {{"typ", "JWT"}});
  }

  TempDir dir_;
  TestKey issuer_{"ES256", "k1"};
  SteppedClock clock_;
  std::unique_ptr<ControlPlane> plane_;
  std::string ca_;
};

}  // namespace sallyport::controlplane
