#include "agent/record/spool.h"

#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "common/operator_detail.h"
#include "tests/fakes/temp_dir.h"

namespace sallyport::agent {
namespace {

struct Client final : SpoolClient {
  bool OnEntry(EntryKind kind, std::string_view payload) override {
    if (kind == EntryKind::kRecord) found.emplace_back(payload);
    return keep;
  }
  void OnDamage() override { found.emplace_back("<damage>"); }
  std::string Checkpoint() override { return "checkpoint"; }

  std::vector<std::string> found;
  bool keep = true;
};

struct Rig {
  explicit Rig(std::uint64_t segments = 4)
      : options{.dir = dir / "spool", .max_bytes = segments * 65536, .segment_bytes = 65536} {
    Open();
  }
  void Open() {
    spool.reset();
    client = Client();
    auto opened = Spool::Open(options, client);
    if (!opened.ok()) FAIL(opened.status().message());
    spool = *std::move(opened);
  }
  absl::Status Add(const std::string& payload, Spool::Room room = Spool::Room::kOrdinary) {
    absl::Status added = spool->Append(EntryKind::kRecord, room, payload);
    if (!added.ok()) return added;
    return spool->Write(spool->TakePending());
  }
  std::vector<std::string> ReadAll() {
    SpoolReader reader(*spool);
    std::vector<std::string> out;
    for (;;) {
      auto next = reader.Next();
      REQUIRE(next.ok());
      if (next->empty()) return out;
      out.emplace_back(*next);
    }
  }
  // The segment whose entries the file holds now.
  std::string FileOf(std::uint64_t generation) const {
    for (const auto& entry : std::filesystem::directory_iterator(options.dir)) {
      std::ifstream in(entry.path(), std::ios::binary);
      std::string head(24, '\0');
      if (entry.is_regular_file() && in.read(head.data(), 24) &&
          ReadSegmentHead(head) == generation)
        return entry.path();
    }
    return {};
  }
  void Overwrite(const std::string& file, std::uint64_t at, const std::string& bytes) {
    std::fstream out(file, std::ios::in | std::ios::out | std::ios::binary);
    out.seekp(static_cast<std::streamoff>(at));
    out << bytes;
  }

  TempDir dir;
  SpoolOptions options;
  Client client;
  std::unique_ptr<Spool> spool;
};

using Strings = std::vector<std::string>;

TEST_CASE("the last quarter of the segments is told from the others before it is begun",
          "[agent][spool]") {
  Rig rig;
  for (int i = 0; i < 3; ++i) {
    CHECK_FALSE(rig.spool->WouldFillLastQuarter(40000));
    REQUIRE(rig.Add(std::string(40000, 'a')).ok());
  }
  CHECK(rig.spool->WouldFillLastQuarter(40000));
  // What fits in the third does not begin the fourth.
  CHECK_FALSE(rig.spool->WouldFillLastQuarter(1000));
  REQUIRE(rig.Add(std::string(40000, 'b')).ok());
  CHECK(rig.spool->WouldFillLastQuarter(1000));
}

TEST_CASE("a spool gives back what was written, in order, also after it was opened again",
          "[agent][spool]") {
  Rig rig;
  REQUIRE(rig.Add("a").ok());
  REQUIRE(rig.Add("bb").ok());
  CHECK(rig.ReadAll() == Strings{"a", "bb"});
  rig.Open();
  CHECK(rig.client.found == Strings{"a", "bb"});
  CHECK(rig.spool->recovery().records == 2);
  REQUIRE(rig.Add("c").ok());
  CHECK(rig.ReadAll() == Strings{"a", "bb", "c"});
}

TEST_CASE("what is pending cannot be read before it is written", "[agent][spool]") {
  Rig rig;
  REQUIRE(rig.spool->Append(EntryKind::kRecord, Spool::Room::kOrdinary, "a").ok());
  CHECK(rig.ReadAll().empty());
  REQUIRE(rig.spool->Write(rig.spool->TakePending()).ok());
  CHECK(rig.ReadAll() == Strings{"a"});
}

TEST_CASE("what was acknowledged is not shipped again, and its segments are used again",
          "[agent][spool]") {
  Rig rig;
  std::string big(20000, 'x');
  int files = 0;
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 3; ++i) REQUIRE(rig.Add(big + std::to_string(round * 3 + i)).ok());
    SpoolReader reader(*rig.spool);
    for (int i = 0; i < 3; ++i) {
      auto next = reader.Next();
      REQUIRE(next.ok());
      CHECK(*next == big + std::to_string(round * 3 + i));
    }
    rig.spool->Acknowledge(reader.position(), reader.TakeBytes());
    CHECK(rig.spool->backlog_bytes() == 0);
  }
  for (const auto& entry : std::filesystem::directory_iterator(rig.options.dir))
    files += entry.is_regular_file();
  CHECK(files <= 4);
  rig.Open();
  CHECK(rig.ReadAll().empty());
  CHECK(rig.spool->backlog_bytes() == 0);
}

