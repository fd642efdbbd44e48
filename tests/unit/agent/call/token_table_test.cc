#include "agent/call/token_table.h"

#include <catch2/catch.hpp>
#include <string>

namespace sallyport::agent {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

std::shared_ptr<const Caller> CallerUntil(absl::Time expires_at,
                                          std::shared_ptr<const AgentSnapshot> snapshot) {
  auto caller = std::make_shared<Caller>();
  caller->expires_at = expires_at;
  caller->snapshot = std::move(snapshot);
  return caller;
}

// Never looked into: the table only compares it.
std::shared_ptr<const AgentSnapshot> SomeSnapshotPointer() {
  auto owner = std::make_shared<int>(0);
  return std::shared_ptr<const AgentSnapshot>(owner,
                                              reinterpret_cast<const AgentSnapshot*>(owner.get()));
}

TEST_CASE("a known token is known for the server it was shown for, and for no other",
          "[agent][call]") {
  TokenTable table;
  const auto snapshot = SomeSnapshotPointer();
  const auto caller = CallerUntil(kNow + absl::Hours(1), snapshot);
  CHECK(table.Find("token", "wiki", snapshot.get(), kNow) == nullptr);
  table.Add("token", "wiki", caller, kNow);
  REQUIRE(table.Find("token", "wiki", snapshot.get(), kNow) != nullptr);
  CHECK(table.Find("token", "wiki", snapshot.get(), kNow)->caller == caller);
  CHECK(table.Find("token", "other", snapshot.get(), kNow) == nullptr);
  CHECK(table.Find("Token", "wiki", snapshot.get(), kNow) == nullptr);
}

TEST_CASE("a known token is forgotten at its end, and after a minute", "[agent][call]") {
  TokenTable table;
  const auto snapshot = SomeSnapshotPointer();
  CHECK(table.Find("short", "wiki", snapshot.get(), kNow) == nullptr);
  table.Add("short", "wiki", CallerUntil(kNow + absl::Seconds(5), snapshot), kNow);
  table.Add("long", "wiki", CallerUntil(kNow + absl::Hours(1), snapshot), kNow);
  CHECK(table.Find("short", "wiki", snapshot.get(), kNow + absl::Seconds(4)) != nullptr);
  CHECK(table.Find("short", "wiki", snapshot.get(), kNow + absl::Seconds(5)) == nullptr);
  CHECK(table.Find("long", "wiki", snapshot.get(), kNow + absl::Seconds(59)) != nullptr);
  CHECK(table.Find("long", "wiki", snapshot.get(), kNow + absl::Seconds(60)) == nullptr);
}

TEST_CASE("a new snapshot forgets every token, and what was verified under the old one is not kept",
          "[agent][call]") {
  TokenTable table;
  const auto before = SomeSnapshotPointer(), after = SomeSnapshotPointer();
  CHECK(table.Find("token", "wiki", before.get(), kNow) == nullptr);
  table.Add("token", "wiki", CallerUntil(kNow + absl::Hours(1), before), kNow);
  CHECK(table.Find("token", "wiki", after.get(), kNow) == nullptr);
  table.Add("token", "wiki", CallerUntil(kNow + absl::Hours(1), before), kNow);
  CHECK(table.Find("token", "wiki", after.get(), kNow) == nullptr);
}

TEST_CASE("the tokens used last stay known, however many come, and the table stays bounded",
          "[agent][call]") {
  TokenTable table;
  const auto snapshot = SomeSnapshotPointer();
  const auto caller = CallerUntil(kNow + absl::Hours(1), snapshot);
  const auto known = [&](std::size_t i) {
    return table.Find(std::to_string(i), "wiki", snapshot.get(), kNow) != nullptr;
  };
  CHECK_FALSE(known(0));
  for (std::size_t i = 0; i < 4 * TokenTable::kGeneration; ++i) {
    table.Add(std::to_string(i), "wiki", caller, kNow);
    if (i % 1000 == 0) CHECK(known(0));  // in use all the time
  }
  for (std::size_t i = 0; i < TokenTable::kGeneration; ++i) {
    CHECK(known(4 * TokenTable::kGeneration - 1 - i));
  }
  CHECK_FALSE(known(1));
  CHECK(caller.use_count() <= 1 + 2 * static_cast<long>(TokenTable::kGeneration));
}

TEST_CASE("what a connection remembers holds as long as the table would", "[agent][call]") {
  TokenTable table;
  const auto before = SomeSnapshotPointer(), after = SomeSnapshotPointer();
  CHECK_FALSE(KnownToken().Holds(before.get(), kNow));
  CHECK(table.Find("token", "wiki", before.get(), kNow) == nullptr);
  const KnownToken known =
      table.Add("token", "wiki", CallerUntil(kNow + absl::Seconds(50), before), kNow);
  CHECK(known.Holds(before.get(), kNow));
  CHECK(known.Holds(before.get(), kNow + absl::Seconds(49)));
  CHECK_FALSE(known.Holds(before.get(), kNow + absl::Seconds(50)));
  CHECK_FALSE(known.Holds(after.get(), kNow));
  const KnownToken lasting =
      table.Add("token", "wiki", CallerUntil(kNow + absl::Hours(1), before), kNow);
  CHECK_FALSE(lasting.Holds(before.get(), kNow + absl::Seconds(60)));
}

TEST_CASE("forgotten tokens give their memory back when no call comes", "[agent][call]") {
  TokenTable table;
  const auto snapshot = SomeSnapshotPointer();
  const auto caller = CallerUntil(kNow + absl::Hours(1), snapshot);
  table.Sweep(kNow);
  CHECK(table.Find("token", "wiki", snapshot.get(), kNow) == nullptr);
  table.Add("token", "wiki", caller, kNow);
  table.Sweep(kNow + absl::Seconds(60));
  CHECK(caller.use_count() == 2);
  table.Sweep(kNow + absl::Seconds(120));
  CHECK(caller.use_count() == 1);
}

}  // namespace
}  // namespace sallyport::agent
