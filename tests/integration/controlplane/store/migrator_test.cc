#include "controlplane/store/migrator.h"

#include <catch2/catch.hpp>

#include "controlplane/store/database.h"
#include "tests/fakes/temp_dir.h"

namespace sallyport::controlplane {
namespace {

using migrations::Migration;

constexpr Migration kFirst{1, "0001_create_a", "create table a (x integer not null) strict;", "aa"};
constexpr Migration kSecond{2, "0002_create_b", "create table b (x integer not null) strict;",
                            "bb"};
constexpr Migration kBroken{
    2, "0002_create_b",
    "create table b (x integer not null) strict; insert into nowhere values (1);", "cc"};

TEST_CASE("both schemas apply to an empty file, and again to their own", "[controlplane][store]") {
  const TempDir dir;
  for (int round = 0; round < 2; ++round) {
    CHECK(Database::Open(dir / "control.db", migrations::Control()).ok());
    CHECK(Database::Open(dir / "recordings.db", migrations::Recordings()).ok());
  }
}

TEST_CASE("a migration added later is applied to the data there is", "[controlplane][store]") {
  const TempDir dir;
  const Migration both[] = {kFirst, kSecond};
  {
    auto database = Database::Open(dir / "x.db", std::span(both, 1));
    REQUIRE(database.ok());
    auto t = (*database)->Write();
    REQUIRE((*t)->Prepare("insert into a (x) values (7)").Run().ok());
    REQUIRE((*t)->Commit().ok());
  }
  auto database = Database::Open(dir / "x.db", both);
  REQUIRE(database.ok());
  auto t = (*database)->Read();
  Statement count = (*t)->Prepare("select (select x from a), (select count(*) from b)");
  REQUIRE(*count.Step());
  CHECK(count.integer(0) == 7);
  CHECK(count.integer(1) == 0);
}

TEST_CASE("an applied migration whose text has changed is refused, and nothing after it is applied",
          "[controlplane][store]") {
  const TempDir dir;
  const Migration first[] = {kFirst};
  REQUIRE(Database::Open(dir / "x.db", first).ok());
  Migration changed[] = {kFirst, kSecond};
  changed[0].sha256 = "other";
  const auto database = Database::Open(dir / "x.db", changed);
  REQUIRE(database.status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK_THAT(std::string(database.status().message()), Catch::Contains("x.db") &&
                                                           Catch::Contains("0001_create_a") &&
                                                           Catch::Contains("another text"));
  const Migration both[] = {kFirst, kSecond};
  CHECK(Database::Open(dir / "x.db", both).ok());
}

TEST_CASE("a database of a newer program is refused", "[controlplane][store]") {
  const TempDir dir;
  const Migration both[] = {kFirst, kSecond};
  REQUIRE(Database::Open(dir / "x.db", both).ok());
  const auto database = Database::Open(dir / "x.db", std::span(both, 1));
  CHECK(database.status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK_THAT(std::string(database.status().message()), Catch::Contains("0002_create_b"));
}

TEST_CASE("a migration that fails leaves nothing behind", "[controlplane][store]") {
  const TempDir dir;
  const Migration broken[] = {kFirst, kBroken};
  const auto database = Database::Open(dir / "x.db", broken);
  REQUIRE_FALSE(database.ok());
  CHECK_THAT(std::string(database.status().message()), Catch::Contains("0002_create_b"));
  const Migration both[] = {kFirst, kSecond};
  CHECK(Database::Open(dir / "x.db", both).ok());
}

}  // namespace
}  // namespace sallyport::controlplane
