#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "controlplane/model/approval_texts.h"
#include "tests/integration/controlplane/access/fixture.h"

namespace sallyport::controlplane {
namespace {

constexpr char kRules[] =
    "[{require_approval: {tools: [\"delete-*\"], when: [{path: /page, equals: home}], "
    "approvers: [\"okta:approvers\"], expires_after: 5m}}]";

// Calls whose arguments, and what else their params hold, are as long as can be shown.
struct LongCalls : Fixture {
  LongCalls() {
    ApplyPolicy("max_duration: 15m", kRules);
    session_id = ByAgent(BotToken()).session().id();
  }

  agent::v1::RequestCallApprovalRequest Asked(size_t bytes) {
    agent::v1::RequestCallApprovalRequest request;
    request.set_session_id(session_id);
    request.set_method("tools/call");
    request.set_target("delete-" + std::to_string(++asked));
    request.set_arguments_digest(kDigest);
    request.set_arguments(R"({"text":")" + std::string(bytes, 'x') + R"(","page":"home"})");
    request.set_other_params(R"({"_meta":{"note":")" + std::string(bytes, 'y') + R"("}})");
    return request;
  }
  agent::v1::RequestCallApprovalResponse Ask(size_t bytes) {
    const auto response = calls->Run(Agent("a1"), Asked(bytes));
    INFO(response.status());
    REQUIRE(response.ok());
    return *response;
  }
  types::v1::Approval Shown(const std::string& id) {
    admin::v1::GetApprovalRequest request;
    request.set_id(id);
    const auto response = read_approvals->Run(SignedIn("alice"), request);
    REQUIRE(response.ok());
    return response->approval();
  }
  types::v1::DenialReason Reserve(const types::v1::Approval& approval) {
    const auto version = *meta::CurrentSnapshot(*Read());
    agent::v1::ReserveCallRequest request;
    request.set_approval_id(approval.id());
    request.set_session_id(session_id);
    request.set_call_id("call-" + std::to_string(++reserved));
    request.set_method("tools/call");
    request.set_target(approval.tool());
    request.set_arguments_digest(kDigest);
    request.set_call_digest(std::string(64, 'c'));
    request.mutable_judged_by()->set_epoch(version.epoch);
    request.mutable_judged_by()->set_version(version.version);
    const auto response = reserve->Run(Agent("a1"), request);
    INFO(response.status());
    REQUIRE(response.ok());
    return response->denial_reason();
  }
  int64_t KeptBytes() {
    return approvals::CountLongBytes(*Read(), SessionOf(session_id).proto().principal())->in_all;
  }

