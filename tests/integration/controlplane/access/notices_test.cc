#include "controlplane/access/notices.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "controlplane/access/notice_alarm.h"
#include "controlplane/access/notice_forms.h"
#include "tests/fakes/captured_stderr.h"
#include "tests/integration/controlplane/access/fixture.h"

namespace sallyport::controlplane {
namespace {

using nlohmann::json;

types::v1::Approval AnApproval() {
  types::v1::Approval approval;
  approval.set_id("apr_1");
  approval.set_server("wiki");
  approval.set_method("tools/call");
  approval.set_tool("delete-page");
  approval.set_arguments("{\"page\":\"home\",\"note\":\"<!channel> [x](http://evil) *b*\"}");
  approval.set_tool_definition(R"({"name":"delete-page"})");
  approval.mutable_principal()->set_realm("okta");
  approval.mutable_principal()->set_subject("bot\u202e");
  approval.mutable_principal()->set_kind(types::v1::PRINCIPAL_KIND_SERVICE);
  approval.set_reason("<!here> \x1b[2J");
  approval.add_approvers("okta:approvers");
  approval.set_count(2);
  approval.mutable_expires_at()->set_seconds(1'800'000'000);
  return approval;
}

template <class About>
std::string Body(config::v1::NoticeFormat format, const About& about) {
  return NoticeBody(
      format,
      {.id = "evt_1", .type = "approval.pending", .time = absl::FromUnixSeconds(1'799'999'000)},
      about);
}

// All strings of a member's name, anywhere.
void Collect(const json& value, const std::string& name, std::vector<std::string>& found) {
  if (value.is_object()) {
    for (const auto& [key, member] : value.items()) {
      if (key == name && member.is_string()) found.push_back(member);
      Collect(member, name, found);
    }
  } else if (value.is_array()) {
    for (const json& element : value) Collect(element, name, found);
  }
}
bool AnyHas(const std::vector<std::string>& texts, const std::string& part) {
  return std::ranges::any_of(
      texts, [&](const std::string& text) { return text.find(part) != std::string::npos; });
}

TEST_CASE("the plain form is the whole approval", "[controlplane][notices]") {
  const json body = json::parse(Body(config::v1::NOTICE_FORMAT_UNSPECIFIED, AnApproval()));
  CHECK(body["id"] == "evt_1");
  CHECK(body["type"] == "approval.pending");
  CHECK(body["approval"]["toolDefinition"] == R"({"name":"delete-page"})");
  CHECK(body["approval"]["count"] == 2);
}

TEST_CASE("Slack gets what callers and servers chose in text that it does not format",
          "[controlplane][notices]") {
  const json body = json::parse(Body(config::v1::NOTICE_FORMAT_SLACK, AnApproval()));
  for (const json& block : body["blocks"]) {
    const std::string type = block["type"];
    CHECK((type == "header" || type == "section" || type == "rich_text"));
  }
  std::vector<std::string> types;
  Collect(body["blocks"], "type", types);
  CHECK_FALSE(AnyHas(types, "mrkdwn"));
  std::vector<std::string> texts;
  Collect(body, "text", texts);
  CHECK(AnyHas(texts, "2 of okta:approvers"));
  CHECK(AnyHas(texts, "delete-page"));
  CHECK(AnyHas(texts, "sallyport approvals approve apr_1"));
  CHECK(AnyHas(texts, "bot\\u{202e}"));
  CHECK(AnyHas(texts, "\\u{1b}[2J"));
  CHECK(body["text"].get<std::string>().find('<') == std::string::npos);
}

TEST_CASE("of a session it is said for how long it is", "[controlplane][notices]") {
  types::v1::Approval approval = AnApproval();
  approval.clear_method();
  approval.mutable_duration()->set_seconds(90);
  approval.set_max_calls(20);
  std::vector<std::string> texts;
  Collect(json::parse(Body(config::v1::NOTICE_FORMAT_SLACK, approval)), "text", texts);
  CHECK(AnyHas(texts, "Open for: 1m30s, at most 20 calls"));
}

TEST_CASE("Teams gets an adaptive card of text runs, which know no markdown",
          "[controlplane][notices]") {
  const json body = json::parse(Body(config::v1::NOTICE_FORMAT_TEAMS, AnApproval()));
  CHECK(body["type"] == "message");
  const json& attachment = body["attachments"][0];
  CHECK(attachment["contentType"] == "application/vnd.microsoft.card.adaptive");
  const json& card = attachment["content"];
  CHECK(card["type"] == "AdaptiveCard");
  for (const json& element : card["body"]) CHECK(element["type"] == "RichTextBlock");
  std::vector<std::string> texts;
  Collect(card, "text", texts);
  CHECK(AnyHas(texts, "[x](http://evil)"));
  CHECK(AnyHas(texts, "bot\\u{202e}"));
}

TEST_CASE("a session that broke glass has its forms too", "[controlplane][notices]") {
  types::v1::Session session;
  session.set_id("ses_1");
  session.set_server("wiki");
  session.set_reason("the pager \x1b[2J rang");
  session.mutable_break_glass()->add_skipped_approvers("okta:approvers");
  CHECK(json::parse(Body(config::v1::NOTICE_FORMAT_JSON, session))["session"]["id"] == "ses_1");
  for (const auto format : {config::v1::NOTICE_FORMAT_SLACK, config::v1::NOTICE_FORMAT_TEAMS}) {
    std::vector<std::string> texts;
    Collect(json::parse(Body(format, session)), "text", texts);
    CHECK(AnyHas(texts, "without its approval"));
    CHECK(AnyHas(texts, "the pager \\u{1b}[2J rang"));
    CHECK(AnyHas(texts, "sallyport sessions review ses_1"));
  }
}

TEST_CASE("what is too long for a message is cut, and says so", "[controlplane][notices]") {
  types::v1::Approval approval = AnApproval();
  std::string long_text;
  for (int i = 0; i < 100'000; ++i) long_text += "\u00e9\"";
  approval.set_arguments(long_text);
  approval.set_tool_definition(long_text);
  approval.set_other_params(long_text);
  approval.set_reason(long_text);
  for (int i = 0; i < 1000; ++i) approval.add_approvers("okta:" + std::to_string(i));
  for (const auto format : {config::v1::NOTICE_FORMAT_SLACK, config::v1::NOTICE_FORMAT_TEAMS}) {
    const std::string body = Body(format, approval);
    CHECK(body.size() < 24'000);
    CHECK(body.find("(cut)") != std::string::npos);
    CHECK_NOTHROW(json::parse(body));
  }
  CHECK(Body(config::v1::NOTICE_FORMAT_JSON, approval).size() > long_text.size());
}

struct Telling : Fixture {
  Telling() {
    ApplyPolicy("max_duration: 15m",
                "[{require_approval: {tools: [\"delete-*\"], approvers: [\"okta:approvers\"]}}, "
                "{require_approval: {tools: [burn], approvers: [\"okta:nobody-told\"]}}]");
    session_id = ByAgent(BotToken()).session().id();
  }
  types::v1::Approval Ask(const std::string& tool) {
    agent::v1::RequestCallApprovalRequest request;
    request.set_session_id(session_id);
    request.set_method("tools/call");
    request.set_target(tool);
    request.set_arguments_digest(kDigest);
    const auto response = calls->Run(Agent("a1"), request);
    INFO(response.status());
    REQUIRE(response.ok());
    REQUIRE(response->has_approval());
    return response->approval();
  }
  std::string Alarm(const std::string& id) { return ApprovalOf(id).proto().notice_alarm(); }
  void OnlyNotifier(const std::string& name, const std::string& approver) {
    config.clear_notify();
    config.add_notify()->set_name(name);
    config.mutable_notify(0)->add_approvers(approver);
    notices.emplace(config);
    calls.emplace(CallApprovals::Needs{*control, clock, *policies, *notices, is_connected});
  }
  outbox::Notice NoticeOf(const std::string& approval) {
    const auto found = outbox::OfApproval(*Read(), approval);
    REQUIRE(found->size() == 1);
    return found->front();
  }

  std::string session_id;
};

TEST_CASE_METHOD(Telling, "an approval whose approvers no notifier names carries an alarm at once",
                 "[controlplane][notices]") {
  OnlyNotifier("slack", "okta:approvers");
  const std::string id = Ask("burn").id();
  CHECK(Alarm(id) == "no notifier is configured for its approvers");
  CHECK(*approvals::CountUnnotified(*Read()) == 1);
  CHECK(Alarm(Ask("delete-page").id()).empty());
  REQUIRE(Deny(id, SignedIn("alice", R"(["nobody-told"])")).ok());
  CHECK(*approvals::CountUnnotified(*Read()) == 0);
}

TEST_CASE_METHOD(Telling, "an approval that no receiver takes carries an alarm until one does",
                 "[controlplane][notices]") {
  OnlyNotifier("slack", "okta:approvers");
  const std::string id = Ask("delete-page").id();
  const outbox::Notice notice = NoticeOf(id);
  const auto fail = [&] {
    const auto t = Write();
    REQUIRE(outbox::Postpone(*t, notice.n, clock.Now(), "notifier slack: 500").ok());
    const auto raised = UpdateNoticeAlarm(*t, id);
    REQUIRE(t->Commit().ok());
    return *raised;
  };
  CHECK_FALSE(fail());
  CHECK_FALSE(fail());
  CHECK(Alarm(id).empty());
  CHECK(fail());
  CHECK(Alarm(id).find("notifier slack: 500") != std::string::npos);
  CHECK_FALSE(fail());
  {
    const auto t = Write();
    REQUIRE(outbox::SetDelivered(*t, notice.n).ok());
    REQUIRE(UpdateNoticeAlarm(*t, id).ok());
    REQUIRE(t->Commit().ok());
  }
  CHECK(Alarm(id).empty());
  CHECK(NoticeOf(id).last_error.empty());
}

TEST_CASE_METHOD(Telling, "an alarm is said once it has been committed, and not otherwise",
                 "[controlplane][notices]") {
  const std::string id = Ask("delete-page").id();
  const outbox::Notice notice = NoticeOf(id);
  const auto bury = [&](bool commits) {
    CapturedStderr said;
    {
      const auto t = Write();
      REQUIRE(outbox::Bury(*t, notice.n, 1, "notifier everyone: 404").ok());
      REQUIRE(*UpdateNoticeAlarm(*t, id));
      if (commits) REQUIRE(t->Commit().ok());
    }
    return said.Text();
  };
  CHECK(bury(false).find("approval_unnotified") == std::string::npos);
  CHECK(Alarm(id).empty());
  CHECK(bury(true).find("approval_unnotified") != std::string::npos);
  CHECK_FALSE(Alarm(id).empty());
}

TEST_CASE_METHOD(Telling, "dead letters are listed, and tried again when an admin says so",
                 "[controlplane][notices]") {
  const std::string id = Ask("delete-page").id();
  const outbox::Notice notice = NoticeOf(id);
  admin::v1::RetryNoticeRequest retry;
  retry.set_id(notice.id);
  CHECK(sent_notices->Run(admin, retry).status().code() == absl::StatusCode::kFailedPrecondition);
  {
    const auto t = Write();
    REQUIRE(outbox::Bury(*t, notice.n, 1, "notifier everyone: 404").ok());
    REQUIRE(UpdateNoticeAlarm(*t, id).ok());
    REQUIRE(t->Commit().ok());
  }
  CHECK(outbox::Due(*Read(), clock.Now() + absl::Hours(1), 10)->empty());
  CHECK(*outbox::CountDead(*Read()) == 1);
  CHECK_FALSE(Alarm(id).empty());
  admin::v1::ListNoticesRequest list;
  list.set_state(admin::v1::NOTICE_STATE_DEAD);
  const auto dead = sent_notices->Run(admin, list);
  REQUIRE(dead->items_size() == 1);
  CHECK(dead->items(0).last_error() == "notifier everyone: 404");
  CHECK(dead->items(0).approval_id() == id);
  CHECK(ReasonOf(sent_notices->Run(SignedIn("alice"), list).status()) ==
        types::v1::DENIAL_REASON_ROLE_MISSING);
  CHECK(ReasonOf(sent_notices->Run(SignedIn("alice"), retry).status()) ==
        types::v1::DENIAL_REASON_ROLE_MISSING);
  REQUIRE(sent_notices->Run(admin, retry).ok());
  CHECK(outbox::Due(*Read(), clock.Now(), 10)->size() == 1);
  retry.set_id("evt_none");
  CHECK(sent_notices->Run(admin, retry).status().code() == absl::StatusCode::kNotFound);
}

TEST_CASE_METHOD(Telling, "what was delivered is forgotten after a day, dead letters stay a month",
                 "[controlplane][notices]") {
  const outbox::Notice first = NoticeOf(Ask("delete-a").id());
  const outbox::Notice second = NoticeOf(Ask("delete-b").id());
  {
    const auto t = Write();
    REQUIRE(outbox::SetDelivered(*t, first.n).ok());
    REQUIRE(outbox::Bury(*t, second.n, 1, "gone").ok());
    REQUIRE(outbox::Forget(*t, clock.Now() + absl::Seconds(1), clock.Now()).ok());
    REQUIRE(t->Commit().ok());
  }
  CHECK_FALSE(outbox::Find(*Read(), first.id)->has_value());
  CHECK(outbox::Find(*Read(), second.id)->has_value());
}

}  // namespace
}  // namespace sallyport::controlplane
