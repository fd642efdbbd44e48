#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "controlplane/model/proto_time.h"
#include "controlplane/store/agents.h"
#include "controlplane/store/approvals.h"
#include "controlplane/store/audit_log.h"
#include "controlplane/store/documents.h"
#include "controlplane/store/meta.h"
#include "controlplane/store/outbox.h"
#include "controlplane/store/sessions.h"
#include "tests/fakes/temp_dir.h"

namespace sallyport::controlplane {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);
const Caller kAdmin(LocalAdminCaller{.uid = 0}, "");

types::v1::Principal APrincipal(const std::string& subject) {
  types::v1::Principal principal;
  principal.set_realm("okta");
  principal.set_kind(types::v1::PRINCIPAL_KIND_SERVICE);
  principal.set_subject(subject);
  principal.set_client_id("client");
  return principal;
}

const Caller kSystem(SystemCaller{}, "");

audit_log::Line Why() { return audit_log::LineOf(kSystem, kNow, "test.change", "ses_1"); }

struct Fixture {
  TempDir dir;
  std::unique_ptr<Database> database = *Database::Open(dir / "control.db", migrations::Control());

  std::unique_ptr<WriteTransaction> Write() { return *database->Write(); }
  std::unique_ptr<ReadTransaction> Read() { return *database->Read(); }

  Session AddActive(const std::string& id, const std::string& subject, const std::string& server,
                    uint64_t budget = 0) {
    auto t = Write();
    const Window window{"win_" + id, kNow, kNow + absl::Minutes(15)};
    REQUIRE(sessions::InsertWindow(*t, APrincipal(subject), server, window).ok());
    const Session session = Session::Active(
        {.id = id,
         .request_id = "request-of-" + id,
         .principal = APrincipal(subject),
         .server = server,
         .agent = "a1",
         .duration = absl::Minutes(15),
         .created_at = kNow},
        {.window_id = window.id, .expires_at = window.ends_at, .call_budget = budget});
    REQUIRE(sessions::Insert(*t, session, Why()).ok());
    REQUIRE(t->Commit().ok());
    return session;
  }

  Approval AddApproval(const std::string& id, const std::string& session_id,
                       const std::string& method) {
    types::v1::Approval proto;
    proto.set_id(id);
    proto.set_session_id(session_id);
    proto.set_method(method);
    proto.set_tool("deploy");
    proto.set_arguments_digest("d1");
    *proto.mutable_created_at() = ToProto(kNow);
    *proto.mutable_expires_at() = ToProto(kNow + absl::Minutes(10));
    for (const char* owner : {"okta:one", "okta:two"}) proto.add_owners(owner);
    const Approval approval = Approval::Pending(proto, "a1");
    auto t = Write();
    REQUIRE(approvals::Insert(*t, approval).ok());
    REQUIRE(t->Commit().ok());
    return approval;
  }

  types::v1::Document Lock(const std::string& name) {
    types::v1::Document lock;
    lock.set_kind(types::v1::DOCUMENT_KIND_LOCK);
    lock.set_name(name);
    lock.set_source("kind: Lock");
    lock.mutable_lock();
    return lock;
  }
};

TEST_CASE_METHOD(Fixture, "a session comes back as it was stored, also after a restart",
                 "[controlplane][store]") {
  const Session stored = AddActive("ses_1", "bot", "wiki", 7);
  database.reset();
  database = *Database::Open(dir / "control.db", migrations::Control());
  auto t = Read();
  const auto found = sessions::Find(*t, "ses_1");
  REQUIRE(found->has_value());
  CHECK((*found)->proto().SerializeAsString() == stored.proto().SerializeAsString());
  CHECK((*found)->call_budget() == 7);
  CHECK((*found)->duration() == absl::Minutes(15));
  CHECK((*found)->stored().window_id == "win_ses_1");
  CHECK_FALSE(sessions::Find(*t, "ses_2")->has_value());
}