TEST_CASE("a full spool refuses, keeps its reserved room, and takes again once acknowledged",
          "[agent][spool]") {
  Rig rig;
  rig.spool->Reserve(8192);
  std::string record(4000, 'x');
  absl::Status status;
  int taken = 0;
  while ((status = rig.Add(record)).ok()) ++taken;
  CHECK(status.code() == absl::StatusCode::kResourceExhausted);
  CHECK(taken > 40);
  CHECK(rig.Add(record, Spool::Room::kReserved).ok());
  CHECK(rig.Add(record, Spool::Room::kReserved).ok());
  SpoolReader reader(*rig.spool);
  for (int i = 0; i < taken + 2; ++i) REQUIRE_FALSE(reader.Next()->empty());
  rig.spool->Acknowledge(reader.position(), reader.TakeBytes());
  CHECK(rig.Add(record).ok());
  CHECK(rig.Add(std::string(65536, 'x')).code() == absl::StatusCode::kResourceExhausted);
}

TEST_CASE("the segments that a backlog has left behind are given back, but for a few",
          "[agent][spool]") {
  Rig rig(16);
  rig.options.rest = std::chrono::milliseconds(5);
  rig.Open();
  const auto files = [&] {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(rig.options.dir))
      count += entry.is_regular_file();
    return count;
  };
  const auto acknowledge_all = [&] {
    SpoolReader reader(*rig.spool);
    while (!reader.Next()->empty()) continue;
    rig.spool->Acknowledge(reader.position(), reader.TakeBytes());
  };
  const std::string big(20000, 'x');
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 40; ++i) REQUIRE(rig.Add(big).ok());
    CHECK(files() >= 13);
    acknowledge_all();
    for (int i = 0; i < 2000 && files() > 3; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    CHECK(files() == 3);
  }
  // Room that is reserved stays there to be used.
  rig.spool->Reserve(std::uint64_t{6} << 16);
  for (int i = 0; i < 20; ++i) REQUIRE(rig.Add(big).ok());
  acknowledge_all();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  CHECK(files() >= 7);
}

TEST_CASE("a torn last write is cut and said; what comes after is whole", "[agent][spool]") {
  Rig rig;
  REQUIRE(rig.Add("kept").ok());
  std::uint64_t at = rig.spool->committed().offset;
  REQUIRE(rig.spool->Append(EntryKind::kRecord, Spool::Room::kOrdinary, "torn").ok());
  REQUIRE(rig.spool->Append(EntryKind::kRecord, Spool::Room::kOrdinary, "whole, of the same write")
              .ok());
  REQUIRE(rig.spool->Write(rig.spool->TakePending()).ok());
  std::string file = rig.FileOf(1);
  // The first page of the write did not reach the disk, or only half of it did.
  rig.Overwrite(file, at, GENERATE(std::string(40, '\0'), std::string("junk")));
  rig.Open();
  CHECK(rig.client.found == Strings{"kept"});
  CHECK(rig.spool->recovery().cut_bytes > 0);
  CHECK(rig.spool->recovery().quarantined.empty());
  REQUIRE(rig.Add("new").ok());
  CHECK(rig.ReadAll() == Strings{"kept", "new"});
  rig.Open();
  CHECK(rig.client.found == Strings{"kept", "new"});
  CHECK(rig.spool->recovery().cut_bytes == 0);
}

