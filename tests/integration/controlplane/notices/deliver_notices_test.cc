#include "controlplane/deliver_notices.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <thread>

#include "tests/fakes/raw_http_server.h"
#include "tests/integration/controlplane/access/fixture.h"

namespace sallyport::controlplane {
namespace {

struct Delivering : Fixture {
  Delivering() {
    config.clear_notify();
    config::v1::Notifier& notifier = *config.add_notify();
    notifier.set_name("chat");
    notifier.set_format(config::v1::NOTICE_FORMAT_SLACK);
    notifier.set_webhook("http://127.0.0.1:" + server.port() + "/hook");
    Restart();
    ApplyPolicy("max_duration: 15m",
                "[{require_approval: {tools: [\"*\"], approvers: [\"okta:approvers\"]}}]");
    const std::string session_id = ByAgent(BotToken()).session().id();
    agent::v1::RequestCallApprovalRequest request;
    request.set_session_id(session_id);
    request.set_method("tools/call");
    request.set_target("burn");
    request.set_arguments_digest(kDigest);
    approval_id = calls->Run(Agent("a1"), request)->approval().id();
    std::vector<std::unique_ptr<Webhook>> webhooks;
    webhooks.push_back(*Webhook::Create(notifier));
    deliver = std::make_unique<DeliverNotices>(*control, clock, std::move(webhooks));
  }

