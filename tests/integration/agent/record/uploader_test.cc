#include "agent/record/uploader.h"

#include <grpcpp/grpcpp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "sallyport/agent/v1/recording_service.grpc.pb.h"
#include "tests/fakes/captured_stderr.h"
#include "tests/fakes/runs.h"
#include "tests/fakes/temp_dir.h"

namespace sallyport::agent {
namespace {

using ServerStream =
    grpc::ServerReaderWriter<agent::v1::StreamRecordsResponse, agent::v1::StreamRecordsRequest>;

// Keeps what it is sent, by (session, n), and answers as it is told.
class Ledger final : public agent::v1::RecordingService::Service {
 public:
  grpc::Status StreamRecords(grpc::ServerContext*, ServerStream* stream) override {
    agent::v1::StreamRecordsRequest request;
    while (stream->Read(&request)) {
      std::unique_lock lock(mutex_);
      ++blocks;
      backlog = request.backlog_bytes();
      for (const std::string& run : request.runs()) {
        ++runs;
        for (const types::v1::Record& record : Unpacked(run)) {
          ++received;
          records[record.session_id()][record.n()] = record.payload();
        }
      }
      changed_.notify_all();
      if (fails_with != grpc::StatusCode::OK) return grpc::Status(fails_with, message);
      if (!acknowledges) continue;
      lock.unlock();
      agent::v1::StreamRecordsResponse response;
      response.set_block(request.block());
      stream->Write(response);
    }
    return grpc::Status::OK;
  }
  template <class F>
  void WaitUntil(F done) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, done);
  }

  std::map<std::string, std::map<std::uint64_t, std::string>> records;
  int blocks = 0;
  int runs = 0;
  int received = 0;
  std::uint64_t backlog = 0;  // as the last block said
  bool acknowledges = true;
  grpc::StatusCode fails_with = grpc::StatusCode::OK;
  std::string message = "as told";

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
};

struct ControlPlane {
  explicit ControlPlane(Ledger& ledger, int at = 0) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:" + std::to_string(at), grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterService(&ledger);
    builder.SetMaxReceiveMessageSize(-1);
    server = builder.BuildAndStart();
    REQUIRE(server != nullptr);
  }
  ~ControlPlane() { server->Shutdown(std::chrono::system_clock::now()); }
  int port = 0;
  std::unique_ptr<grpc::Server> server;
};

struct NoChains final : SpoolClient {
  bool OnEntry(EntryKind, std::string_view) override { return true; }
  void OnDamage() override {}
  std::string Checkpoint() override { return {}; }
};

struct Rig {
  Rig() { Open(); }
  void Open() {
    spool.reset();
    auto opened =
        Spool::Open({.dir = dir / "spool", .max_bytes = 8 << 20, .segment_bytes = 2 << 20}, client);
    REQUIRE(opened.ok());
    spool = *std::move(opened);
  }
  void Add(int from, int to, std::size_t pad = 10, const std::string& session = "ses_a") {
    for (int n = from; n <= to; ++n) {
      types::v1::Record record;
      record.set_session_id(session);
      record.set_n(static_cast<std::uint64_t>(n));
      record.set_payload(std::string(pad, 'x'));
      REQUIRE(spool->Append(EntryKind::kRecord, Spool::Room::kOrdinary, record.SerializeAsString())
                  .ok());
      REQUIRE(spool->Write(spool->TakePending()).ok());
    }
  }
  std::unique_ptr<Uploader> Upload(int port) {
    UploaderOptions options;
    options.max_delay = absl::Milliseconds(5);
    options.poll = absl::Milliseconds(1);
    options.backoff_min = absl::Milliseconds(1);
    options.backoff_max = absl::Milliseconds(5);
    return std::make_unique<Uploader>(
        std::vector<Spool*>{spool.get()},
        [port] {
          return grpc::CreateChannel("127.0.0.1:" + std::to_string(port),
                                     grpc::InsecureChannelCredentials());
        },
        options);
  }

  TempDir dir;
  NoChains client;
  std::unique_ptr<Spool> spool;
};

TEST_CASE("what is written is shipped in blocks and freed once acknowledged", "[agent][uploader]") {
  Rig rig;
  Ledger ledger;
  ControlPlane control(ledger);
  rig.Add(1, 200);
  auto uploader = rig.Upload(control.port);
  ledger.WaitUntil([&] { return ledger.records["ses_a"].size() == 200; });
  CHECK(ledger.blocks < 20);
  rig.Add(201, 210, 1 << 20 >> 3);
  ledger.WaitUntil([&] { return ledger.records["ses_a"].size() == 210; });
  uploader->Stop(absl::Seconds(60));
  CHECK(rig.spool->backlog_bytes() == 0);
  CHECK(uploader->acked_records() == 210);
  CHECK(ledger.received == 210);
}

TEST_CASE("what was not acknowledged is shipped again after either side was started again",
          "[agent][uploader]") {
  Rig rig;
  Ledger ledger;
  ledger.acknowledges = false;
  auto control = std::make_unique<ControlPlane>(ledger);
  int port = control->port;
  rig.Add(1, 10);
  auto uploader = rig.Upload(port);
  std::uint64_t said = 0;
  ledger.WaitUntil([&] {
    said = ledger.backlog;
    return ledger.received >= 10;
  });
  CHECK(rig.spool->backlog_bytes() > 0);
  CHECK(said == rig.spool->backlog_bytes());
  control.reset();
  ledger.acknowledges = true;
  control = std::make_unique<ControlPlane>(ledger, port);
  ledger.WaitUntil([&] { return ledger.received >= 20; });
  uploader->Stop(absl::Seconds(60));
  CHECK(rig.spool->backlog_bytes() == 0);

  // The agent's restart.
  rig.Add(11, 12);
  rig.Open();
  uploader = rig.Upload(port);
  ledger.WaitUntil([&] { return ledger.records["ses_a"].size() == 12; });
  uploader->Stop(absl::Seconds(60));
  CHECK(rig.spool->backlog_bytes() == 0);
  CHECK(ledger.received == 22);
}

