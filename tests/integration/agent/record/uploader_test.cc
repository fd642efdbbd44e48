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
#include <fstream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "common/grpc_status.h"
#include "common/refused_recording.h"
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
      for (const std::string& run : request.runs()) {
        const std::string session = RecordsOf(run)[0].session_id();
        if (refuses.contains(session)) {
          changed_.notify_all();
          return ToGrpcStatus(RefuseRecording(absl::FailedPreconditionError("a gap"), session));
        }
      }
      backlog = request.backlog_bytes();
      for (const std::string& run : request.runs()) {
        ++runs;
        for (const types::v1::Record& record : RecordsOf(run)) {
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
  std::set<std::string> refuses;  // recordings, for good

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
      record.set_hash("h" + std::to_string(n) + (is_other_history ? "*" : ""));
      REQUIRE(spool->Append(EntryKind::kRecord, Spool::Room::kOrdinary, record.SerializeAsString())
                  .ok());
      REQUIRE(spool->Write(spool->TakePending()).ok());
    }
  }
  std::unique_ptr<Uploader> Upload(int port) {
    UploaderOptions options;
    options.set_aside = {.dir = dir / "aside", .max_bytes = set_aside_max};
    options.on_refused = [this](const std::string& recording) { refused.push_back(recording); };
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

  std::string AsideFile(const std::string& session = "ses_a") {
    return dir / ("aside/" + session + ".jsonl");
  }
  // The numbers of the records that were set aside, in the file's order.
  std::vector<int> Aside(const std::string& session = "ses_a") {
    std::vector<int> numbers;
    std::ifstream file(AsideFile(session));
    for (std::string line; std::getline(file, line);) {
      const auto record = nlohmann::json::parse(line);
      CHECK(record["sessionId"] == session);
      numbers.push_back(record["n"].get<int>());
    }
    return numbers;
  }

  TempDir dir;
  NoChains client;
  std::unique_ptr<Spool> spool;
  std::uint64_t set_aside_max = 1 << 20;
  bool is_other_history = false;
  // The uploader's, until it is stopped.
  std::vector<std::string> refused;
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
  CHECK(uploader->is_held_up());
  CHECK(rig.spool->backlog_bytes() > 0);
}

TEST_CASE("what names no recording as its cause is held up, and no more once it is taken",
          "[agent][uploader]") {
  Rig rig;
  Ledger ledger;
  ledger.fails_with =
      GENERATE(grpc::StatusCode::DATA_LOSS, grpc::StatusCode::RESOURCE_EXHAUSTED,
               grpc::StatusCode::PERMISSION_DENIED, grpc::StatusCode::FAILED_PRECONDITION);
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
  CHECK(ledger.records["ses_a"].size() == 3);
  CHECK(rig.refused.empty());
  CHECK(uploader->set_aside() == 0);
}

TEST_CASE("a recording that is refused for good is set aside, and all others are shipped",
          "[agent][uploader]") {
  Rig rig;
  Ledger ledger;
  ledger.refuses = {"ses_a", "ses_c"};
  ControlPlane control(ledger);
  for (int n = 1; n <= 30; ++n) {
    for (const char* session : {"ses_a", "ses_b", "ses_c"}) rig.Add(n, n, 10, session);
  }
  CapturedStderr taken;
  auto uploader = rig.Upload(control.port);
  ledger.WaitUntil([&] { return ledger.records["ses_b"].size() == 30; });
  // What comes when nothing else is left, too.
  rig.Add(31, 32, 10, "ses_a");
  uploader->Stop(absl::Seconds(60));
  CHECK(rig.spool->backlog_bytes() == 0);
  CHECK_FALSE(uploader->is_held_up());
  CHECK(uploader->set_aside() == 2);
  CHECK(rig.refused.size() == 2);
  CHECK_FALSE(ledger.records.contains("ses_a"));
  std::vector<int> all(32);
  std::iota(all.begin(), all.end(), 1);
  CHECK(rig.Aside("ses_a") == all);
  all.resize(30);
  CHECK(rig.Aside("ses_c") == all);
  const std::string log = taken.Text();
  for (const char* session : {"ses_a", "ses_c"}) {
    const std::size_t said = log.find(R"("recording":")" + std::string(session));
    REQUIRE(said != log.npos);
    CHECK(log.rfind("\"recording_set_aside\"", said) != log.npos);
    CHECK(log.find(rig.AsideFile(session), said) != log.npos);
    CHECK(log.find("a gap", said) != log.npos);
  }
  CHECK(log.find("records_not_taken") == log.npos);
}

