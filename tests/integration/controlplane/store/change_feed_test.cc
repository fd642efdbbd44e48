#include "controlplane/store/change_feed.h"

#include <catch2/catch.hpp>
#include <thread>

#include "controlplane/store/database.h"
#include "tests/fakes/temp_dir.h"

namespace sallyport::controlplane {
namespace {

struct Fixture {
  TempDir dir;
  std::unique_ptr<Database> database = *Database::Open(dir / "control.db", migrations::Control());
  ChangeFeed& feed = database->changes();

  void CommitChange(const std::string& id) {
    auto t = database->Write();
    REQUIRE(t.ok());
    (*t)->Changed(ChangeKind::kSession, id);
    REQUIRE((*t)->Commit().ok());
  }
};

TEST_CASE_METHOD(Fixture, "a watcher hears of what was committed since its cursor, in order",
                 "[controlplane][store]") {
  CommitChange("before");
  const uint64_t cursor = feed.Now();
  CHECK(feed.Since(cursor).items.empty());
  CommitChange("a");
  CommitChange("b");
  const Changes changes = feed.Since(cursor);
  CHECK(changes.items ==
        std::vector<Change>{{ChangeKind::kSession, "a"}, {ChangeKind::kSession, "b"}});
  CHECK(feed.Since(changes.cursor).items.empty());
}

TEST_CASE_METHOD(Fixture, "a watcher hears nothing of what was rolled back",
                 "[controlplane][store]") {
  const uint64_t cursor = feed.Now();
  int woken = 0;
  const auto subscription = feed.Subscribe([&] { ++woken; });
  {
    auto t = database->Write();
    (*t)->Changed(ChangeKind::kSession, "a");
  }
  CHECK(feed.Since(cursor).items.empty());
  CHECK(woken == 0);
}

TEST_CASE_METHOD(Fixture,
                 "a subscriber is woken after the commit, when it can read it and write itself",
                 "[controlplane][store]") {
  const uint64_t cursor = feed.Now();
  std::thread other;
  size_t seen = 0;
  auto subscription = feed.Subscribe([&] {
    other = std::thread([&] {
      seen = feed.Since(cursor).items.size();
      CHECK(database->Write().ok());
    });
  });
  CommitChange("a");
  other.join();
  CHECK(seen == 1);
  subscription.reset();
  CommitChange("b");
  CHECK_FALSE(other.joinable());
}

TEST_CASE_METHOD(Fixture, "a waiting watcher is let go by a commit", "[controlplane][store]") {
  const uint64_t cursor = feed.Now();
  Changes changes;
  std::thread watcher([&] { changes = feed.WaitSince(cursor, absl::InfiniteDuration()); });
  CommitChange("a");
  watcher.join();
  CHECK(changes.items == std::vector<Change>{{ChangeKind::kSession, "a"}});
}

TEST_CASE_METHOD(Fixture, "a waiting watcher is let go when the feed closes",
                 "[controlplane][store]") {
  const uint64_t cursor = feed.Now();
  Changes changes;
  std::thread watcher([&] { changes = feed.WaitSince(cursor, absl::InfiniteDuration()); });
  feed.Close();
  watcher.join();
  CHECK(changes.items.empty());
  CHECK(feed.is_closed());
}

TEST_CASE_METHOD(Fixture,
                 "a cursor older than the feed remembers, or from another life of it, is told so",
                 "[controlplane][store]") {
  const uint64_t cursor = feed.Now();
  {
    auto t = database->Write();
    for (int i = 0; i < 65537; ++i) (*t)->Changed(ChangeKind::kSession, "x");
    REQUIRE((*t)->Commit().ok());
  }
  CHECK(feed.Since(cursor).is_gap);
  CHECK_FALSE(feed.Since(cursor + 1).is_gap);
  CHECK(feed.Since(feed.Now() + 1).is_gap);
  CHECK(feed.Since(feed.Since(cursor).cursor).items.empty());
}

}  // namespace
}  // namespace sallyport::controlplane
