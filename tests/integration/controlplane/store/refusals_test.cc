#include <catch2/catch.hpp>
#include <set>

#include "controlplane/store/audit_log.h"
#include "tests/fakes/temp_dir.h"

namespace sallyport::controlplane {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'800'000'000);

struct Refusing {
  TempDir dir;
  DiskReserve::Space space{.total = 64 << 20, .free = 32 << 20};
  std::unique_ptr<DiskReserve> reserve = *DiskReserve::Open(dir.path(), [this] { return space; });
  std::unique_ptr<Database> control =
      *Database::Open(dir / "control.db", migrations::Control(), &*reserve);

  void Refuse(const std::string& actor, absl::Time at, const std::string& action = "session.open",
              WriteFor use = WriteFor::kCallers) {
    const auto t = *control->Write(use);
    REQUIRE(audit_log::CommitRefusal(*t, {.at = at,
                                          .actor = actor,
                                          .address = "10.0.0.1",
                                          .action = action,
                                          .object = "wiki",
                                          .denial_reason = types::v1::DENIAL_REASON_SERVER_UNKNOWN})
                .ok());
  }
  void Summarize(absl::Time now) { REQUIRE(audit_log::SummarizeRefusals(*control, now).ok()); }
  std::vector<audit_log::Line> Lines() { return *audit_log::List(**control->Read(), 0, 10'000); }
};

TEST_CASE_METHOD(Refusing, "of refusals past ten in a minute of one source one line says how many",
                 "[controlplane][store]") {
  for (int i = 0; i < 60; ++i) Refuse("user:okta:carol", kStart);
  for (int i = 0; i < 7; ++i) Refuse("user:okta:carol", kStart, "approval.approve");
  Refuse("user:okta:dave", kStart);
  CHECK(Lines().size() == 11);
  Summarize(kStart + absl::Seconds(59));
  CHECK(Lines().size() == 11);
  Summarize(kStart + absl::Minutes(1));
  REQUIRE(Lines().size() == 12);
  const audit_log::Line said = Lines().back();
  CHECK(said.actor == "user:okta:carol");
  CHECK(said.address == "10.0.0.1");
  CHECK(said.action == "requests.refused");
  CHECK(said.denial_reason == types::v1::DENIAL_REASON_SERVER_UNKNOWN);
  CHECK(said.detail ==
        "more refused requests, without a line each: approval.approve 7, session.open 50");
  // Nothing is said twice, and a new minute has lines again.
  Summarize(kStart + absl::Minutes(5));
  CHECK(Lines().size() == 12);
  Refuse("user:okta:carol", kStart + absl::Minutes(5));
  CHECK(Lines().size() == 13);
}

TEST_CASE_METHOD(Refusing,
                 "callers without a name are told apart by their addresses, within bounds",
                 "[controlplane][store]") {
  RefusalCounts counts;
  const std::string action = "x";
  for (int i = 0; i < 5000; ++i) {
    const std::string address = "10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250);
    for (int n = 0; n < 11; ++n) {
      counts.Admit({.actor = "anonymous",
                    .address = address,
                    .action = action,
                    .reason = types::v1::DENIAL_REASON_ROLE_MISSING,
                    .at = kStart},
                   true);
    }
  }
  const auto due = counts.TakeDue(absl::InfiniteFuture());
  CHECK(due.size() <= 1025);
  uint64_t sum = 0;
  std::set<std::string> addresses;
  for (const auto& summary : due) {
    sum += summary.actions.at("x");
    addresses.insert(summary.address);
  }
  // All but the ten of each source.
  CHECK(sum == 55'000 - 10 * due.size());
  CHECK(addresses.size() == due.size());
}

TEST_CASE_METHOD(Refusing, "below the floor refusals cost no room, and are told when there is some",
                 "[controlplane][store]") {
  space.free = 0;
  for (int i = 0; i < 20; ++i)
    Refuse("user:okta:carol", kStart, "approval.deny", WriteFor::kRevocation);
  Summarize(kStart + absl::Hours(1));
  CHECK(Lines().empty());
  space.free = 32 << 20;
  Summarize(kStart + absl::Hours(1));
  REQUIRE(Lines().size() == 1);
  CHECK(Lines()[0].detail.find("approval.deny 20") != std::string::npos);
}

TEST_CASE_METHOD(Refusing, "what a refused caller wrote takes no more room than a line has",
                 "[controlplane][store]") {
  const std::string umlaut = "\xc3\xbc";
  std::string text = "x";
  while (text.size() < 1'000'000) text += umlaut;
  {
    const auto t = *control->Write();
    REQUIRE(audit_log::CommitRefusal(*t, {.at = kStart,
                                          .actor = "user:okta:carol",
                                          .action = "session.open",
                                          .object = text,
                                          .detail = text})
                .ok());
  }
  REQUIRE(Lines().size() == 1);
  CHECK(Lines()[0].object.size() <= 260);
  CHECK(Lines()[0].object.ends_with(umlaut + "..."));
  CHECK(Lines()[0].detail.size() <= 1004);
}

}  // namespace
}  // namespace sallyport::controlplane