TEST_CASE("what is set aside outlives the agent, and no record stands there twice",
          "[agent][uploader]") {
  Rig rig;
  Ledger ledger;
  ledger.refuses = {"ses_a"};
  ledger.acknowledges = false;
  ControlPlane control(ledger);
  rig.Add(1, 3, 10, "ses_a");
  rig.Add(1, 1, 10, "ses_b");
  auto uploader = rig.Upload(control.port);
  ledger.WaitUntil([&] { return ledger.received >= 1; });
  uploader->Stop(absl::ZeroDuration());
  CHECK(rig.Aside() == std::vector<int>{1, 2, 3});
  // Of a write that was interrupted.
  std::ofstream(rig.AsideFile(), std::ios::app) << R"({"sessionId":"ses_a","n":4,)";

  rig.Open();
  ledger.acknowledges = true;
  rig.Add(4, 4, 10, "ses_a");
  uploader = rig.Upload(control.port);
  uploader->Stop(absl::Seconds(60));
  CHECK(rig.Aside() == std::vector<int>{1, 2, 3, 4});
  CHECK(rig.refused == std::vector<std::string>(2, "ses_a"));
  CHECK(rig.spool->backlog_bytes() == 0);

  // Another history of it is no repetition.
  rig.is_other_history = true;
  rig.Add(1, 2, 10, "ses_a");
  uploader = rig.Upload(control.port);
  uploader->Stop(absl::Seconds(60));
  CHECK(rig.Aside() == std::vector<int>{1, 2, 3, 4, 1, 2});
}

TEST_CASE("a file that was moved away is forgotten, and what comes after it begins another",
          "[agent][uploader]") {
  Rig rig;
  Ledger ledger;
  ledger.refuses = {"ses_a"};
  ControlPlane control(ledger);
  rig.Add(1, 2);
  auto uploader = rig.Upload(control.port);
  const auto drains = [&] {
    while (rig.spool->backlog_bytes() > 0) std::this_thread::yield();
  };
  drains();
  std::filesystem::rename(rig.AsideFile(), rig.dir / "moved");
  CHECK(uploader->set_aside() == 0);
  rig.Add(3, 3);
  drains();
  uploader->Stop(absl::Seconds(60));
  CHECK(rig.Aside() == std::vector<int>{3});
}

TEST_CASE("what cannot be set aside is kept in the spool, and said", "[agent][uploader]") {
  Rig rig;
  Ledger ledger;
  ledger.refuses = {"ses_a", "ses_c"};
  ControlPlane control(ledger);
  rig.set_aside_max = 1;
  rig.Add(1, 3, 10, "ses_a");
  CapturedStderr taken;
  auto uploader = rig.Upload(control.port);
  while (rig.spool->backlog_bytes() > 0) std::this_thread::yield();
  rig.Add(1, 3, 10, "ses_c");
  rig.Add(1, 3, 10, "ses_b");
  while (!uploader->is_held_up()) std::this_thread::yield();
  CHECK(rig.spool->backlog_bytes() > 0);
  CHECK(rig.Aside("ses_c").empty());
  // Until there is room again.
  std::filesystem::remove(rig.AsideFile("ses_a"));
  uploader->Stop(absl::Seconds(60));
  CHECK(rig.spool->backlog_bytes() == 0);
  CHECK_FALSE(uploader->is_held_up());
  CHECK(rig.Aside("ses_c") == std::vector<int>{1, 2, 3});
  CHECK(ledger.records["ses_b"].size() == 3);
  CHECK(taken.Text().find("aside is full of what the control plane refused") != std::string::npos);
}

TEST_CASE("a name that no file can have sets nothing aside", "[agent][uploader]") {
  SetAside aside({.dir = "/nowhere"});
  for (const char* name : {"", ".", "..", "../ses_a", "a/b", ".hidden", "a b"}) {
    CHECK_FALSE(aside.Begin(name));
    CHECK_FALSE(aside.Holds(name));
  }
  CHECK(aside.Begin("agent:edge-1:0011223344556677"));
  CHECK(aside.Begin("ses_a"));
  CHECK_FALSE(aside.Begin("ses_a"));
}

}  // namespace
}  // namespace sallyport::agent
