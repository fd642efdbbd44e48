#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <functional>

#include "common/operator_detail.h"
#include "common/random.h"
#include "controlplane/store/records.h"
#include "tests/fakes/runs.h"
#include "tests/fakes/temp_dir.h"

namespace sallyport::controlplane {
namespace {

absl::Status AcceptAll(const records::Head&, const RecordView&) { return absl::OkStatus(); }

absl::Status AppendNext(records::Appender& appender, uint64_t n, size_t payload_bytes) {
  types::v1::Record record;
  record.set_session_id("ses_1");
  record.set_n(n);
  record.set_type(types::v1::RECORD_TYPE_REQUEST);
  record.set_payload(RandomBytes(payload_bytes));
  record.set_hash("hash" + std::to_string(n));
  types::v1::RecordRun run;
  *run.add_records() = std::move(record);
  const std::string packed = Packed(run);
  const records::ReceivedRun batch[] = {{packed, Unpacked(packed)}};
  return appender.Append("a1", batch, absl::UnixEpoch(), AcceptAll);
}

// Runs `body` in a process of its own with the write end of a pipe; gives its id and the read end.
std::pair<pid_t, int> Fork(const std::function<void(int)>& body) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    ::close(ends[0]);
    body(ends[1]);
    ::_exit(0);
  }
  ::close(ends[1]);
  return {pid, ends[0]};
}

uint64_t StoredRecords(const std::string& path) {
  auto database = Database::Open(path, migrations::Recordings());
  REQUIRE(database.ok());
  auto t = (*database)->Read();
  Statement check = (*t)->Prepare("pragma integrity_check");
  REQUIRE(*check.Step());
  CHECK(check.text(0) == "ok");
  return records::FindHead(**t, "ses_1")->n;
}

TEST_CASE("what was acknowledged survives kill -9 at any time", "[controlplane][store]") {
  const TempDir dir;
  const std::string path = dir / "recordings.db";
  uint64_t acked = 0;
  for (int round = 0; round < 8; ++round) {
    const auto [pid, pipe] = Fork([&](int out) {
      auto database = Database::Open(path, migrations::Recordings());
      if (!database.ok()) ::_exit(1);
      records::Appender appender(**database);
      for (uint64_t n = acked + 1;; ++n) {
        const absl::Status appended = AppendNext(appender, n, 2000);
        // The ack of the round before may have been lost with its process, the record not.
        if (!appended.ok() && appended.code() != absl::StatusCode::kDataLoss) ::_exit(1);
        if (::write(out, &n, sizeof n) != sizeof n) ::_exit(1);
      }
    });
    for (int i = 0; i < 40 + 61 * round; ++i)
      REQUIRE(::read(pipe, &acked, sizeof acked) == sizeof acked);
    REQUIRE(::kill(pid, SIGKILL) == 0);
    while (::read(pipe, &acked, sizeof acked) == sizeof acked) {
    }
    ::close(pipe);
    int status = 0;
    REQUIRE(::waitpid(pid, &status, 0) == pid);
    REQUIRE(WIFSIGNALED(status));
    CHECK(StoredRecords(path) >= acked);
  }
}

TEST_CASE("a full disk is said clearly, loses nothing acknowledged, and is over when there is room",
          "[controlplane][store]") {
  struct Outcome {
    uint64_t acked;
    absl::StatusCode code;
    bool tells_file;
    bool logs_file;
  };
  const TempDir dir;
  const std::string path = dir / "recordings.db";
  const auto [pid, pipe] = Fork([&](int out) {
    ::signal(SIGXFSZ, SIG_IGN);
    auto database = Database::Open(path, migrations::Recordings());
    if (!database.ok()) ::_exit(1);
    records::Appender appender(**database);
    const rlimit full{512 * 1024, RLIM_INFINITY};
    if (::setrlimit(RLIMIT_FSIZE, &full) != 0) ::_exit(1);
    Outcome outcome{0, absl::StatusCode::kOk, true, false};
    absl::Status appended;
    while ((appended = AppendNext(appender, outcome.acked + 1, 20'000)).ok()) ++outcome.acked;
    outcome.code = appended.code();
    outcome.tells_file = std::string(appended.message()).find('/') != std::string::npos;
    outcome.logs_file = OperatorDetailOf(appended).starts_with(path);
    const rlimit room{RLIM_INFINITY, RLIM_INFINITY};
    if (::setrlimit(RLIMIT_FSIZE, &room) != 0) ::_exit(1);
    if (!AppendNext(appender, outcome.acked + 1, 20'000).ok()) ::_exit(2);
    ++outcome.acked;
    if (::write(out, &outcome, sizeof outcome) != sizeof outcome) ::_exit(1);
  });
  Outcome outcome{};
  REQUIRE(::read(pipe, &outcome, sizeof outcome) == sizeof outcome);
  ::close(pipe);
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  CHECK(status == 0);
  CHECK(outcome.code == absl::StatusCode::kResourceExhausted);
  CHECK_FALSE(outcome.tells_file);
  CHECK(outcome.logs_file);
  CHECK(outcome.acked > 5);
  CHECK(StoredRecords(path) == outcome.acked);
}

}  // namespace
}  // namespace sallyport::controlplane
