#include "controlplane/model/reserved_call.h"

#include <catch2/catch.hpp>

#include "controlplane/model/proto_time.h"

namespace sallyport::controlplane {
namespace {

using types::v1::CALL_STATE_DONE;
using types::v1::CALL_STATE_RELEASED;
using types::v1::CALL_STATE_RESERVED;
using types::v1::CALL_STATE_UNKNOWN;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

ReservedCall AReserved() {
  types::v1::Call call;
  call.set_session_id("ses_1");
  call.set_call_id("c1");
  return ReservedCall::Reserved(call, "digest", kNow);
}

TEST_CASE("a call is settled once", "[controlplane][model]") {
  const auto to = GENERATE(CALL_STATE_RELEASED, CALL_STATE_DONE, CALL_STATE_UNKNOWN);
  ReservedCall call = AReserved();
  REQUIRE(call.Settle(to, kNow + absl::Seconds(1)).ok());
  CHECK(call.state() == to);
  CHECK(FromProto(call.proto().settled_at()) == kNow + absl::Seconds(1));
  CHECK(call.Settle(to, kNow + absl::Seconds(2)).ok());
  CHECK(FromProto(call.proto().settled_at()) == kNow + absl::Seconds(1));
  const auto other = to == CALL_STATE_DONE ? CALL_STATE_RELEASED : CALL_STATE_DONE;
  CHECK(call.Settle(other, kNow).code() == absl::StatusCode::kFailedPrecondition);
  CHECK(call.Settle(CALL_STATE_RESERVED, kNow).code() == absl::StatusCode::kInvalidArgument);
  CHECK(call.state() == to);
}

TEST_CASE("only what nobody knows is resolved by a person", "[controlplane][model]") {
  ReservedCall under_way = AReserved();
  CHECK_FALSE(under_way.IsInDoubt(false));
  CHECK_FALSE(under_way.Resolve(true, false, "local:uid=0", "", kNow).ok());
  CHECK(under_way.IsInDoubt(true));
  REQUIRE(under_way.Resolve(true, true, "local:uid=0", "seen", kNow).ok());
  CHECK(under_way.state() == CALL_STATE_DONE);
  CHECK(under_way.proto().resolved_by() == "local:uid=0");
  CHECK_FALSE(under_way.Resolve(false, true, "local:uid=0", "", kNow).ok());

  ReservedCall unknown = ReservedCall::Unknown(AReserved().proto(), "digest", kNow);
  CHECK(unknown.IsInDoubt(false));
  REQUIRE(unknown.Resolve(false, false, "local:uid=0", "", kNow).ok());
  CHECK(unknown.state() == CALL_STATE_RELEASED);
}

}  // namespace
}  // namespace sallyport::controlplane
