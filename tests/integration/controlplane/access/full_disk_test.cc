#include <unistd.h>

#include "common/file.h"
#include "controlplane/access/ban_agent.h"
#include "controlplane/access/revoke_principal.h"
#include "controlplane/policies/apply_policy.h"
#include "tests/fakes/small_disk.h"
#include "tests/integration/controlplane/access/fixture.h"

namespace sallyport::controlplane {
namespace {

constexpr uint64_t kMiB = 1 << 20;

// What still works when callers have filled the disk.
void TakeAllAway(Fixture& on, const std::string& active, const std::string& other,
                 const std::string& pending) {
  admin::v1::EndSessionRequest end;
  end.set_id(active);
  const auto ended = on.end->Run(on.admin, end);
  INFO(ended.status());
  REQUIRE(ended.ok());
  CHECK(ended->lock() == "end-" + active);
  CHECK(on.SessionOf(active).state() == types::v1::SESSION_STATE_ENDED);
  CHECK(on.Deny(pending, on.SignedIn("alice"))->state() == types::v1::APPROVAL_STATE_DENIED);
  admin::v1::ApplyDocumentsRequest lock;
  lock.add_files()->set_text("kind: Lock\nname: stop\nspec: {server: files}\n");
  lock.mutable_files(0)->set_name("lock.yaml");
  REQUIRE(ApplyPolicy(*on.control, on.clock, {}).Run(on.admin, lock).ok());
  CHECK(on.SessionOf(other).state() == types::v1::SESSION_STATE_ENDED);
  admin::v1::RevokePrincipalRequest revoke;
  revoke.set_principal("okta:bot");
  CHECK(RevokePrincipal(*on.control, on.clock, *on.confirmed_ends).Run(on.admin, revoke).ok());
  admin::v1::BanAgentRequest ban;
  ban.set_name("a1");
  CHECK(BanAgent(*on.control, on.clock, on.is_connected).Run(on.admin, ban).ok());
}

// A session, one on another server, and the approval of a third.
void FillAndRevoke(Fixture& on, const std::function<void()>& fill) {
  on.ApplyPolicy("");
  const std::string active = on.ByAgent(on.BotToken()).session().id();
  const std::string other = on.ByAgent(on.BotToken(), "files").session().id();
  on.ApplyPolicy("approval: {approvers: [\"okta:approvers\"]}");
  const auto asked = on.ByAgent(on.BotToken("bot-2"));
  const std::string pending = asked.session().approval_id();
  fill();
  const auto refused = on.open->Run(on.Person(on.BotToken("bot-3")), on.Request("wiki"));
  CHECK(refused.status().code() == absl::StatusCode::kResourceExhausted);
  CHECK(refused.status().message().find('/') == absl::string_view::npos);
  CHECK(on.Approve(pending, on.SignedIn("alice")).status().code() ==
        absl::StatusCode::kResourceExhausted);
  CHECK(on.ApprovalOf(pending).state() == types::v1::APPROVAL_STATE_PENDING);
  // One that is there is found, for nothing is to be written.
  CHECK(on.ByAgent(on.BotToken("bot-2")).session().id() == asked.session().id());
  TakeAllAway(on, active, other, pending);
}

TEST_CASE_METHOD(Fixture, "below the floor no access is given, and all can be taken away",
                 "[controlplane][access]") {
  DiskReserve::Space space{.total = 64 * kMiB, .free = 32 * kMiB};
  disk_reserve = *DiskReserve::Open(dir.path(), [&] { return space; });
  Restart();
  FillAndRevoke(*this, [&] { space.free = 0; });
  CHECK(disk_reserve->ballast_bytes() == 4 * kMiB);
  changes.reset();
  control.reset();
  recordings.reset();
}

TEST_CASE_METHOD(Fixture, "on a disk without a byte left all access can be taken away",
                 "[controlplane][access]") {
  const std::string disk = dir / "disk";
  REQUIRE(EnsurePrivateDirectory(disk).ok());
  const bool has_run = OnSmallDisk(disk, 24 * kMiB, [&] {
    disk_reserve = *DiskReserve::Open(disk);
    data_dir = disk;
    Restart();
    AddAgent("a1", {"wiki", "files"});
    FillAndRevoke(*this, [&] { FillDisk(disk + "/fill"); });
    // The program starts again on the same disk.
    disk_reserve = *DiskReserve::Open(disk);
    Restart();
    CHECK((*agents::Find(*Read(), "a1"))->is_banned());
    ::unlink((disk + "/fill").c_str());
    disk_reserve->Tend();
    CHECK(disk_reserve->ballast_bytes() == 24 * kMiB / 16);
    changes.reset();
    control.reset();
    recordings.reset();
  });
  if (!has_run) WARN("needs root: nothing was checked");
}

}  // namespace
}  // namespace sallyport::controlplane