  static constexpr size_t kLong = 1'000'000;
  std::string session_id;
  int asked = 0;
  int reserved = 0;
};

TEST_CASE_METHOD(LongCalls, "lists, notices and agents get a long approval cut, its reader all",
                 "[controlplane][access]") {
  const types::v1::Approval asked = Ask(kLong).approval();
  CHECK(asked.ByteSizeLong() < 3 * kShortTextBytes);
  const auto list = read_approvals->Run(admin, admin::v1::ListApprovalsRequest());
  REQUIRE(list->items_size() == 1);
  CHECK(std::ranges::equal(list->items(0).shortened(),
                           std::vector<std::string>{"arguments", "other_params"}));
  CHECK(list->ByteSizeLong() < 3 * kShortTextBytes);
  CHECK(outbox::Due(*Read(), clock.Now(), 1)->front().body.size() < 4 * kShortTextBytes);
  CHECK(updates->All("a1")->back().ByteSizeLong() < 3 * kShortTextBytes);
  const types::v1::Approval shown = Shown(asked.id());
  CHECK(shown.arguments().size() > kLong);
  CHECK(shown.other_params().size() > kLong);
  CHECK(shown.shortened().empty());
}

TEST_CASE_METHOD(LongCalls, "a long call is approved and let through by all of its arguments",
                 "[controlplane][access]") {
  const types::v1::Approval asked = Ask(kLong).approval();
  REQUIRE(Approve(asked.id(), SignedIn("alice")).ok());
  CHECK(Reserve(asked) == types::v1::DENIAL_REASON_UNSPECIFIED);
  CHECK(Reserve(asked) == types::v1::DENIAL_REASON_APPROVAL_CONSUMED);
}

TEST_CASE_METHOD(LongCalls, "what is long in an approval goes when it closes, the short form stays",
                 "[controlplane][access]") {
  const types::v1::Approval asked = Ask(kLong).approval();
  CHECK(KeptBytes() > static_cast<int64_t>(2 * kLong));
  SECTION("denied") { REQUIRE(Deny(asked.id(), SignedIn("alice")).ok()); }
  SECTION("expired") {
    clock.Advance(absl::Minutes(6));
    REQUIRE(expire->Run().ok());
  }
  SECTION("used") {
    REQUIRE(Approve(asked.id(), SignedIn("alice")).ok());
    CHECK(KeptBytes() > 0);
    REQUIRE(Reserve(asked) == types::v1::DENIAL_REASON_UNSPECIFIED);
  }
  SECTION("its session ended") {
    REQUIRE(EndByAgent(session_id, types::v1::END_REASON_COMPLETED, 0).ok());
  }
  CHECK(KeptBytes() == 0);
  const types::v1::Approval shown = Shown(asked.id());
  CHECK(shown.arguments().ends_with("... (cut)"));
  CHECK(shown.shortened_size() == 2);
  CHECK(shown.arguments_digest() == kDigest);
}

TEST_CASE_METHOD(LongCalls, "what waits for a principal's calls may be 16 MiB long, and no more",
                 "[controlplane][access]") {
  std::vector<std::string> ids;
  for (int i = 0; i < 8; ++i) ids.push_back(Ask(kLong).approval().id());
  const auto refused = Ask(kLong);
  CHECK(refused.denial_reason() == types::v1::DENIAL_REASON_LIMIT_EXCEEDED);
  CHECK(refused.detail().find("16 MiB") != std::string::npos);
  CHECK(Ask(100).has_approval());
  session_id = ByAgent(BotToken("another")).session().id();
  CHECK(Ask(kLong).has_approval());
  session_id = ByAgent(BotToken()).session().id();
  REQUIRE(Deny(ids.front(), SignedIn("alice")).ok());
  CHECK(Ask(kLong).has_approval());
}

TEST_CASE_METHOD(LongCalls, "what waits in all may be 256 MiB long, and no more",
                 "[controlplane][access]") {
  const std::string others = Ask(100).approval().id();
  {
    const auto t = Write();
    REQUIRE(t->Prepare("insert into approval_texts (approval_id, realm, kind, subject, bytes, "
                       "texts) values (?, 'okta', 1, 'others', 268000000, x'')")
                .Text(others)
                .Run()
                .ok());
    REQUIRE(t->Commit().ok());
  }
  CHECK(Ask(kLong).denial_reason() == types::v1::DENIAL_REASON_LIMIT_EXCEEDED);
  CHECK(Ask(100).has_approval());
}

TEST_CASE_METHOD(LongCalls, "a page of approvals is as long as any client takes",
                 "[controlplane][access]") {
  constexpr int kAsked = 60;
  for (int i = 0; i < kAsked; ++i) {
    auto request = Asked(3900);
    request.set_target("delete-" + std::to_string(i) + std::string(4000, 'z'));
    request.set_tool_definition(std::string(3900, 'd'));
    request.set_definition_hash(kDigest);
    for (int n = 0; n < 200; ++n) request.add_cut("/text/and/more/" + std::to_string(n));
    const auto version = *meta::CurrentSnapshot(*Read());
    request.mutable_judged_by()->set_epoch(version.epoch);
    request.mutable_judged_by()->set_version(version.version);
    const auto response = calls->Run(Agent("a1"), request);
    REQUIRE(response.ok());
    REQUIRE(response->has_approval());
    clock.Advance(absl::Seconds(1));
  }
  admin::v1::ListApprovalsRequest request;
  std::set<std::string> seen;
  int pages = 0;
  do {
    const auto page = read_approvals->Run(admin, request);
    REQUIRE(page.ok());
    CHECK(page->ByteSizeLong() < (3 << 20));
    for (const auto& item : page->items()) CHECK(seen.insert(item.id()).second);
    request.set_page_token(page->next_page_token());
    ++pages;
  } while (!request.page_token().empty());
  CHECK(seen.size() == kAsked);
  CHECK(pages > 1);
}

}  // namespace
}  // namespace sallyport::controlplane
