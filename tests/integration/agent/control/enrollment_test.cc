#include "agent/control/enrollment.h"

#include <sys/stat.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <string>

#include "agent/control/certificate_renewal.h"
#include "agent/loop/loop.h"
#include "common/denial.h"
#include "common/file.h"
#include "common/grpc_status.h"
#include "sallyport/agent/v1/enrollment_service.grpc.pb.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_door.h"
#include "tests/fakes/temp_dir.h"
#include "tests/fakes/test_ca.h"

namespace sallyport::agent {
namespace {

// Signs whom it is asked for, once for the secret.
class Service final : public v1::EnrollmentService::Service {
 public:
  explicit Service(const TestCa& ca) : ca_(ca) {}

  std::atomic<int> enrolled = 0;
  std::atomic<int> renewed = 0;
  std::string uri = "spiffe://sallyport/agent/a";
  // Of what Enroll gives out.
  absl::Time not_before = absl::Now() - absl::Minutes(1);
  // The next renewals that fail.
  std::atomic<int> failures = 0;

 private:
  grpc::Status Enroll(grpc::ServerContext*, const v1::EnrollRequest* request,
                      v1::EnrollResponse* response) override {
    if (request->secret() != "s3cr3t" || enrolled++ > 0) {
      return ToGrpcStatus(
          Denied(types::v1::DENIAL_REASON_JOIN_TOKEN_INVALID, "the join token is unknown or used"));
    }
    response->set_name("a");
    response->add_servers("wiki");
    Fill(request->certificate_request(), not_before, response->mutable_certificate());
    return grpc::Status::OK;
  }
  grpc::Status RenewCertificate(grpc::ServerContext*, const v1::RenewCertificateRequest* request,
                                v1::RenewCertificateResponse* response) override {
    if (failures-- > 0) return grpc::Status(grpc::StatusCode::INTERNAL, "not now");
    ++renewed;
    Fill(request->certificate_request(), absl::Now() - absl::Minutes(1),
         response->mutable_certificate());
    return grpc::Status::OK;
  }
  void Fill(const std::string& request, absl::Time from, v1::AgentCertificate* certificate) const {
    certificate->set_chain(ca_.IssueForRequest(request, {.uri = uri, .not_before = from}));
    certificate->set_ca(ca_.pem());
  }

  const TestCa& ca_;
};

struct Fixture {
  FakeDoor::Options EnrollmentDoor() const {
    return {.name = "enroll.sallyport", .asks_for_certificate = false};
  }

  JoinString Join(const FakeDoor& door) const {
    return {.address = door.address(), .ca_pin = ca.pin(), .secret = "s3cr3t"};
  }
  std::string WriteJoinFile(const FakeDoor& door) const {
    const std::string file = dir / "join";
    REQUIRE(WriteFileAtomically(file,
                                "sallyport-join:1:" + door.address() + ":" + ca.pin() + ":s3cr3t\n")
                .ok());
    return file;
  }