TEST_CASE_METHOD(Fixture, "of two who change what they read, the second is told",
                 "[controlplane][store]") {
  AddActive("ses_1", "bot", "wiki");
  auto t = Write();
  Session one = **sessions::Find(*t, "ses_1");
  Session two = one;
  REQUIRE(one.End(types::v1::END_REASON_REVOKED, "", kNow).ok());
  REQUIRE(two.End(types::v1::END_REASON_COMPLETED, "", kNow).ok());
  CHECK(sessions::Update(*t, one, Why()).ok());
  CHECK(sessions::Update(*t, two, Why()).code() == absl::StatusCode::kAborted);
}

TEST_CASE_METHOD(Fixture, "the tables themselves refuse to revive a session or an approval",
                 "[controlplane][store]") {
  AddActive("ses_1", "bot", "wiki");
  AddApproval("apr_1", "ses_1", "tools/call");
  auto t = Write();
  Session session = **sessions::Find(*t, "ses_1");
  REQUIRE(sessions::EndLive(*t, session, {.reason = types::v1::END_REASON_REVOKED}, kSystem, kNow)
              .ok());
  CHECK(t->Prepare("update sessions set state = 2").Run().code() ==
        absl::StatusCode::kFailedPrecondition);
  CHECK(t->Prepare("update approvals set state = 2").Run().code() ==
        absl::StatusCode::kFailedPrecondition);
}

TEST_CASE_METHOD(Fixture, "one request of one principal opens one session",
                 "[controlplane][store]") {
  AddActive("ses_1", "bot", "wiki");
  auto t = Write();
  Session::Stored twin = (**sessions::Find(*t, "ses_1")).stored();
  twin.proto.set_id("ses_2");
  CHECK(sessions::Insert(*t, Session(twin), Why()).code() == absl::StatusCode::kAlreadyExists);
  CHECK((*sessions::FindByRequest(*t, APrincipal("bot"), "request-of-ses_1"))->id() == "ses_1");
  CHECK_FALSE(sessions::FindByRequest(*t, APrincipal("other"), "request-of-ses_1")->has_value());
}

TEST_CASE_METHOD(Fixture, "live sessions are found by principal, agent and end, ended ones are not",
                 "[controlplane][store]") {
  AddActive("ses_1", "bot", "wiki");
  AddActive("ses_2", "bot", "files");
  AddActive("ses_3", "other", "wiki");
  auto t = Write();
  CHECK(sessions::Live(*t, APrincipal("bot"), "wiki")->size() == 1);
  CHECK(sessions::LiveOfAgent(*t, "a1")->size() == 3);
  CHECK(sessions::LiveOfAgent(*t, "a2")->empty());
  CHECK(sessions::PastEnd(*t, kNow + absl::Minutes(15))->empty());
  CHECK(sessions::PastEnd(*t, kNow + absl::Minutes(16))->size() == 3);
  Session session = **sessions::Find(*t, "ses_1");
  REQUIRE(sessions::EndLive(*t, session, {.reason = types::v1::END_REASON_COMPLETED}, kSystem, kNow)
              .ok());
  CHECK(sessions::Live(*t, APrincipal("bot"), "wiki")->empty());
  CHECK(sessions::AllLive(*t)->size() == 2);
}

TEST_CASE_METHOD(Fixture, "sessions are listed newest first, page by page, by state and server",
                 "[controlplane][store]") {
  for (const char* id : {"ses_1", "ses_2", "ses_3"})
    AddActive(id, id, id == std::string("ses_2") ? "files" : "wiki");
  auto t = Read();
  const auto page = sessions::List(*t, {}, absl::InfiniteFuture(), "", 2);
  REQUIRE(page->size() == 2);
  CHECK((*page)[0].id() == "ses_3");
  const auto rest =
      sessions::List(*t, {}, FromProto((*page)[1].proto().created_at()), (*page)[1].id(), 2);
  REQUIRE(rest->size() == 1);
  CHECK((*rest)[0].id() == "ses_1");
  CHECK(sessions::List(*t, {.server = "wiki"}, absl::InfiniteFuture(), "", 10)->size() == 2);
  CHECK(
      sessions::List(*t, {.state = types::v1::SESSION_STATE_ENDED}, absl::InfiniteFuture(), "", 10)
          ->empty());
}

