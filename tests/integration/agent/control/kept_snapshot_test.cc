#include "agent/control/kept_snapshot.h"

#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "common/file.h"
#include "tests/fakes/temp_dir.h"

namespace sallyport::agent {
namespace {

std::shared_ptr<const v1::SignedSnapshot> Saying(const std::string& bytes) {
  auto snapshot = std::make_shared<v1::SignedSnapshot>();
  snapshot->set_snapshot(bytes);
  return snapshot;
}

Task<void> DrainAndStop(Loop* loop, KeptSnapshot* kept) {
  co_await kept->Drain();
  loop->Stop();
}

TEST_CASE("the last snapshot is the one that is kept, however fast they come", "[agent][control]") {
  const TempDir dir;
  Loop loop;
  KeptSnapshot kept(loop, dir.path());
  CHECK_FALSE(kept.Load()->has_value());
  for (const char* const bytes : {"first", "second", "third"}) kept.Keep(Saying(bytes));
  loop.Spawn(DrainAndStop(&loop, &kept));
  loop.Run();
  const auto loaded = kept.Load();
  REQUIRE(loaded.ok());
  REQUIRE(loaded->has_value());
  CHECK((*loaded)->snapshot() == "third");
}

TEST_CASE("what is kept and cannot be read is named", "[agent][control]") {
  const TempDir dir;
  Loop loop;
  const KeptSnapshot kept(loop, dir.path());
  REQUIRE(WriteFileAtomically(dir.path() + "/snapshot.pb", "garbage").ok());
  CHECK_THAT(std::string(kept.Load().status().message()), Catch::Contains("snapshot.pb"));
}

}  // namespace
}  // namespace sallyport::agent
