#include "controlplane/store/database.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <thread>

#include "common/operator_detail.h"
#include "controlplane/store/audit_log.h"
#include "controlplane/store/meta.h"
#include "tests/fakes/temp_dir.h"

namespace sallyport::controlplane {
namespace {

std::unique_ptr<Database> OpenControl(const TempDir& dir) {
  auto database = Database::Open(dir / "control.db", migrations::Control());
  REQUIRE(database.ok());
  return *std::move(database);
}

int64_t Count(Database& database, std::string_view sql) {
  auto t = database.Read();
  REQUIRE(t.ok());
  Statement count = (*t)->Prepare(sql);
  REQUIRE(*count.Step());
  return count.integer(0);
}

absl::Status AddLine(Database& database, const std::string& action) {
  auto t = database.Write();
  if (!t.ok()) return t.status();
  const Caller caller(SystemCaller{}, "");
  if (auto s = audit_log::Append(**t, audit_log::LineOf(caller, absl::UnixEpoch(), action, "x"));
      !s.ok())
    return s;
  return (*t)->Commit();
}

TEST_CASE("a database that cannot be written to says so until it can", "[controlplane][store]") {
  const TempDir dir;
  auto database = OpenControl(dir);
  REQUIRE(AddLine(*database, "before").ok());
  CHECK(database->CheckWrites().ok());
  {
    sqlite3* other = nullptr;
    REQUIRE(sqlite3_open((dir / "control.db").c_str(), &other) == SQLITE_OK);
    REQUIRE(sqlite3_exec(other, "begin immediate", nullptr, nullptr, nullptr) == SQLITE_OK);
    CHECK_FALSE(AddLine(*database, "meanwhile").ok());
    CHECK_THAT(std::string(database->CheckWrites().message()), Catch::Contains("control.db"));
    CHECK(database->Read().ok());
    database->RetryWrites();
    CHECK_FALSE(database->CheckWrites().ok());
    sqlite3_close(other);
  }
  database->RetryWrites();
  CHECK(database->CheckWrites().ok());
  // What is wrong with the work is not wrong with the database.
  {
    auto t = *database->Write();
    CHECK_FALSE(t->Prepare("insert into no_such_table values (1)").Run().ok());
  }
  CHECK(database->CheckWrites().ok());
}

TEST_CASE("what is said of a transaction is said after its commit, with nothing locked, or never",
          "[controlplane][store]") {
  const TempDir dir;
  auto database = OpenControl(dir);
  int said = 0;
  {
    auto t = *database->Write();
    t->AfterCommit([&] { ++said; });
  }
  CHECK(said == 0);
  auto t = *database->Write();
  t->AfterCommit([&] {
    ++said;
    CHECK(AddLine(*database, "after").ok());
  });
  REQUIRE(t->Commit().ok());
  CHECK(said == 1);
  CHECK(Count(*database, "select count(*) from audit_lines where action = 'after'") == 1);
}

TEST_CASE("a database's files are the owner's alone, whatever the umask and whatever they were",
          "[controlplane][store]") {
  const TempDir dir;
  std::ofstream(dir / "control.db").close();
  REQUIRE(::chmod((dir / "control.db").c_str(), 0644) == 0);
  const mode_t umask_before = ::umask(0);
  auto database = OpenControl(dir);
  REQUIRE(AddLine(*database, "a").ok());
  ::umask(umask_before);
  for (const char* name : {"control.db", "control.db-wal", "control.db-shm", "control.db.lock"}) {
    struct stat info {};
    INFO(name);
    REQUIRE(::stat((dir / name).c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
  }
}

TEST_CASE(
    "the writer is in WAL mode and syncs each commit; foreign keys and recursive triggers are on",
    "[controlplane][store]") {
  const TempDir dir;
  auto database = OpenControl(dir);
  auto t = database->Write();
  REQUIRE(t.ok());
  const std::pair<const char*, std::string> expected[] = {{"pragma journal_mode", "wal"},
                                                          {"pragma synchronous", "2"},
                                                          {"pragma foreign_keys", "1"},
                                                          {"pragma recursive_triggers", "1"}};
  for (const auto& [pragma, value] : expected) {
    Statement ask = (*t)->Prepare(pragma);
    REQUIRE(*ask.Step());
    CHECK(ask.text(0) == value);
  }
}

TEST_CASE("a database is open in one place at a time", "[controlplane][store]") {
  const TempDir dir;
  auto database = OpenControl(dir);
  const auto second = Database::Open(dir / "control.db", migrations::Control());
  CHECK(second.status().code() == absl::StatusCode::kUnavailable);
  database.reset();
  CHECK(Database::Open(dir / "control.db", migrations::Control()).ok());
}

TEST_CASE("a file that is no database is refused by name", "[controlplane][store]") {
  const TempDir dir;
  std::ofstream(dir / "control.db") << std::string(8192, 'x');
  const auto database = Database::Open(dir / "control.db", migrations::Control());
  CHECK(database.status().code() == absl::StatusCode::kDataLoss);
  CHECK_THAT(std::string(database.status().message()), Catch::Contains("control.db"));
}

TEST_CASE("a transaction that was not committed has not happened", "[controlplane][store]") {
  const TempDir dir;
  auto database = OpenControl(dir);
  {
    auto t = database->Write();
    const Caller caller(SystemCaller{}, "");
    REQUIRE(audit_log::Append(**t, audit_log::LineOf(caller, absl::UnixEpoch(), "a", "x")).ok());
  }
  CHECK(Count(*database, "select count(*) from audit_lines") == 0);
  REQUIRE(AddLine(*database, "b").ok());
  CHECK(Count(*database, "select count(*) from audit_lines") == 1);
}

TEST_CASE("a reader keeps its view while a writer commits", "[controlplane][store]") {
  const TempDir dir;
  auto database = OpenControl(dir);
  auto t = database->Read();
  REQUIRE(t.ok());
  REQUIRE(audit_log::List(**t, 0, 10)->empty());
  REQUIRE(AddLine(*database, "a").ok());
  CHECK(audit_log::List(**t, 0, 10)->empty());
  t->reset();
  CHECK(Count(*database, "select count(*) from audit_lines") == 1);
}

TEST_CASE("a reader cannot write", "[controlplane][store]") {
  const TempDir dir;
  auto database = OpenControl(dir);
  auto t = database->Read();
  CHECK((*t)->Prepare("delete from meta").Run().code() == absl::StatusCode::kFailedPrecondition);
}

TEST_CASE("a savepoint that is not released is undone alone", "[controlplane][store]") {
  const TempDir dir;
  auto database = OpenControl(dir);
  auto t = database->Write();
  const Caller caller(SystemCaller{}, "");
  REQUIRE(audit_log::Append(**t, audit_log::LineOf(caller, absl::UnixEpoch(), "kept", "x")).ok());
  {
    WriteTransaction::Savepoint part(**t);
    REQUIRE(
        audit_log::Append(**t, audit_log::LineOf(caller, absl::UnixEpoch(), "undone", "x")).ok());
  }
  {
    WriteTransaction::Savepoint part(**t);
    REQUIRE(
        audit_log::Append(**t, audit_log::LineOf(caller, absl::UnixEpoch(), "kept too", "x")).ok());
    REQUIRE(part.Release().ok());
  }
  REQUIRE((*t)->Commit().ok());
  auto read = database->Read();
  const auto lines = audit_log::List(**read, 0, 10);
  REQUIRE(lines->size() == 2);
  CHECK((*lines)[0].action == "kept");
  CHECK((*lines)[1].action == "kept too");
}

TEST_CASE("audit lines can be neither changed, replaced nor deleted", "[controlplane][store]") {
  const TempDir dir;
  auto database = OpenControl(dir);
  REQUIRE(AddLine(*database, "a").ok());
  for (const char* sql : {"update audit_lines set actor = 'x'", "delete from audit_lines",
                          "insert or replace into audit_lines (n, at, actor, address, action, "
                          "object, denial_reason, detail)"
                          " values (1, 1, '', '', '', '', 0, '')"}) {
    auto t = database->Write();
    const absl::Status status = (*t)->Prepare(sql).Run();
    INFO(sql);
    CHECK(status.code() == absl::StatusCode::kFailedPrecondition);
    CHECK_THAT(OperatorDetailOf(status), Catch::Contains("append-only"));
  }
}

TEST_CASE("a deployment has one id for ever, and its snapshot version only rises",
          "[controlplane][store]") {
  const TempDir dir;
  std::string id;
  {
    auto database = OpenControl(dir);
    auto t = database->Write();
    id = *meta::DeploymentId(**t);
    CHECK(id.size() == 26);
    CHECK(*meta::CurrentSnapshot(**t) == meta::SnapshotVersion{1, 1});
    CHECK(*meta::DocumentsVersion(**t) == 1);
    REQUIRE(meta::BumpSnapshot(**t).ok());
    CHECK(*meta::DocumentsVersion(**t) == 1);
    REQUIRE(meta::BumpDocuments(**t).ok());
    CHECK(*meta::DocumentsVersion(**t) == 3);
    REQUIRE(meta::SetKeyFingerprint(**t, "ca", "aa").ok());
    REQUIRE(meta::SetKeyFingerprint(**t, "ca", "bb").ok());
    REQUIRE((*t)->Commit().ok());
  }
  auto database = OpenControl(dir);
  auto t = database->Read();
  CHECK(*meta::DeploymentId(**t) == id);
  CHECK(*meta::CurrentSnapshot(**t) == meta::SnapshotVersion{1, 3});
  CHECK(**meta::KeyFingerprint(**t, "ca") == "bb");
  CHECK_FALSE(meta::KeyFingerprint(**t, "grant")->has_value());
  const TempDir other_dir;
  auto other = OpenControl(other_dir);
  auto other_t = other->Read();
  CHECK(*meta::DeploymentId(**other_t) != id);
}

TEST_CASE("writers of many threads wait for each other and all commit", "[controlplane][store]") {
  const TempDir dir;
  auto database = OpenControl(dir);
  std::vector<std::thread> threads;
  std::atomic<int> failed = 0;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 25; ++n) {
        if (!AddLine(*database, "a").ok()) ++failed;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(failed == 0);
  CHECK(Count(*database, "select count(*) from audit_lines") == 200);
}

}  // namespace
}  // namespace sallyport::controlplane