TEST_CASE_METHOD(
    Fixture,
    "calls of a window are what was reported, and the whole budget of who has not reported",
    "[controlplane][store]") {
  AddActive("ses_1", "bot", "wiki", 10);
  auto t = Write();
  WindowCalls calls = *sessions::CallsUsed(*t, "win_ses_1");
  CHECK(calls.used == 10);
  CHECK(calls.reported == 0);
  CHECK(calls.unreported == "ses_1");
  Session session = **sessions::Find(*t, "ses_1");
  REQUIRE(session.End(types::v1::END_REASON_COMPLETED, "", kNow).ok());
  REQUIRE(session.ReportCalls(3).ok());
  REQUIRE(sessions::Update(*t, session, Why()).ok());
  calls = *sessions::CallsUsed(*t, "win_ses_1");
  CHECK(calls.used == 3);
  CHECK(calls.reported == 3);
  CHECK(calls.unreported.empty());
  CHECK((*sessions::OpenWindow(*t, APrincipal("bot"), "wiki", kNow))->id == "win_ses_1");
  CHECK_FALSE(
      sessions::OpenWindow(*t, APrincipal("bot"), "wiki", kNow + absl::Minutes(15))->has_value());
}

TEST_CASE_METHOD(
    Fixture, "an open call approval is found by exactly what it binds, and ends with its session",
    "[controlplane][store]") {
  AddActive("ses_1", "bot", "wiki");
  AddApproval("apr_1", "ses_1", "tools/call");
  auto t = Write();
  const auto found = approvals::FindOpenCall(*t, "ses_1", "tools/call", "deploy", "d1");
  REQUIRE(found->has_value());
  CHECK(std::ranges::equal((*found)->proto().owners(), std::vector{"okta:one", "okta:two"}));
  CHECK_FALSE(approvals::FindOpenCall(*t, "ses_1", "tools/call", "deploy", "d2")->has_value());
  CHECK_FALSE(approvals::FindOpenCall(*t, "ses_1", "tools/call", "delete", "d1")->has_value());
  CHECK(approvals::OpenCallsOfAgent(*t, "a1")->size() == 1);
  Session session = **sessions::Find(*t, "ses_1");
  REQUIRE(sessions::EndLive(*t, session, {.reason = types::v1::END_REASON_REVOKED}, kSystem, kNow)
              .ok());
  CHECK((*approvals::Find(*t, "apr_1"))->state() == types::v1::APPROVAL_STATE_WITHDRAWN);
  CHECK(approvals::OpenCallsOfAgent(*t, "a1")->empty());
  const auto count = [&](bool all_states) {
    int rows = 0;
    REQUIRE(approvals::Walk(*t, all_states, absl::InfiniteFuture(), "", [&](const Approval&) {
              ++rows;
              return true;
            }).ok());
    return rows;
  };
  CHECK(count(false) == 0);
  CHECK(count(true) == 1);
}

TEST_CASE_METHOD(Fixture, "an approval of a session that does not exist is refused",
                 "[controlplane][store]") {
  types::v1::Approval proto;
  proto.set_id("apr_1");
  proto.set_session_id("ses_none");
  auto t = Write();
  CHECK_FALSE(approvals::Insert(*t, Approval::Pending(proto, "")).ok());
}