TEST_CASE("a block holds one run of each chain, and another where a record comes twice",
          "[agent][uploader]") {
  Rig rig;
  Ledger ledger;
  for (int n = 1; n <= 20; ++n) {
    rig.Add(n, n, 10, "ses_a");
    rig.Add(n, n, 10, "ses_b");
  }
  rig.Add(19, 20, 10, "ses_b");  // a recovery that was interrupted
  ControlPlane control(ledger);
  auto uploader = rig.Upload(control.port);
  ledger.WaitUntil([&] { return ledger.received == 42; });
  uploader->Stop(absl::Seconds(60));
  CHECK(ledger.blocks == 1);
  CHECK(ledger.runs == 3);
  CHECK(ledger.records["ses_a"].size() == 20);
  CHECK(ledger.records["ses_b"].size() == 20);
}

// How many threads of this process run at idle priority.
int IdleThreads() {
  int idle = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    const pid_t tid = std::atoi(task.path().filename().c_str());
    if (sched_getscheduler(tid) == SCHED_IDLE) ++idle;
  }
  return idle;
}

// Of this thread and of those that it starts.
void DropCapabilities() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct none[2] = {};
  REQUIRE(syscall(SYS_capset, &header, none) == 0);
}

TEST_CASE("the uploader gives way to calls only where it may come back", "[agent][uploader]") {
  Rig rig;
  Ledger ledger;
  ControlPlane control(ledger);
  const auto ship = [&](int n) {
    rig.Add(n, n);
    auto uploader = rig.Upload(control.port);
    ledger.WaitUntil([&] { return ledger.received >= n; });
    const int idle = IdleThreads();
    uploader->Stop(absl::Seconds(60));
    return idle;
  };
  rlimit limit{};
  REQUIRE(getrlimit(RLIMIT_NICE, &limit) == 0);
  const rlimit allowed{std::min<rlim_t>(20, limit.rlim_max), limit.rlim_max};
  const bool may_be_allowed = allowed.rlim_cur == 20;
  std::thread([&] {
    DropCapabilities();
    const rlimit forbidden{0, limit.rlim_max};
    REQUIRE(setrlimit(RLIMIT_NICE, &forbidden) == 0);
    CHECK(ship(1) == 0);
    REQUIRE(setrlimit(RLIMIT_NICE, &allowed) == 0);
    CHECK(ship(2) == (may_be_allowed ? 1 : 0));
  }).join();
  REQUIRE(setrlimit(RLIMIT_NICE, &limit) == 0);
}

TEST_CASE("what the control plane does not take is said once, with its reason, and sent again",
          "[agent][uploader]") {
  Rig rig;
  Ledger ledger;
  ledger.fails_with = grpc::StatusCode::FAILED_PRECONDITION;
  ledger.message = "record 1 of ses_a leaves a gap after 7";
  ControlPlane control(ledger);
  rig.Add(1, 3);
  CapturedStderr taken;
  auto uploader = rig.Upload(control.port);
  ledger.WaitUntil([&] { return ledger.blocks >= 5; });
  uploader->Stop(absl::ZeroDuration());
  const std::string log = taken.Text();
  const std::size_t first = log.find("\"records_not_taken\"");
  REQUIRE(first != log.npos);
  CHECK(log.find("record 1 of ses_a leaves a gap after 7", first) != log.npos);
  CHECK(log.find("\"records_not_taken\"", first + 1) == log.npos);
  CHECK_FALSE(uploader->is_refused());
  CHECK(uploader->is_held_up());
  CHECK(rig.spool->backlog_bytes() > 0);
}

TEST_CASE("what was not taken is held up no more once it is", "[agent][uploader]") {
  Rig rig;
  Ledger ledger;
  ledger.fails_with = grpc::StatusCode::FAILED_PRECONDITION;
  auto control = std::make_unique<ControlPlane>(ledger);
  const int port = control->port;
  rig.Add(1, 3);
  auto uploader = rig.Upload(port);
  ledger.WaitUntil([&] { return ledger.blocks >= 2; });
  CHECK(uploader->is_held_up());
  control.reset();
  ledger.fails_with = grpc::StatusCode::OK;
  control = std::make_unique<ControlPlane>(ledger, port);
  uploader->Stop(absl::Seconds(60));
  CHECK_FALSE(uploader->is_held_up());
  CHECK(rig.spool->backlog_bytes() == 0);
}

TEST_CASE("a control plane that holds other records stops the upload for good",
          "[agent][uploader]") {
  Rig rig;
  Ledger ledger;
  ledger.fails_with = grpc::StatusCode::DATA_LOSS;
  ControlPlane control(ledger);
  rig.Add(1, 3);
  auto uploader = rig.Upload(control.port);
  ledger.WaitUntil([&] { return ledger.blocks >= 1; });
  uploader->Stop(absl::Seconds(60));
  CHECK(uploader->is_refused());
  CHECK(ledger.blocks == 1);
  CHECK(rig.spool->backlog_bytes() > 0);
}

}  // namespace
}  // namespace sallyport::agent