TEST_CASE("damage in the middle is reported, its file set aside, and the rest is kept",
          "[agent][spool]") {
  Rig rig;
  REQUIRE(rig.Add("before").ok());
  std::uint64_t at = rig.spool->committed().offset;
  REQUIRE(rig.Add("damaged").ok());
  REQUIRE(rig.Add("after").ok());
  rig.Overwrite(rig.FileOf(1), at + kEntryHeadBytes, "D");
  rig.Open();
  CHECK(rig.client.found == Strings{"before", "<damage>", "after"});
  REQUIRE(rig.spool->recovery().quarantined.size() == 1);
  CHECK(std::filesystem::exists(rig.spool->recovery().quarantined[0]));
  CHECK(rig.ReadAll() == Strings{"before", "after"});
  rig.Open();
  CHECK(rig.client.found == Strings{"before", "after"});
  CHECK(rig.spool->recovery().quarantined.empty());
}

TEST_CASE("damage in a segment that is not the last one is no torn write", "[agent][spool]") {
  Rig rig;
  std::string big(25000, 'x');
  for (int i = 0; i < 5; ++i) REQUIRE(rig.Add(big + std::to_string(i)).ok());
  std::string head(8, '\0');
  rig.Overwrite(rig.FileOf(1), kSegmentHeadBytes + EntryBytes(10) + EntryBytes(25001), head);
  rig.Open();
  CHECK(rig.client.found == Strings{big + "0", "<damage>", big + "2", big + "3", big + "4"});
  CHECK(rig.ReadAll() == Strings{big + "0", big + "2", big + "3", big + "4"});
}

TEST_CASE("any one flipped byte of a written entry is found", "[agent][spool]") {
  Rig rig;
  REQUIRE(rig.Add("first").ok());
  std::uint64_t begin = rig.spool->committed().offset;
  REQUIRE(rig.Add("second").ok());
  std::uint64_t end = begin + kEntryHeadBytes + 6;
  REQUIRE(rig.Add("third").ok());
  rig.spool.reset();
  for (std::uint64_t at = begin; at < end; ++at) {
    INFO(at);
    std::string file = rig.FileOf(1);
    TempDir copy;
    std::filesystem::create_directory(copy / "spool");
    std::filesystem::copy(file, copy / "spool/segment-000000");
    std::fstream out(copy / "spool/segment-000000",
                     std::ios::in | std::ios::out | std::ios::binary);
    out.seekg(static_cast<std::streamoff>(at));
    char byte = static_cast<char>(out.get() ^ 0x40);
    out.seekp(static_cast<std::streamoff>(at));
    out.put(byte);
    out.close();
    SpoolOptions options = rig.options;
    options.dir = copy / "spool";
    Client client;
    auto opened = Spool::Open(options, client);
    REQUIRE(opened.ok());
    CHECK(client.found == Strings{"first", "<damage>", "third"});
  }
}

TEST_CASE("a failed write stops the spool for good", "[agent][spool]") {
  std::signal(SIGXFSZ, SIG_IGN);
  Rig rig;
  REQUIRE(rig.Add("a").ok());
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  rlimit none = before;
  none.rlim_cur = 4096;  // no entry fits below
  REQUIRE(setrlimit(RLIMIT_FSIZE, &none) == 0);
  absl::Status failed = rig.Add("b");
  setrlimit(RLIMIT_FSIZE, &before);
  CHECK(failed.code() == absl::StatusCode::kUnavailable);
  const absl::Status stopped = rig.Add("c");
  CHECK(stopped.code() == absl::StatusCode::kUnavailable);
  // Clients are told what, the log also where.
  for (const absl::Status& told : {failed, stopped}) {
    CHECK(told.message().find("cannot record") != absl::string_view::npos);
    CHECK(told.message().find("spool") == absl::string_view::npos);
    CHECK(OperatorDetailOf(told).starts_with("spool: cannot write"));
  }
  CHECK(rig.ReadAll() == Strings{"a"});
  // Another start may try again.
  rig.Open();
  CHECK(rig.Add("d").ok());
}

}  // namespace
}  // namespace sallyport::agent