TEST_CASE_METHOD(Fixture,
                 "a document's version rises with each change and stands still without one",
                 "[controlplane][store]") {
  types::v1::Document policy;
  policy.set_kind(types::v1::DOCUMENT_KIND_POLICY);
  policy.set_name("bots");
  policy.set_source("one");
  policy.mutable_policy();
  auto t = Write();
  const auto created = documents::PutDocument(*t, policy, kAdmin, kNow);
  CHECK(created->is_created);
  CHECK(created->document.version() == 1);
  CHECK(created->document.updated_by() == "local:uid=0");
  const auto same = documents::PutDocument(*t, policy, kAdmin, kNow);
  CHECK_FALSE(same->is_changed);
  CHECK(meta::CurrentSnapshot(*t)->version == 2);
  policy.set_source("two");
  CHECK(documents::PutDocument(*t, policy, kAdmin, kNow)->document.version() == 2);
  CHECK(*documents::DeleteDocument(*t, types::v1::DOCUMENT_KIND_POLICY, "bots", kAdmin, kNow));
  CHECK_FALSE(
      *documents::DeleteDocument(*t, types::v1::DOCUMENT_KIND_POLICY, "bots", kAdmin, kNow));
  CHECK(meta::CurrentSnapshot(*t)->version == 4);
  CHECK(audit_log::List(*t, 0, 10)->size() == 3);
}

TEST_CASE_METHOD(
    Fixture, "a lock ends what it matches in the transaction that stores it, and leaves the rest",
    "[controlplane][store]") {
  AddActive("ses_1", "bot", "wiki");
  AddActive("ses_2", "bot", "files");
  AddActive("ses_3", "other", "wiki");
  AddApproval("apr_1", "ses_1", "tools/call");
  types::v1::Document lock = Lock("incident");
  lock.mutable_lock()->mutable_principal()->set_realm("okta");
  lock.mutable_lock()->mutable_principal()->set_subject("bot");
  lock.mutable_lock()->set_server("wiki");
  auto t = Write();
  REQUIRE(documents::PutDocument(*t, lock, kAdmin, kNow).ok());
  CHECK((*sessions::Find(*t, "ses_1"))->proto().end_reason() == types::v1::END_REASON_REVOKED);
  CHECK((*sessions::Find(*t, "ses_1"))->proto().detail() == "lock incident");
  CHECK((*approvals::Find(*t, "apr_1"))->state() == types::v1::APPROVAL_STATE_WITHDRAWN);
  CHECK(sessions::AllLive(*t)->size() == 2);
  const std::vector<audit_log::Line> lines = *audit_log::List(*t, 0, 10);
  REQUIRE(lines.size() >= 2);
  CHECK(lines[lines.size() - 2].action == "session.revoke");
  CHECK(lines[lines.size() - 2].object == "ses_1");
  CHECK(lines.back().action == "approval.withdraw");
  CHECK(lines.back().object == "apr_1");
}

TEST_CASE_METHOD(Fixture, "an empty lock is the kill switch, an expired one does nothing",
                 "[controlplane][store]") {
  AddActive("ses_1", "bot", "wiki");
  AddActive("ses_2", "other", "files");
  auto t = Write();
  types::v1::Document expired = Lock("old");
  *expired.mutable_lock()->mutable_expires() = ToProto(kNow);
  REQUIRE(documents::PutDocument(*t, expired, kAdmin, kNow).ok());
  CHECK(sessions::AllLive(*t)->size() == 2);
  REQUIRE(documents::PutDocument(*t, Lock("all"), kAdmin, kNow).ok());
  CHECK(sessions::AllLive(*t)->empty());
}

TEST_CASE_METHOD(Fixture, "of many who bring one join secret, exactly one gets in",
                 "[controlplane][store]") {
  {
    auto t = Write();
    REQUIRE(agents::AddJoinToken(*t, "secret",
                                 {.name = "a1",
                                  .servers = {"wiki"},
                                  .created_at = kNow,
                                  .expires_at = kNow + absl::Minutes(10)})
                .ok());
    REQUIRE(t->Commit().ok());
  }
  std::atomic<int> winners = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      auto t = database->Write();
      const auto token = agents::ConsumeJoinToken(**t, "secret", kNow);
      if (token.ok() && token->has_value() && (*t)->Commit().ok()) ++winners;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(winners == 1);
}

