#include "agent/call/session_rules.h"

#include <catch2/catch.hpp>

#include "tests/fakes/snapshots.h"

namespace sallyport::agent {
namespace {

TEST_CASE("a mask plan outlives its snapshot while its profiles stay what they are",
          "[agent][call]") {
  RuleMaker maker(*MaskEngine::Create());
  const std::string names[] = {"secrets", "house"};
  v1::Snapshot snapshot = SomeSnapshot(1, 1);
  const auto plan = [&] { return *maker.PlanFor(*AgentSnapshot::Compile(snapshot), names); };
  std::shared_ptr<const MaskPlan> used = plan();
  snapshot.set_version(2);
  CHECK(plan() == used);
  snapshot.set_version(3);
  snapshot.mutable_mask_profiles(0)->mutable_mask_profile()->add_detectors("email");
  CHECK(plan() != used);
}

}  // namespace
}  // namespace sallyport::agent
