#include "agent/record/count_table.h"

#include <sys/resource.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "common/operator_detail.h"
#include "tests/fakes/captured_stderr.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/temp_dir.h"

namespace sallyport::agent {
namespace {

constexpr CallLimit kTwo{.calls = 2, .within = absl::Hours(1)};

// A table over one file, and runs of it one after the other.
struct Rig {
  void Open() {
    auto opened = CountTable::Open(path, clock);
    if (!opened.ok()) FAIL(opened.status().message());
    table.emplace(*std::move(opened));
  }
  absl::Status Begin(std::string_view session, std::string_view principal,
                     const CallLimit& limit = kTwo) {
    return table->Begin(*table->Of(session), *table->Of(principal), clock.SinceBoot(), {limit});
  }
  // How long until one more may go out.
  absl::Duration Wait(std::string_view name, const CallLimit& limit = kTwo) {
    const absl::Duration now = clock.SinceBoot();
    return std::max(table->Of(name)->calls.FreeAt(limit, now) - now, absl::ZeroDuration());
  }
  std::uintmax_t FileBytes() const { return std::filesystem::file_size(path); }

  TempDir dir;
  std::string path = dir / "call-counts";
  FakeClock clock;
  std::optional<CountTable> table;
};

TEST_CASE("a new run counts the calls of the last one", "[agent][record]") {
  Rig rig;
  rig.Open();
  REQUIRE(rig.Begin("s1", "p").ok());
  rig.clock.Advance(absl::Minutes(10));
  REQUIRE(rig.Begin("s2", "p").ok());
  rig.Open();
  CHECK(rig.table->Has("p"));
  CHECK_FALSE(rig.table->Has("other"));
  CHECK(rig.Wait("p") == absl::Minutes(50));
  CHECK(rig.Wait("s1") == absl::ZeroDuration());
  CHECK(rig.Wait("s2", {.calls = 1, .within = absl::Hours(1)}) == absl::Hours(1));
  rig.clock.Advance(absl::Minutes(50));
  rig.Open();
  CHECK(rig.Wait("p") == absl::ZeroDuration());
  CHECK(rig.Wait("p", {.calls = 1, .within = absl::Hours(1)}) == absl::Minutes(10));
}

TEST_CASE("a machine that was started anew counts on by the wall clock", "[agent][record]") {
  Rig rig;
  rig.Open();
  for (int i = 0; i < 2; ++i) REQUIRE(rig.Begin("s", "p").ok());
  // Its own clock is behind all that was counted.
  const FakeClock rebooted(rig.clock.Now() + absl::Minutes(20));
  auto opened = CountTable::Open(rig.path, rebooted);
  REQUIRE(opened.ok());
  const absl::Duration now = rebooted.SinceBoot();
  CHECK(opened->Of("p")->calls.FreeAt(kTwo, now) - now == absl::Minutes(40));
  // One that was set back gives nothing back.
  const FakeClock earlier(rig.clock.Now() - absl::Hours(5));
  opened = CountTable::Open(rig.path, earlier);
  REQUIRE(opened.ok());
  CHECK(opened->Of("p")->calls.FreeAt(kTwo, now) - now == absl::Hours(1));
}

TEST_CASE("what only looks at calls under way leaves nothing on disk", "[agent][record]") {
  Rig rig;
  rig.Open();
  REQUIRE(rig.Begin("s", "p", {.concurrent = 3}).ok());
  CHECK(rig.FileBytes() == 0);
}

TEST_CASE("a call that cannot be noted is not counted, and does not go out", "[agent][record]") {
  Rig rig;
  rig.Open();
  REQUIRE(rig.Begin("s", "p").ok());
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  rlimit none = before;
  none.rlim_cur = rig.FileBytes() + 50;  // room for half of it
  REQUIRE(setrlimit(RLIMIT_FSIZE, &none) == 0);
  CapturedStderr log;
  const absl::Status failed = rig.Begin("s", "p");
  const absl::Status again = rig.Begin("s", "p");
  setrlimit(RLIMIT_FSIZE, &before);
  const std::string logged = log.Text();
  CHECK(failed.code() == absl::StatusCode::kUnavailable);
  CHECK(failed.message().find(rig.path) == absl::string_view::npos);
  CHECK(OperatorDetailOf(failed).find(rig.path) != std::string::npos);
  CHECK_FALSE(again.ok());
  CHECK(logged.find("calls_not_counted") != std::string::npos);
  CHECK(logged.find("calls_not_counted") == logged.rfind("calls_not_counted"));
  CHECK(rig.Wait("p") == absl::ZeroDuration());
  REQUIRE(rig.Begin("s", "p").ok());
  rig.Open();
  CHECK(rig.Wait("p") == absl::Hours(1));
}

TEST_CASE("what cannot be read is cut off, and said", "[agent][record]") {
  Rig rig;
  rig.Open();
  REQUIRE(rig.Begin("s", "p").ok());
  const auto whole = rig.FileBytes();
  REQUIRE(rig.Begin("s", "p").ok());
  {
    std::fstream file(rig.path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(whole) + 3);
    file.put('\x5a');
  }
  CapturedStderr log;
  rig.Open();
  const std::string logged = log.Text();
  CHECK(logged.find("call_counts_damaged") != std::string::npos);
  CHECK(logged.find(rig.path) != std::string::npos);
  CHECK(rig.FileBytes() == whole);
  CHECK(rig.Wait("p", {.calls = 1, .within = absl::Hours(1)}) == absl::Hours(1));
  CHECK(rig.Wait("p") == absl::ZeroDuration());
}

TEST_CASE("the file holds what is looked at, and not much more", "[agent][record]") {
  Rig rig;
  rig.Open();
  const CallLimit limit{.calls = 100, .within = absl::Seconds(100)};
  std::uintmax_t most = 0;
  for (int i = 0; i < 20'000; ++i) {
    rig.clock.Advance(absl::Seconds(1));
    REQUIRE(rig.Begin("s", "p", limit).ok());
    if (i % 10 == 0) rig.table->Sweep();
    most = std::max(most, rig.FileBytes());
  }
  CHECK(most < 5'000 * 40);
  rig.Open();
  CHECK(rig.Wait("p", limit) == absl::Seconds(1));
  CHECK_FALSE(std::filesystem::exists(rig.path + ".new"));
}

TEST_CASE("what no limit looks at is forgotten", "[agent][record]") {
  Rig rig;
  rig.Open();
  REQUIRE(rig.Begin("s", "p").ok());
  rig.table->Of("p")->calls.End();
  rig.table->Of("s")->calls.End();
  rig.clock.Advance(absl::Hours(23));
  rig.table->Sweep();
  CHECK(rig.table->Has("p"));
  rig.clock.Advance(absl::Hours(1));
  rig.table->Sweep();
  CHECK(rig.table->empty());
}

}  // namespace
}  // namespace sallyport::agent
