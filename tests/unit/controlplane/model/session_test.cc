#include "controlplane/model/session.h"

#include <catch2/catch.hpp>

#include "common/denial.h"
#include "controlplane/model/proto_time.h"

namespace sallyport::controlplane {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);
const Admission kAdmission{
    .window_id = "win_1", .expires_at = kNow + absl::Minutes(15), .call_budget = 7};

Session::Request ARequest() {
  Session::Request request{
      .id = "ses_1", .request_id = "r", .server = "wiki", .agent = "a1", .created_at = kNow};
  request.duration = absl::Minutes(15);
  return request;
}

Session APending() { return Session::Pending(ARequest(), "apr_1"); }
Session AnActive() { return Session::Active(ARequest(), kAdmission); }

TEST_CASE("a session that needs no approval starts active, with the end its window gives",
          "[controlplane][model]") {
  const Session session = AnActive();
  CHECK(session.IsActiveAt(kNow));
  CHECK(session.expires_at() == kAdmission.expires_at);
  CHECK(session.call_budget() == 7);
  CHECK_FALSE(session.IsActiveAt(kAdmission.expires_at));
}

TEST_CASE("a pending session admits nothing until it is activated, and its time counts from then",
          "[controlplane][model]") {
  Session session = APending();
  CHECK_FALSE(session.IsActiveAt(kNow));
  CHECK(session.expires_at() == absl::InfinitePast());
  const absl::Time later = kNow + absl::Minutes(5);
  REQUIRE(session.Activate({.window_id = "win_2", .expires_at = later + absl::Minutes(15)}, later)
              .ok());
  CHECK(session.IsActiveAt(later + absl::Minutes(14)));
  CHECK(FromProto(session.proto().opened_at()) == later);
}

TEST_CASE("an active session is neither activated again nor denied", "[controlplane][model]") {
  Session session = AnActive();
  CHECK(session.Activate(kAdmission, kNow).code() == absl::StatusCode::kFailedPrecondition);
  CHECK(session.Deny(types::v1::DENIAL_REASON_APPROVAL_DENIED, "", kNow).code() ==
        absl::StatusCode::kFailedPrecondition);
  CHECK(session.IsActiveAt(kNow));
}

TEST_CASE("an ended session stays as it ended", "[controlplane][model]") {
  Session session = AnActive();
  REQUIRE(session.End(types::v1::END_REASON_REVOKED, "lock incident", kNow).ok());
  CHECK(session.End(types::v1::END_REASON_COMPLETED, "", kNow).code() ==
        absl::StatusCode::kFailedPrecondition);
  CHECK(session.Activate(kAdmission, kNow).code() == absl::StatusCode::kFailedPrecondition);
  CHECK(session.FixAgent("a2").code() == absl::StatusCode::kFailedPrecondition);
  CHECK(session.proto().end_reason() == types::v1::END_REASON_REVOKED);
}

TEST_CASE("a denied session stays denied", "[controlplane][model]") {
  Session session = APending();
  REQUIRE(session.Deny(types::v1::DENIAL_REASON_APPROVAL_DENIED, "no", kNow).ok());
  CHECK(session.Activate(kAdmission, kNow).code() == absl::StatusCode::kFailedPrecondition);
  CHECK(session.End(types::v1::END_REASON_COMPLETED, "", kNow).code() ==
        absl::StatusCode::kFailedPrecondition);
  CHECK(session.ReportCalls(1).code() == absl::StatusCode::kFailedPrecondition);
}

TEST_CASE("a session's agent is fixed once", "[controlplane][model]") {
  Session::Request request = ARequest();
  request.agent = "";
  Session session = Session::Active(request, kAdmission);
  REQUIRE(session.FixAgent("a1").ok());
  const absl::Status again = session.FixAgent("a2");
  CHECK(ReasonOf(again) == types::v1::DENIAL_REASON_CLIENT_MISMATCH);
  CHECK(session.proto().agent() == "a1");
}

TEST_CASE("calls are reported once, also after the control plane has ended the session",
          "[controlplane][model]") {
  Session session = AnActive();
  REQUIRE(session.End(types::v1::END_REASON_EXPIRED, "", kNow).ok());
  CHECK_FALSE(session.is_reported());
  REQUIRE(session.ReportCalls(3).ok());
  CHECK(session.proto().calls() == 3);
  CHECK(session.ReportCalls(0).code() == absl::StatusCode::kFailedPrecondition);
  CHECK(session.proto().calls() == 3);
}

TEST_CASE("a session that no agent served has nothing to report", "[controlplane][model]") {
  Session session = APending();
  REQUIRE(session.End(types::v1::END_REASON_COMPLETED, "", kNow).ok());
  CHECK(session.is_reported());
}

}  // namespace
}  // namespace sallyport::controlplane
