// What opening a session costs a control plane: the real one, in this process, on real files in
// DIRECTORY, asked by an enrolled agent over its door for sessions of principals that have none, so
// that each is one token verified, one transaction that is durable, and one grant signed. Beside it
// what SQLite alone takes on the same disk for a row of the same size and its durable commit.
//   open_sessions DIRECTORY IN_FLIGHT SECONDS
//   prints RESULT {"opens", "errors", "rate", "latency", "commits", "commit_rate",
//   "commit_latency"}
#include <grpcpp/grpcpp.h>
#include <sqlite3.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/ids.h"
#include "common/tls.h"
#include "controlplane/controlplane.h"
#include "controlplane/keys/certificate_authority.h"
#include "sallyport/access/v1/access_service.grpc.pb.h"
#include "sallyport/admin/v1/agent_service.grpc.pb.h"
#include "sallyport/admin/v1/policy_service.grpc.pb.h"
#include "sallyport/agent/v1/enrollment_service.grpc.pb.h"
#include "tests/bench/latencies.h"
#include "tests/fakes/test_key.h"

namespace sallyport::bench {
namespace {

using controlplane::ControlPlane;

constexpr char kIssuer[] = "https://issuer.test";
constexpr int kMostTokens = 200'000;

void Need(bool is_so, const std::string& what) {
  if (is_so) return;
  std::fprintf(stderr, "open_sessions: %s\n", what.c_str());
  std::exit(1);
}

std::unique_ptr<grpc::ClientContext> Context() {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  return context;
}

// The control plane, with an agent `bench` that fronts a server `bench`.
class Bed {
 public:
  explicit Bed(const std::string& dir) : dir_(dir) {
    std::ofstream(dir_ + "/jwks.json") << JwksOf({issuer_.Jwk()});
    std::ofstream(dir_ + "/controlplane.yaml") << absl::StrCat(
        "listen: 127.0.0.1:0\nlocal_listen: 127.0.0.1:0\ndata_dir: ", dir_,
        "/data\nissuers:\n  - {id: bench, issuer: \"", kIssuer,
        "\", audiences: [\"api://bench\"], algs: [ES256], claims: {client_id: [[cid]]}, jwks: "
        "{file: ",
        dir_, "/jwks.json}}\n");
    auto settings = controlplane::Settings::Load(dir_ + "/controlplane.yaml");
    Need(settings.ok(), settings.status().ToString());
    auto plane = ControlPlane::Start(*std::move(settings), clock_);
    Need(plane.ok(), plane.status().ToString());
    plane_ = *std::move(plane);
    ca_ = *ReadFile(dir_ + "/data/ca.pem");
    Apply();
    Enroll();
  }

  std::shared_ptr<grpc::Channel> Agents() const {
    return Tls(controlplane::kAgentsDoor, key_, chain_);
  }

  // Of a principal that nobody else here is.
  std::string Token(int number) const {
    const int64_t now = absl::ToUnixSeconds(absl::Now());
    const std::string name = absl::StrCat("bot-", number);
    return issuer_.Token({{"iss", kIssuer},
                          {"aud", "api://bench"},
                          {"sub", name},
                          {"cid", name},
                          {"jti", NewRequestId()},
                          {"iat", now - 1},
                          {"exp", now + 3600}},
                         {{"typ", "JWT"}});
  }

 private:
  std::shared_ptr<grpc::Channel> Tls(const std::string& name, const std::string& key,
                                     const std::string& chain) const {
    grpc::ChannelArguments arguments;
    arguments.SetSslTargetNameOverride(name);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(plane_->addresses().api,
                                     grpc::SslCredentials({ca_, key, chain}), arguments);
  }
  std::shared_ptr<grpc::Channel> Admin() const {
    return grpc::CreateChannel("unix:" + dir_ + "/data/admin.sock",
                               grpc::InsecureChannelCredentials());
  }
  void Apply() {
    admin::v1::ApplyDocumentsRequest request;
    auto& file = *request.add_files();
    file.set_name("bench.yaml");
    file.set_text(
        "kind: Policy\nname: bench\nspec:\n  principals: [{realm: bench}]\n  servers: [bench]\n"
        "  rules: [{allow: {tools: [\"*\"]}}]\n");
    admin::v1::ApplyDocumentsResponse response;
    const auto status = admin::v1::PolicyService::NewStub(Admin())->ApplyDocuments(
        Context().get(), request, &response);
    Need(status.ok(), status.error_message());
  }
  void Enroll() {
    admin::v1::CreateJoinTokenRequest token;
    token.set_name("bench");
    token.add_servers("bench");
    admin::v1::CreateJoinTokenResponse made;
    auto status =
        admin::v1::AgentService::NewStub(Admin())->CreateJoinToken(Context().get(), token, &made);
    Need(status.ok(), status.error_message());
    const PrivateKey key = GenerateKey();
    agent::v1::EnrollRequest request;
    request.set_secret(made.join_token().substr(made.join_token().rfind(':') + 1));
    request.set_certificate_request(*MakeCertificateRequest(*key, "agent"));
    agent::v1::EnrollResponse enrolled;
    status = agent::v1::EnrollmentService::NewStub(Tls(controlplane::kEnrollDoor, "", ""))
                 ->Enroll(Context().get(), request, &enrolled);
    Need(status.ok(), status.error_message());
    key_ = KeyToPem(*key);
    chain_ = enrolled.certificate().chain();
  }

