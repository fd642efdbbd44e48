#include "controlplane/model/session.h"

#include <catch2/catch.hpp>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

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

types::v1::EffectiveTerms TermsOf(absl::Duration max_duration) {
  types::v1::EffectiveTerms terms;
  *terms.mutable_max_duration() = ToProto(max_duration);
  return terms;
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

TEST_CASE("a pending session takes other terms, and no more time than it asked for",
          "[controlplane][model]") {
  Session session = APending();
  REQUIRE(session.TakeTerms(TermsOf(absl::Minutes(5)), {2, 7}).ok());
  CHECK(session.duration() == absl::Minutes(5));
  CHECK(session.stored().policies.epoch == 2);
  CHECK(session.stored().policies.version == 7);
  REQUIRE(session.TakeTerms(TermsOf(absl::Hours(1)), {2, 8}).ok());
  CHECK(session.duration() == absl::Minutes(5));
  CHECK(FromProto(session.proto().terms().max_duration()) == absl::Hours(1));
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

// Every transition there is, by name.
const std::vector<std::pair<std::string, std::function<absl::Status(Session&)>>>& Transitions() {
  static const auto& all =
      *new std::vector<std::pair<std::string, std::function<absl::Status(Session&)>>>{
          {"activate", [](Session& s) { return s.Activate(kAdmission, kNow); }},
          {"break glass",
           [](Session& s) { return s.BreakGlass(kAdmission, "fire", absl::Minutes(5), kNow); }},
          {"deny",
           [](Session& s) { return s.Deny(types::v1::DENIAL_REASON_APPROVAL_DENIED, "no", kNow); }},
          {"end", [](Session& s) { return s.End(types::v1::END_REASON_REVOKED, "", kNow); }},
          {"fix agent", [](Session& s) { return s.FixAgent("a2"); }},
          {"renew", [](Session& s) { return s.Renew("okta", "key", kNow); }},
          {"report", [](Session& s) { return s.ReportCalls(1); }},
          {"review", [](Session& s) { return s.Review({}, "fine", kNow); }},
          {"take terms",
           [](Session& s) {
             return s.TakeTerms(TermsOf(absl::Minutes(5)), {1, 2});
           }},
          {"ask anew", [](Session& s) { return s.AskAnew("apr_2", std::nullopt); }},
      };
  return all;
}

std::string Stored(const Session& session) {
  const Session::Stored& stored = session.stored();
  return stored.proto.SerializeAsString() + "|" + stored.window_id + "|" + stored.issuer_id + "|" +
         stored.signing_key + "|" + std::to_string(stored.call_budget) +
         std::to_string(stored.is_reported) + absl::FormatDuration(stored.duration) +
         std::to_string(stored.policies.version);
}

TEST_CASE("from each state exactly its own transitions lead on, and a refused one changes nothing",
          "[controlplane][model]") {
  Session ended = AnActive();
  REQUIRE(ended.End(types::v1::END_REASON_COMPLETED, "", kNow).ok());
  Session reported = ended;
  REQUIRE(reported.ReportCalls(1).ok());
  Session denied = APending();
  REQUIRE(denied.Deny(types::v1::DENIAL_REASON_APPROVAL_DENIED, "no", kNow).ok());
  Session broken = APending();
  REQUIRE(broken.BreakGlass(kAdmission, "fire", absl::Minutes(5), kNow).ok());
  Session broken_ended = broken;
  REQUIRE(broken_ended.End(types::v1::END_REASON_COMPLETED, "", kNow).ok());
  Session reviewed = broken_ended;
  REQUIRE(reviewed.Review({}, "fine", kNow).ok());
  Session unfixed = [] {
    Session::Request request = ARequest();
    request.agent = "";
    return Session::Pending(request, "apr_1");
  }();
  const struct {
    const char* name;
    Session session;
    std::set<std::string> allowed;
  } states[] = {
      {"pending", APending(), {"activate", "break glass", "deny", "end", "take terms", "ask anew"}},
      {"pending, no agent",
       unfixed,
       {"activate", "break glass", "deny", "end", "fix agent", "take terms", "ask anew"}},
      {"active", AnActive(), {"end", "renew", "report"}},
      {"active, glass broken", broken, {"end", "renew", "report"}},
      {"ended", ended, {"report"}},
      {"ended, reported", reported, {}},
      {"ended, glass broken", broken_ended, {"report", "review"}},
      {"ended, reviewed", reviewed, {"report"}},
      {"denied", denied, {}},
  };
  for (const auto& state : states) {
    for (const auto& [name, transition] : Transitions()) {
      INFO(state.name << ": " << name);
      Session session = state.session;
      const absl::Status status = transition(session);
      CHECK(status.ok() == state.allowed.contains(name));
      if (!status.ok()) {
        CHECK((status.code() == absl::StatusCode::kFailedPrecondition ||
               ReasonOf(status) == types::v1::DENIAL_REASON_CLIENT_MISMATCH));
        CHECK(Stored(session) == Stored(state.session));
      }
    }
  }
}

}  // namespace
}  // namespace sallyport::controlplane