  outbox::Notice Notice() { return outbox::OfApproval(*Read(), approval_id)->at(0); }
  bool IsAlarmed() { return !ApprovalOf(approval_id).proto().notice_alarm().empty(); }
  static bool Becomes(const std::function<bool()>& is_so) {
    for (int i = 0; i < 1000; ++i) {
      if (is_so()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  std::atomic<int> answer = 200;
  RawHttpServer server{[this](const std::string&) {
    return RawHttpServer::Reply{HttpReply(answer, "text/plain", "", "")};
  }};
  std::string approval_id;
  std::unique_ptr<DeliverNotices> deliver;
};

TEST_CASE_METHOD(Delivering, "a notice that is taken is kept as delivered, without its body",
                 "[controlplane][notices]") {
  REQUIRE(Becomes([&] { return Notice().state == admin::v1::NOTICE_STATE_DELIVERED; }));
  CHECK(Notice().body.empty());
  CHECK(server.requests().at(0).find("Approval needed: tools/call burn on wiki") !=
        std::string::npos);
  CHECK_FALSE(IsAlarmed());
}

struct Refusing : Delivering {
  Refusing() { deliver.reset(); }
  void DeliverAgain() {
    std::vector<std::unique_ptr<Webhook>> webhooks;
    webhooks.push_back(*Webhook::Create(config.notify(0)));
    deliver = std::make_unique<DeliverNotices>(*control, clock, std::move(webhooks));
  }
  // As if it had never been tried.
  std::string AskAgain() {
    agent::v1::RequestCallApprovalRequest request;
    request.set_session_id(ApprovalOf(approval_id).proto().session_id());
    request.set_method("tools/call");
    request.set_target("burn-more");
    request.set_arguments_digest(kDigest);
    return approval_id = calls->Run(Agent("a1"), request)->approval().id();
  }
};

TEST_CASE_METHOD(Refusing, "a receiver that refuses for good is a dead letter and an alarm at once",
                 "[controlplane][notices]") {
  answer = 404;
  AskAgain();
  DeliverAgain();
  REQUIRE(Becomes([&] { return Notice().state == admin::v1::NOTICE_STATE_DEAD; }));
  CHECK(Notice().last_error == "notifier chat: the receiver answered 404");
  CHECK(Becomes([&] { return IsAlarmed(); }));
  answer = 200;
  admin::v1::RetryNoticeRequest retry;
  retry.set_id(Notice().id);
  REQUIRE(sent_notices->Run(admin, retry).ok());
  REQUIRE(Becomes([&] { return Notice().state == admin::v1::NOTICE_STATE_DELIVERED; }));
  CHECK(Becomes([&] { return !IsAlarmed(); }));
}

TEST_CASE_METHOD(Refusing, "nobody waits behind a receiver that does not answer",
                 "[controlplane][notices]") {
  RawHttpServer hanging([](const std::string&) { return RawHttpServer::Reply{.waits = true}; });
  config::v1::Notifier& notifier = *config.mutable_notify(0);
  const config::v1::Notifier chat = notifier;
  notifier.set_name("hangs");
  notifier.set_webhook("http://127.0.0.1:" + hanging.port() + "/hook");
  *config.add_notify() = chat;
  Restart();
  AskAgain();
  std::vector<std::unique_ptr<Webhook>> webhooks;
  for (const config::v1::Notifier& one : config.notify()) webhooks.push_back(*Webhook::Create(one));
  deliver = std::make_unique<DeliverNotices>(*control, clock, std::move(webhooks));
  const auto state_of = [&](const std::string& name) {
    const auto all = *outbox::OfApproval(*Read(), approval_id);
    return std::ranges::find(all, name, &outbox::Notice::notifier)->state;
  };
  REQUIRE(Becomes([&] { return hanging.requests().size() == 1; }));
  REQUIRE(Becomes([&] { return state_of("chat") == admin::v1::NOTICE_STATE_DELIVERED; }));
  CHECK(state_of("hangs") == admin::v1::NOTICE_STATE_WAITING);
  deliver.reset();
}

TEST_CASE_METHOD(Refusing, "a notice to a notifier that is configured no more is a dead letter",
                 "[controlplane][notices]") {
  AskAgain();
  deliver =
      std::make_unique<DeliverNotices>(*control, clock, std::vector<std::unique_ptr<Webhook>>());
  REQUIRE(Becomes([&] { return Notice().state == admin::v1::NOTICE_STATE_DEAD; }));
  CHECK(Notice().last_error == "no such notifier is configured");
}

TEST_CASE_METHOD(Refusing, "a receiver that fails is tried again, later each time, and an alarm",
                 "[controlplane][notices]") {
  answer = 500;
  AskAgain();
  DeliverAgain();
  for (int attempts = 1; attempts <= 3; ++attempts) {
    REQUIRE(Becomes([&] { return Notice().attempts == attempts; }));
    const absl::Duration wait = Notice().next_attempt_at - clock.Now();
    CHECK(wait > absl::Seconds(1 << attempts) / 2);
    CHECK(IsAlarmed() == (attempts == 3));
    clock.Advance(wait);
  }
  answer = 200;
  REQUIRE(Becomes([&] { return Notice().state == admin::v1::NOTICE_STATE_DELIVERED; }));
  CHECK(Becomes([&] { return !IsAlarmed(); }));
}

TEST_CASE_METHOD(Refusing, "a notice that nobody could act on any more is given up",
                 "[controlplane][notices]") {
  answer = 500;
  AskAgain();
  DeliverAgain();
  REQUIRE(Becomes([&] { return Notice().attempts == 1; }));
  clock.Advance(absl::Minutes(20));
  REQUIRE(Becomes([&] { return Notice().state == admin::v1::NOTICE_STATE_DEAD; }));
}

TEST_CASE_METHOD(Refusing, "nobody is asked for what has been decided", "[controlplane][notices]") {
  answer = 500;
  AskAgain();
  DeliverAgain();
  REQUIRE(Becomes([&] { return Notice().attempts == 1; }));
  // Each of them says which approval it asks for; another one waits as well.
  const auto asked = [&] {
    const std::vector<std::string> requests = server.requests();
    return std::ranges::count_if(requests, [&](const std::string& request) {
      return request.find(approval_id) != std::string::npos;
    });
  };
  const auto before = asked();
  REQUIRE(before > 0);
  std::string word = "the approval is approved";
  SECTION("granted") { REQUIRE(Approve(approval_id, SignedIn("alice")).ok()); }
  SECTION("refused") {
    REQUIRE(Deny(approval_id, SignedIn("alice")).ok());
    word = "the approval is denied";
  }
  SECTION("taken back with its session") {
    REQUIRE(
        EndByAgent(ApprovalOf(approval_id).proto().session_id(), types::v1::END_REASON_COMPLETED, 0)
            .ok());
    word = "the approval is withdrawn";
  }
  answer = 200;
  clock.Advance(absl::Minutes(1));
  REQUIRE(Becomes([&] { return Notice().state == admin::v1::NOTICE_STATE_DROPPED; }));
  CHECK(Notice().last_error == word);
  CHECK(Notice().body.empty());
  CHECK(asked() == before);
  CHECK(*outbox::CountDead(*Read()) == 0);
}

TEST_CASE_METHOD(Refusing, "what expired unheard is a dead letter, and is not sent again",
                 "[controlplane][notices]") {
  answer = 410;
  AskAgain();
  DeliverAgain();
  REQUIRE(Becomes([&] { return Notice().state == admin::v1::NOTICE_STATE_DEAD; }));
  clock.Advance(absl::Minutes(20));
  REQUIRE(expire->Run().ok());
  admin::v1::RetryNoticeRequest retry;
  retry.set_id(Notice().id);
  const absl::Status refused = sent_notices->Run(admin, retry).status();
  CHECK(refused.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(refused.message() == "the approval is expired: there is nothing left to ask for");
  CHECK(Notice().state == admin::v1::NOTICE_STATE_DEAD);
}

TEST_CASE_METHOD(Refusing, "a notice that dies of its first attempt has had one",
                 "[controlplane][notices]") {
  answer = 410;
  AskAgain();
  DeliverAgain();
  REQUIRE(Becomes([&] { return Notice().state == admin::v1::NOTICE_STATE_DEAD; }));
  CHECK(Notice().attempts == 1);
}

}  // namespace
}  // namespace sallyport::controlplane