  const std::string dir_;
  const TestKey issuer_{"ES256", "k1"};
  SystemClock clock_;
  std::unique_ptr<ControlPlane> plane_;
  std::string ca_;
  std::string key_;
  std::string chain_;
};

struct Figures {
  Latencies latencies;
  std::atomic<int> errors = 0;
  double seconds = 0;
};

// `in_flight` callers, each of whom asks again when it has been answered, until the time is over or
// the tokens are used up.
void Open(const Bed& bed, const std::vector<std::string>& tokens, int in_flight, double seconds,
          Figures& figures) {
  std::atomic<std::size_t> next = 0;
  std::vector<Latencies> latencies(static_cast<std::size_t>(in_flight));
  const std::int64_t began = MicrosNow();
  const std::int64_t end = began + static_cast<std::int64_t>(seconds * 1e6);
  std::vector<std::thread> callers;
  for (Latencies& own : latencies) {
    callers.emplace_back([&] {
      const auto stub = access::v1::AccessService::NewStub(bed.Agents());
      for (std::size_t at; MicrosNow() < end && (at = next++) < tokens.size();) {
        access::v1::OpenSessionRequest request;
        request.set_request_id(NewRequestId());
        request.set_server("bench");
        request.set_token(tokens[at]);
        request.set_client_address("127.0.0.1");
        access::v1::OpenSessionResponse response;
        const std::int64_t since = MicrosNow();
        const auto status = stub->OpenSession(Context().get(), request, &response);
        own.Add(MicrosNow() - since);
        if (status.ok() && response.has_grant()) continue;
        if (figures.errors++ == 0) {
          std::fprintf(stderr, "open_sessions: %s\n",
                       (status.ok() ? response.message() : status.error_message()).c_str());
        }
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  figures.seconds = static_cast<double>(MicrosNow() - began) / 1e6;
  for (const Latencies& own : latencies) figures.latencies.Add(own);
}

// Rows as large as a session's, each with a commit of its own that survives the machine's power.
void Commit(const std::string& dir, double seconds, Figures& figures) {
  sqlite3* db = nullptr;
  Need(sqlite3_open((dir + "/commits.db").c_str(), &db) == SQLITE_OK, "sqlite3_open");
  const auto run = [&](const char* sql) {
    Need(sqlite3_exec(db, sql, nullptr, nullptr, nullptr) == SQLITE_OK, sql);
  };
  run("pragma journal_mode = wal");
  run("pragma synchronous = full");
  run("create table rows (n integer primary key, bytes blob) strict");
  const std::int64_t began = MicrosNow();
  const std::int64_t end = began + static_cast<std::int64_t>(seconds * 1e6);
  while (MicrosNow() < end) {
    const std::int64_t since = MicrosNow();
    run("insert into rows (bytes) values (zeroblob(1024))");
    figures.latencies.Add(MicrosNow() - since);
  }
  figures.seconds = static_cast<double>(MicrosNow() - began) / 1e6;
  sqlite3_close(db);
}

double Rate(const Figures& figures) {
  return static_cast<double>(figures.latencies.count()) / figures.seconds;
}

void OpenThere(const std::string& dir, int in_flight, double seconds, Figures& figures) {
  const Bed bed(dir);
  std::vector<std::string> tokens;
  const int wanted = std::min(kMostTokens, static_cast<int>(seconds * 10'000));
  for (int number = 0; number < wanted; ++number) tokens.push_back(bed.Token(number));
  Open(bed, tokens, in_flight, seconds, figures);
}

int Run(const std::string& dir, int in_flight, double seconds) {
  Figures opens, commits;
  OpenThere(dir, in_flight, seconds, opens);
  Commit(dir, seconds, commits);
  // The control plane has stopped, and with it its log.
  std::printf(
      "RESULT {\"opens\":%zu,\"errors\":%d,\"rate\":%.1f,\"latency\":%s,\"commits\":%zu,"
      "\"commit_rate\":%.1f,\"commit_latency\":%s}\n",
      opens.latencies.count(), opens.errors.load(), Rate(opens), opens.latencies.Json().c_str(),
      commits.latencies.count(), Rate(commits), commits.latencies.Json().c_str());
  return opens.errors == 0 ? 0 : 1;
}

}  // namespace
}  // namespace sallyport::bench

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: open_sessions DIRECTORY IN_FLIGHT SECONDS\n");
    return 2;
  }
  return sallyport::bench::Run(argv[1], std::atoi(argv[2]), std::strtod(argv[3], nullptr));
}