  TempDir dir;
  TestCa ca;
  SystemClock clock;
  Service service{ca};
  std::string data_dir = dir / "data";
};

TEST_CASE_METHOD(Fixture, "an agent enrolls once and needs no join string from then on",
                 "[agent][control]") {
  const FakeDoor door(ca, {&service}, EnrollmentDoor());
  const auto enrollment = LoadOrEnroll(data_dir, WriteJoinFile(door), clock);
  REQUIRE(enrollment.ok());
  CHECK(enrollment->name == "a");
  CHECK(enrollment->servers == std::vector<std::string>{"wiki"});
  CHECK(enrollment->address == door.address());
  CHECK(enrollment->identity.ca == ca.pem());

  const auto again = LoadOrEnroll(data_dir, "", clock);
  REQUIRE(again.ok());
  CHECK(again->name == "a");
  CHECK(again->servers == enrollment->servers);
  CHECK(again->identity.private_key == enrollment->identity.private_key);
  CHECK(again->identity.certificate_chain == enrollment->identity.certificate_chain);
  CHECK(service.enrolled == 1);

  struct stat info {};
  REQUIRE(stat((data_dir + "/agent.pem").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  REQUIRE(stat(data_dir.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0700);
}

TEST_CASE_METHOD(Fixture, "a join string is good once", "[agent][control]") {
  const FakeDoor door(ca, {&service}, EnrollmentDoor());
  REQUIRE(Enroll(Join(door), data_dir, clock).ok());
  const absl::Status status = Enroll(Join(door), dir / "other", clock).status();
  CHECK(ReasonOf(status) == types::v1::DENIAL_REASON_JOIN_TOKEN_INVALID);
  CHECK(LoadEnrollment(dir / "other").status().code() == absl::StatusCode::kNotFound);
}

TEST_CASE_METHOD(Fixture, "no secret leaves for a door whose chain has another CA",
                 "[agent][control]") {
  const TestCa other;
  const FakeDoor door(other, {&service}, EnrollmentDoor());
  const absl::Status status = Enroll(Join(door), data_dir, clock).status();
  CHECK(status.code() == absl::StatusCode::kUnauthenticated);
  CHECK(service.enrolled == 0);
  CHECK(LoadEnrollment(data_dir).status().code() == absl::StatusCode::kNotFound);
}

TEST_CASE_METHOD(Fixture, "showing the pinned CA without being certified by it is not enough",
                 "[agent][control]") {
  // The true CA's certificate is public: anybody can append it to his own chain.
  const TestCa other;
  const PrivateKey key = GenerateKey();
  grpc::SslServerCredentialsOptions tls;
  tls.pem_key_cert_pairs.push_back(
      {KeyToPem(*key), other.Issue(*key, {.dns = "enroll.sallyport"}) + ca.pem()});
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::SslServerCredentials(tls), &port);
  builder.RegisterService(&service);
  const auto server = builder.BuildAndStart();
  const JoinString join{
      .address = "127.0.0.1:" + std::to_string(port), .ca_pin = ca.pin(), .secret = "s3cr3t"};
  CHECK(Enroll(join, data_dir, clock).status().code() == absl::StatusCode::kUnauthenticated);
  CHECK(service.enrolled == 0);
}

TEST_CASE_METHOD(Fixture, "a leaf whose key is pinned does not pass for a CA", "[agent][control]") {
  const FakeDoor door(ca, {&service}, EnrollmentDoor());
  JoinString join = Join(door);
  join.ca_pin = std::string(64, '0');
  CHECK(Enroll(join, data_dir, clock).status().code() == absl::StatusCode::kUnauthenticated);
  CHECK(service.enrolled == 0);
}

TEST_CASE_METHOD(Fixture, "a certificate for another agent or key is not taken",
                 "[agent][control]") {
  const FakeDoor door(ca, {&service}, EnrollmentDoor());
  service.uri = "spiffe://sallyport/agent/b";
  CHECK(Enroll(Join(door), data_dir, clock).status().code() == absl::StatusCode::kUnauthenticated);
  v1::AgentCertificate certificate;
  certificate.set_chain(ca.Issue(*GenerateKey(), {.uri = "spiffe://sallyport/agent/a"}));
  CHECK_FALSE(
      AcceptCertificate(certificate, KeyToPem(*GenerateKey()), ca.pem(), "a", absl::Now()).ok());
  CHECK(LoadEnrollment(data_dir).status().code() == absl::StatusCode::kNotFound);
}

TEST_CASE_METHOD(Fixture, "a control plane that is not there is unavailable", "[agent][control]") {
  std::string address;
  {
    const FakeDoor door(ca, {&service}, EnrollmentDoor());
    address = door.address();
  }
  const JoinString join{.address = address, .ca_pin = ca.pin(), .secret = "s3cr3t"};
  CHECK(Enroll(join, data_dir, clock).status().code() == absl::StatusCode::kUnavailable);
}

TEST_CASE_METHOD(Fixture, "an agent that cannot enroll says what to do", "[agent][control]") {
  const absl::Status none = LoadOrEnroll(data_dir, "", clock).status();
  CHECK(none.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(std::string(none.message()).find("sallyport agents token create") != std::string::npos);
  CHECK(std::string(LoadOrEnroll(data_dir, dir / "missing", clock).status().message())
            .find(dir / "missing") != std::string::npos);
  REQUIRE(WriteFileAtomically(dir / "join", "sallyport-join:1:a:1:x:s3cr3t", 0644).ok());
  const absl::Status open_to_all = LoadOrEnroll(data_dir, dir / "join", clock).status();
  CHECK(std::string(open_to_all.message()).find("chmod 600") != std::string::npos);
}

TEST_CASE_METHOD(Fixture, "what an enrollment would begin with can be checked without beginning it",
                 "[agent][control]") {
  const FakeDoor door(ca, {&service}, EnrollmentDoor());
  CHECK_FALSE(CheckEnrollment(data_dir, "", clock).ok());
  CHECK_FALSE(CheckEnrollment(data_dir, dir / "missing", clock).ok());
  const std::string join_file = WriteJoinFile(door);
  REQUIRE(chmod(join_file.c_str(), 0644) == 0);
  const absl::Status open_to_all = CheckEnrollment(data_dir, join_file, clock).status();
  CHECK(std::string(open_to_all.message()).find("chmod") != std::string::npos);
  REQUIRE(chmod(join_file.c_str(), 0600) == 0);
  const auto before = CheckEnrollment(data_dir, join_file, clock);
  REQUIRE(before.ok());
  CHECK_FALSE(before->has_value());
  // The secret is still good: nothing has used it.
  REQUIRE(LoadOrEnroll(data_dir, join_file, clock).ok());
  const auto enrolled = CheckEnrollment(data_dir, "", clock);
  REQUIRE(enrolled.ok());
  CHECK((*enrolled)->name == "a");
}

TEST_CASE_METHOD(Fixture, "an enrollment that was tampered with stops the start",
                 "[agent][control]") {
  const FakeDoor door(ca, {&service}, EnrollmentDoor());
  const std::string join_file = WriteJoinFile(door);
  REQUIRE(LoadOrEnroll(data_dir, join_file, clock).ok());
  const auto stops = [&] {
    return LoadOrEnroll(data_dir, join_file, clock).status().code() ==
           absl::StatusCode::kFailedPrecondition;
  };
  const std::string identity = *ReadFile(data_dir + "/agent.pem");

  REQUIRE(chmod((data_dir + "/agent.pem").c_str(), 0640) == 0);
  CHECK(stops());
  REQUIRE(chmod((data_dir + "/agent.pem").c_str(), 0600) == 0);
  REQUIRE(WriteFileAtomically(data_dir + "/agent.pem", KeyToPem(*GenerateKey()) + identity).ok());
  CHECK(stops());
  REQUIRE(WriteFileAtomically(data_dir + "/agent.pem", identity).ok());
  REQUIRE(WriteFileAtomically(data_dir + "/ca.pem", TestCa().pem()).ok());
  CHECK(stops());
  REQUIRE(WriteFileAtomically(data_dir + "/ca.pem", ca.pem()).ok());
  REQUIRE(WriteFileAtomically(data_dir + "/enrollment.json",
                              R"({"name":"b","servers":[],"address":"x:1"})")
              .ok());
  CHECK(stops());
  REQUIRE(WriteFileAtomically(data_dir + "/enrollment.json", "{").ok());
  CHECK(stops());
}

TEST_CASE_METHOD(Fixture,
                 "an agent whose certificate ran out enrolls anew, and says so when it cannot",
                 "[agent][control]") {
  const FakeDoor door(ca, {&service}, EnrollmentDoor());
  const std::string join_file = WriteJoinFile(door);
  REQUIRE(LoadOrEnroll(data_dir, join_file, clock).ok());
  FakeClock later(absl::Now() + absl::Hours(30));
  const absl::Status status = LoadOrEnroll(data_dir, "", later).status();
  CHECK(status.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(std::string(status.message()).find("ran out") != std::string::npos);
  // The join string was used already.
  CHECK(ReasonOf(LoadOrEnroll(data_dir, join_file, later).status()) ==
        types::v1::DENIAL_REASON_JOIN_TOKEN_INVALID);
}

Task<void> RenewOnce(CertificateRenewal* renewal, absl::Status* status, Loop* loop) {
  *status = co_await renewal->Renew();
  loop->Stop();
}

TEST_CASE_METHOD(Fixture, "a renewed certificate is kept and put to use", "[agent][control]") {
  FakeDoor enrollment_door(ca, {&service}, EnrollmentDoor());
  Enrollment enrollment = *LoadOrEnroll(data_dir, WriteJoinFile(enrollment_door), clock);
  FakeDoor door(ca, {&service}, {});
  Loop loop;
  ControlPlaneChannel channel(loop, door.address(), enrollment.identity);
  CertificateRenewal renewal(channel, clock, data_dir, enrollment);
  absl::Status status;
  loop.Spawn(RenewOnce(&renewal, &status, &loop));
  loop.Run();
  REQUIRE(status.ok());
  CHECK(service.renewed == 1);
  const auto kept = LoadEnrollment(data_dir);
  REQUIRE(kept.ok());
  CHECK(kept->identity.private_key != enrollment.identity.private_key);
  CHECK(kept->name == "a");
}

Task<void> DrainThenStop(CertificateRenewal* renewal, Loop* loop) {
  co_await renewal->Drain();
  loop->Stop();
}

TEST_CASE_METHOD(Fixture, "a certificate is renewed at half of its life, again after a failure",
                 "[agent][control]") {
  // 13 of its 24 hours have passed.
  service.not_before = absl::Now() - absl::Hours(13);
  FakeDoor enrollment_door(ca, {&service}, EnrollmentDoor());
  const auto enrollment = LoadOrEnroll(data_dir, WriteJoinFile(enrollment_door), clock);
  REQUIRE(enrollment.ok());
  FakeDoor door(ca, {&service}, {});
  service.failures = 1;
  Loop loop;
  ControlPlaneChannel channel(loop, door.address(), enrollment->identity);
  CertificateRenewal renewal(channel, clock, data_dir, *enrollment);
  renewal.Start();
  loop.Every(absl::Milliseconds(5), [&] {
    if (renewal.not_after() != enrollment->not_after) loop.Stop();
  });
  loop.Run();
  CHECK(service.renewed == 1);
  CHECK(renewal.not_after() > enrollment->not_after + absl::Hours(12));
  loop.Spawn(DrainThenStop(&renewal, &loop));
  loop.Run();
  CHECK(service.renewed == 1);
}

}  // namespace
}  // namespace sallyport::agent
