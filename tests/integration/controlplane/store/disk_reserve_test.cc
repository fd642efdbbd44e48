#include "controlplane/store/disk_reserve.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "common/denial.h"
#include "common/operator_detail.h"
#include "controlplane/store/audit_log.h"
#include "controlplane/store/records.h"
#include "tests/fakes/captured_stderr.h"
#include "tests/fakes/runs.h"
#include "tests/fakes/small_disk.h"
#include "tests/fakes/temp_dir.h"

namespace sallyport::controlplane {
namespace {

constexpr uint64_t kMiB = 1 << 20;

// A disk of 64 MiB, as far as anybody asks: a floor of 8 MiB, a ballast of 4.
struct Disk {
  DiskReserve::Space space{.total = 64 * kMiB, .free = 32 * kMiB};
  TempDir dir;
  std::unique_ptr<DiskReserve> reserve = Open();

  std::unique_ptr<DiskReserve> Open() {
    return *DiskReserve::Open(dir.path(), [this] { return space; });
  }
  uint64_t BallastBlocks() const {
    struct stat info {};
    return ::stat((dir / "ballast").c_str(), &info) == 0
               ? static_cast<uint64_t>(info.st_blocks) * 512
               : 0;
  }
};

absl::Status AddLine(WriteTransaction& t) {
  const Caller caller(SystemCaller{}, "");
  if (absl::Status added =
          audit_log::Append(t, audit_log::LineOf(caller, absl::UnixEpoch(), "test", "x"));
      !added.ok()) {
    return added;
  }
  return t.Commit();
}
absl::Status WriteLine(Database& database, WriteFor use) { return database.Write(use, AddLine); }

TEST_CASE("the ballast is of real blocks, is given up by quarters, and made again above the floor",
          "[controlplane][store]") {
  Disk disk;
  CHECK(disk.reserve->floor_bytes() == 8 * kMiB);
  CHECK(disk.reserve->ballast_bytes() == 4 * kMiB);
  CHECK(disk.BallastBlocks() >= 4 * kMiB);
  for (uint64_t left = 4; left-- > 0;) {
    REQUIRE(disk.reserve->GiveUpBallast());
    CHECK(disk.reserve->ballast_bytes() == left * kMiB);
    CHECK(disk.BallastBlocks() < (left + 1) * kMiB);
  }
  CHECK_FALSE(disk.reserve->GiveUpBallast());
  disk.space.free = 12 * kMiB - 1;
  disk.reserve->Tend();
  CHECK(disk.reserve->ballast_bytes() == 0);
  disk.space.free = 12 * kMiB;
  disk.reserve->Tend();
  CHECK(disk.BallastBlocks() >= 4 * kMiB);
  // One that is there is not made twice.
  disk.space.free = 9 * kMiB;
  CHECK(disk.Open()->ballast_bytes() == 4 * kMiB);
}

TEST_CASE("a start on a full disk gets a part of the ballast", "[controlplane][store]") {
  Disk disk;
  disk.space.free = 0;
  CHECK(disk.Open()->ballast_bytes() == 3 * kMiB);
}

TEST_CASE("below the floor callers write nothing, operators and revocations do",
          "[controlplane][store]") {
  Disk disk;
  auto control = *Database::Open(disk.dir / "control.db", migrations::Control(), &*disk.reserve);
  REQUIRE(WriteLine(*control, WriteFor::kCallers).ok());
  disk.space.free = 8 * kMiB - 1;
  const absl::Status refused = WriteLine(*control, WriteFor::kCallers);
  CHECK(refused.code() == absl::StatusCode::kResourceExhausted);
  CHECK(ReasonOf(refused) == types::v1::DENIAL_REASON_CONTROL_PLANE_UNAVAILABLE);
  CHECK(refused.message().find('/') == std::string::npos);
  CHECK(WriteLine(*control, WriteFor::kOperators).ok());
  CHECK(WriteLine(*control, WriteFor::kRevocation).ok());
  CHECK(audit_log::List(**control->Read(), 0, 10)->size() == 3);
  // Who only looked is told what is there.
  CHECK((*control->Write())->Commit().ok());
  disk.space.free = 8 * kMiB;
  CHECK(WriteLine(*control, WriteFor::kCallers).ok());
  CHECK(disk.reserve->ballast_bytes() == 4 * kMiB);
}

TEST_CASE("below the floor no record is taken, and the same ones are when there is room",
          "[controlplane][store]") {
  Disk disk;
  auto recordings =
      *Database::Open(disk.dir / "recordings.db", migrations::Recordings(), &*disk.reserve);
  records::Appender appender(*recordings);
  types::v1::RecordRun run;
  types::v1::Record& record = *run.add_records();
  record.set_session_id("ses_1");
  record.set_n(1);
  record.set_type(types::v1::RECORD_TYPE_REQUEST);
  record.set_hash("hash");
  const std::string packed = Packed(run);
  const records::ReceivedRun batch[] = {{packed, Unpacked(packed)}};
  const auto append = [&] {
    return appender.Append("a1", batch, absl::UnixEpoch(),
                           [](const auto&, const auto&) { return absl::OkStatus(); });
  };
  disk.space.free = 0;
  CHECK(append().code() == absl::StatusCode::kResourceExhausted);
  CHECK(recordings->GiveBackSpace().ok());
  disk.space.free = 32 * kMiB;
  CHECK(append().ok());
  CHECK(records::FindHead(**recordings->Read(), "ses_1")->n == 1);
}

TEST_CASE("the log says once that the floor is passed, and once that there is room again",
          "[controlplane][store]") {
  Disk disk;
  CapturedStderr log;
  disk.space.free = 1;
  disk.reserve->Tend();
  disk.reserve->Tend();
  disk.space.free = 32 * kMiB;
  disk.reserve->Tend();
  disk.reserve->Tend();
  const std::string text = log.Text();
  CHECK(text.find("disk_low") != std::string::npos);
  CHECK(text.find("disk_low") == text.rfind("disk_low"));
  CHECK(text.find("disk_has_room") != std::string::npos);
  CHECK(text.find("disk_has_room") == text.rfind("disk_has_room"));
}

TEST_CASE("on a disk without a byte left thousands of revocations go through, others do not",
          "[controlplane][store]") {
  const TempDir dir;
  const bool has_run = OnSmallDisk(dir.path(), 128 * kMiB, [&] {
    auto reserve = *DiskReserve::Open(dir.path());
    CHECK(reserve->ballast_bytes() == 8 * kMiB);
    auto control = *Database::Open(dir / "control.db", migrations::Control(), &*reserve);
    FillDisk(dir / "fill");
    absl::Status full;
    for (int i = 0; full.ok() && i < 10'000; ++i) full = WriteLine(*control, WriteFor::kOperators);
    CHECK(full.code() == absl::StatusCode::kResourceExhausted);
    CHECK(full.message() == "the control plane cannot write its database: the disk is full");
    CHECK(OperatorDetailOf(full).find("control.db") != std::string::npos);
    CHECK(WriteLine(*control, WriteFor::kCallers).code() == absl::StatusCode::kResourceExhausted);
    int revoked = 0;
    for (int i = 0; i < 5'000; ++i) revoked += WriteLine(*control, WriteFor::kRevocation).ok();
    CHECK(revoked == 5'000);
    ::unlink((dir / "fill").c_str());
    CHECK(WriteLine(*control, WriteFor::kCallers).ok());
    reserve->Tend();
    CHECK(reserve->ballast_bytes() == 8 * kMiB);
  });
  if (!has_run) WARN("needs root: nothing was checked");
}

}  // namespace
}  // namespace sallyport::controlplane