TEST_CASE_METHOD(Fixture, "a join secret is stored as its hash, and is no good wrong or late",
                 "[controlplane][store]") {
  auto t = Write();
  REQUIRE(agents::AddJoinToken(*t, "secret",
                               {.name = "a1",
                                .servers = {"wiki"},
                                .created_at = kNow,
                                .expires_at = kNow + absl::Minutes(10)})
              .ok());
  CHECK_FALSE(agents::ConsumeJoinToken(*t, "secreT", kNow)->has_value());
  CHECK_FALSE(agents::ConsumeJoinToken(*t, "secret", kNow + absl::Minutes(10))->has_value());
  CHECK(agents::ConsumeJoinToken(*t, "secret", kNow + absl::Minutes(9))->has_value());
  Statement stored = t->Prepare(
      "select count(*) from join_tokens where instr(secret_sha256, cast('secret' as blob)) > 0");
  REQUIRE(*stored.Step());
  CHECK(stored.integer(0) == 0);
}

TEST_CASE_METHOD(Fixture, "agents are found by name and by the servers they front",
                 "[controlplane][store]") {
  auto t = Write();
  REQUIRE(agents::Put(*t, {.name = "a1",
                           .servers = {"wiki", "files"},
                           .enrolled_at = kNow,
                           .certificate_expires_at = kNow})
              .ok());
  REQUIRE(agents::Put(*t, {.name = "a2",
                           .servers = {"wiki-2"},
                           .enrolled_at = kNow,
                           .certificate_expires_at = kNow})
              .ok());
  CHECK(*agents::Fronting(*t, "wiki") == std::vector<std::string>{"a1"});
  CHECK(*agents::Fronting(*t, "files") == std::vector<std::string>{"a1"});
  CHECK(agents::Fronting(*t, "wik")->empty());
  CHECK((*agents::Find(*t, "a1"))->Fronts("files"));
  CHECK((*agents::Find(*t, "a1"))->last_seen_at == absl::InfinitePast());
  REQUIRE(agents::NoteSeen(*t, "a1", kNow).ok());
  CHECK((*agents::Find(*t, "a1"))->last_seen_at == kNow);
  CHECK(agents::List(*t, "a1", 10)->size() == 1);
}

TEST_CASE_METHOD(Fixture, "a notice waits in the outbox until it is delivered",
                 "[controlplane][store]") {
  auto t = Write();
  const outbox::Notice notice{.id = "n1",
                              .notifier = "slack",
                              .body = "{}",
                              .created_at = kNow,
                              .next_attempt_at = kNow,
                              .give_up_at = kNow + absl::Minutes(10)};
  CHECK(*outbox::NextDue(*t) == absl::InfiniteFuture());
  REQUIRE(outbox::Enqueue(*t, notice).ok());
  CHECK(outbox::Enqueue(*t, notice).code() == absl::StatusCode::kAlreadyExists);
  const auto due = outbox::Due(*t, kNow, 10);
  REQUIRE(due->size() == 1);
  CHECK(due->front().body == "{}");
  REQUIRE(outbox::Postpone(*t, due->front().n, kNow + absl::Seconds(5), "503").ok());
  CHECK(outbox::Due(*t, kNow, 10)->empty());
  CHECK(*outbox::NextDue(*t) == kNow + absl::Seconds(5));
  const auto again = outbox::Due(*t, kNow + absl::Seconds(5), 10);
  REQUIRE(again->size() == 1);
  CHECK(again->front().attempts == 1);
  CHECK(again->front().last_error == "503");
  REQUIRE(outbox::SetDelivered(*t, again->front().n).ok());
  CHECK(*outbox::NextDue(*t) == absl::InfiniteFuture());
}

}  // namespace
}  // namespace sallyport::controlplane
