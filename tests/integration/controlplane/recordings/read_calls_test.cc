#include "controlplane/recordings/read_calls.h"

#include <catch2/catch.hpp>

#include "common/chain/chain.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/store/records.h"
#include "controlplane/store/sessions.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/runs.h"
#include "tests/fakes/temp_dir.h"

namespace sallyport::controlplane {
namespace {

using Kind = RecordedCall::Kind;
using Outcome = RecordedCall::Outcome;
using types::v1::Record;
using types::v1::RecordContent;

struct Reading {
  TempDir dir;
  FakeClock clock;
  std::unique_ptr<Database> control = *Database::Open(dir / "control.db", migrations::Control());
  std::unique_ptr<Database> recordings =
      *Database::Open(dir / "recordings.db", migrations::Recordings());
  records::Appender appender{*recordings};
  ReadCalls read{*control, *recordings};
  std::vector<RecordedCall> calls;
  std::vector<std::string> sessions_of;

  void AddSession(const std::string& id, const std::string& client = "0oa1",
                  const std::string& server = "wiki") {
    Session::Request request{.id = id,
                             .request_id = "request-" + id,
                             .server = server,
                             .agent = "a1",
                             .duration = absl::Minutes(15),
                             .created_at = clock.Now()};
    request.principal.set_realm("okta");
    request.principal.set_kind(types::v1::PRINCIPAL_KIND_SERVICE);
    request.principal.set_subject("sub-" + client);
    request.principal.set_client_id(client);
    const Window window{"win_" + id, clock.Now(), clock.Now() + absl::Minutes(15)};
    const auto t = *control->Write();
    REQUIRE(sessions::InsertWindow(*t, request.principal, server, window).ok());
    REQUIRE(sessions::Insert(
                *t,
                Session::Active(request, {.window_id = window.id, .expires_at = window.ends_at}),
                {})
                .ok());
    REQUIRE(t->Commit().ok());
  }

  // As an agent records them, a second apart from now on.
  void AddRecords(const std::string& session,
                  const std::vector<std::pair<types::v1::RecordType, RecordContent>>& contents) {
    types::v1::RecordRun run;
    chain::ChainHead head(session);
    for (const auto& [type, content] : contents) {
      Record& record = *run.add_records();
      record.set_session_id(session);
      record.set_type(type);
      record.set_time_unix_nanos(absl::ToUnixNanos(clock.Now()));
      record.set_salt(std::string(16, 's'));
      record.set_payload(content.SerializeAsString());
      const auto appended = head.Append(static_cast<uint32_t>(type), record.time_unix_nanos(),
                                        record.salt(), record.payload());
      record.set_n(appended.n);
      record.set_payload_digest(std::string(chain::View(appended.payload_digest)));
      record.set_hash(std::string(chain::View(appended.hash)));
      clock.Advance(absl::Seconds(1));
    }
    const std::string packed = Packed(run);
    const records::ReceivedRun received{packed, Unpacked(packed)};
    REQUIRE(appender
                .Append("a1", std::span(&received, 1), clock.Now(),
                        [](const auto&, const auto&) { return absl::OkStatus(); })
                .ok());
  }

  CallsRead Read(const CallFilter& filter) {
    calls.clear();
    sessions_of.clear();
    const auto result = read.ForEach(
        filter,
        [&](const types::v1::Session& session, const RecordedCall& call) {
          if (call.kind != Kind::kOpening) calls.push_back(call);
          sessions_of.push_back(session.id());
          return true;
        },
        [](const CallsRead&) { return true; });
    REQUIRE(result.ok());
    return *result;
  }
  CallsRead ReadAll() {
    return Read({.since = clock.Now() - absl::Hours(1), .until = clock.Now()});
  }
};

RecordContent Content(const std::string& method, const std::string& target,
                      const std::string& body = "") {
  RecordContent content;
  content.set_method(method);
  content.set_target(target);
  content.set_body(body);
  return content;
}

TEST_CASE_METHOD(Reading, "a forwarded call is read with its arguments as they were recorded",
                 "[recordings][read_calls]") {
  AddSession("ses_1");
  RecordContent call = Content("tools/call", "deploy",
                               R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":)"
                               R"({"name":"deploy","arguments":{"n":1.50,"t":"[REDACTED:x]"}}})");
  call.set_policy("bots");
  auto& finding = *call.add_findings();
  finding.set_pointer("/params/arguments/t");
  call.add_findings()->set_pointer("/params/_meta/x");
  AddRecords("ses_1", {{types::v1::RECORD_TYPE_REQUEST, call},
                       {types::v1::RECORD_TYPE_RESULT, Content("tools/call", "deploy", "{}")}});
  const CallsRead read_of = ReadAll();
  CHECK(read_of.done == 1);
  REQUIRE(calls.size() == 1);
  CHECK(calls[0].kind == Kind::kRequest);
  CHECK(calls[0].record == 1);
  CHECK(calls[0].target == "deploy");
  CHECK(calls[0].arguments == R"({"n":1.50,"t":"[REDACTED:x]"})");
  CHECK(calls[0].masked == std::vector<std::string>{"/t"});
  CHECK(calls[0].outcome == Outcome::kPassed);
  CHECK(calls[0].policy == "bots");
  CHECK(sessions_of == std::vector<std::string>{"ses_1", "ses_1"});  // the opening, and the call
}

TEST_CASE_METHOD(Reading, "a stream is read as one call for each URI that it asks to hear of",
                 "[recordings][read_calls]") {
  AddSession("ses_1");
  RecordContent listen =
      Content("subscriptions/listen", "",
              R"({"params":{"notifications":{"resourceSubscriptions":["file:///a","x:[m]"]}}})");
  listen.add_findings()->set_pointer("/params/notifications/resourceSubscriptions/1");
  const RecordContent bare = Content("subscriptions/listen", "", R"({"params":{}})");
  const RecordContent none = Content(
      "subscriptions/listen", "", R"({"params":{"notifications":{"resourceSubscriptions":[]}}})");
  AddRecords("ses_1", {{types::v1::RECORD_TYPE_REQUEST, listen},
                       {types::v1::RECORD_TYPE_REQUEST, bare},
                       {types::v1::RECORD_TYPE_REQUEST, none},
                       {types::v1::RECORD_TYPE_REQUEST, Content("subscriptions/listen", "")},
                       {types::v1::RECORD_TYPE_DENIAL, Content("subscriptions/listen", "")}});
  ReadAll();
  REQUIRE(calls.size() == 6);
  CHECK(calls[0].target == "file:///a");
  CHECK_FALSE(calls[0].is_target_hidden);
  CHECK(calls[1].record == 1);
  CHECK(calls[1].is_target_hidden);
  for (const int whole : {2, 3, 5}) {
    INFO(whole);
    CHECK(calls[whole].target.empty());
    CHECK_FALSE(calls[whole].is_target_hidden);
  }
  CHECK(calls[4].is_target_hidden);  // its body was not recorded
}

TEST_CASE_METHOD(Reading, "a target that was masked is known to be", "[recordings][read_calls]") {
  AddSession("ses_1");
  const auto masked = [](const std::string& method, const std::string& pointer) {
    RecordContent content = Content(method, "x:[m]", R"({"params":{}})");
    content.add_findings()->set_pointer(pointer);
    return content;
  };
  AddRecords("ses_1",
             {{types::v1::RECORD_TYPE_REQUEST, masked("resources/read", "/params/uri")},
              {types::v1::RECORD_TYPE_REQUEST, masked("prompts/get", "/params/name")},
              {types::v1::RECORD_TYPE_REQUEST, masked("completion/complete", "/params/ref/uri")},
              {types::v1::RECORD_TYPE_REQUEST, masked("resources/subscribe", "/params")},
              {types::v1::RECORD_TYPE_DENIAL, Content("resources/read", "file:///[REDACTED:aws]")},
              {types::v1::RECORD_TYPE_DENIAL, Content("tools/call", "")},
              {types::v1::RECORD_TYPE_REQUEST, masked("tools/call", "/params/arguments/name")},
              {types::v1::RECORD_TYPE_REQUEST, masked("prompts/get", "/params/arguments/uri")},
              {types::v1::RECORD_TYPE_DENIAL, Content("logging/setLevel", "")}});
  ReadAll();
  REQUIRE(calls.size() == 9);
  for (std::size_t i = 0; i < calls.size(); ++i) {
    INFO(i);
    CHECK(calls[i].is_target_hidden == (i < 6));
  }
}

TEST_CASE_METHOD(Reading, "what was not recorded is not there, and what was masked whole is named",
                 "[recordings][read_calls]") {
  AddSession("ses_1");
  RecordContent whole = Content("tools/call", "b", R"({"params":{"arguments":{}}})");
  whole.add_findings()->set_pointer("/params");
  RecordContent other = Content("tools/call", "c", R"({"params":{"arguments":{"a":1}}})");
  other.add_findings()->set_pointer("/params/argumentsOfAnother");
  AddRecords("ses_1", {{types::v1::RECORD_TYPE_REQUEST, Content("tools/call", "a")},
                       {types::v1::RECORD_TYPE_REQUEST, whole},
                       {types::v1::RECORD_TYPE_REQUEST, other},
                       {types::v1::RECORD_TYPE_REQUEST, Content("tools/call", "d", "{}")}});
  ReadAll();
  REQUIRE(calls.size() == 4);
  CHECK_FALSE(calls[0].arguments.has_value());
  CHECK(calls[1].masked == std::vector<std::string>{""});
  CHECK(calls[2].masked.empty());
  CHECK(calls[3].arguments == "");  // a call without any
}

TEST_CASE_METHOD(Reading, "a refusal says what policy made of it, and shows no arguments",
                 "[recordings][read_calls]") {
  AddSession("ses_1");
  const auto denial = [](types::v1::DenialReason reason) {
    RecordContent content = Content("tools/call", "drop", R"({"error":{"message":"no"}})");
    content.set_denial_reason(reason);
    return std::pair(types::v1::RECORD_TYPE_DENIAL, content);
  };
  RecordContent late = denial(types::v1::DENIAL_REASON_MASKER_BLOCKED).second;
  late.set_request_n(1);
  RecordContent notice = denial(types::v1::DENIAL_REASON_POLICY_DENIED).second;
  notice.set_method("notifications/x");
  AddRecords("ses_1", {denial(types::v1::DENIAL_REASON_CONDITION_FAILED),
                       denial(types::v1::DENIAL_REASON_APPROVAL_DENIED),
                       denial(types::v1::DENIAL_REASON_SESSION_ENDED),
                       denial(types::v1::DENIAL_REASON_METHOD_UNKNOWN),
                       {types::v1::RECORD_TYPE_DENIAL, late},
                       {types::v1::RECORD_TYPE_DENIAL, notice}});
  ReadAll();
  REQUIRE(calls.size() == 4);
  CHECK(calls[0].outcome == Outcome::kRefused);
  CHECK(calls[0].reason == types::v1::DENIAL_REASON_CONDITION_FAILED);
  CHECK_FALSE(calls[0].arguments.has_value());
  CHECK(calls[1].outcome == Outcome::kAsked);
  CHECK(calls[2].outcome == Outcome::kNotOfPolicy);
  // As a task, where there are none.
  CHECK(calls[3].outcome == Outcome::kNotOfPolicy);
}

TEST_CASE_METHOD(Reading, "an approval that was used, and what a completion completes, are told",
                 "[recordings][read_calls]") {
  AddSession("ses_1");
  RecordContent approved = Content("tools/call", "delete", R"({"params":{}})");
  approved.set_approval_id("apr_1");
  AddRecords(
      "ses_1",
      {{types::v1::RECORD_TYPE_REQUEST, approved},
       {types::v1::RECORD_TYPE_REQUEST, Content("completion/complete", "file:///a",
                                                R"({"params":{"ref":{"type":"ref/resource"}}})")},
       {types::v1::RECORD_TYPE_REQUEST,
        Content("completion/complete", "greet", R"({"params":{"ref":{"type":"ref/prompt"}}})")},
       {types::v1::RECORD_TYPE_REQUEST, Content("completion/complete", "greet")}});
  ReadAll();
  REQUIRE(calls.size() == 4);
  CHECK(calls[0].outcome == Outcome::kApproved);
  CHECK(calls[0].approval_id == "apr_1");
  CHECK(calls[1].ref_is_resource == true);
  CHECK(calls[2].ref_is_resource == false);
  CHECK_FALSE(calls[3].ref_is_resource.has_value());
}

TEST_CASE_METHOD(Reading, "what a server asks of its client is read in both eras",
                 "[recordings][read_calls]") {
  AddSession("ses_1");
  AddRecords(
      "ses_1",
      {{types::v1::RECORD_TYPE_MESSAGE, Content("sampling/createMessage", "")},
       {types::v1::RECORD_TYPE_MESSAGE, Content("notifications/message", "")},
       {types::v1::RECORD_TYPE_RESULT,
        Content("tools/call", "deploy",
                R"({"result":{"inputRequests":{"a":{"method":"elicitation/create"},"b":{}}}})")}});
  ReadAll();
  REQUIRE(calls.size() == 2);
  CHECK(calls[0].kind == Kind::kServerRequest);
  CHECK(calls[0].method == "sampling");
  CHECK(calls[1].method == "elicitation");
}

TEST_CASE_METHOD(Reading, "only what is asked for is read", "[recordings][read_calls]") {
  AddSession("ses_old");
  AddRecords("ses_old", {{types::v1::RECORD_TYPE_REQUEST, Content("tools/call", "early")}});
  const absl::Time since = clock.Now();
  AddSession("ses_1");
  AddSession("ses_2", "other");
  AddSession("ses_3", "0oa1", "files");
  for (const char* id : {"ses_1", "ses_2", "ses_3"}) {
    AddRecords(id, {{types::v1::RECORD_TYPE_REQUEST, Content("tools/call", id)}});
  }
  CallFilter filter{.since = since, .until = clock.Now()};
  Read(filter);
  CHECK(calls.size() == 3);  // ses_old is live still, but its call was before
  filter.realm = "okta";
  filter.name = "0oa1";
  Read(filter);
  CHECK(calls.size() == 2);
  filter.server = "files";
  Read(filter);
  REQUIRE(calls.size() == 1);
  CHECK(calls[0].target == "ses_3");
  filter.name = "sub-0oa1";
  CHECK(Read(filter).of == 1);
  filter.realm = "ci";
  CHECK(Read(filter).of == 0);
  filter = {.since = since - absl::Hours(1), .until = since - absl::Milliseconds(1)};
  Read(filter);
  REQUIRE(calls.size() == 1);
  CHECK(calls[0].target == "early");
}

TEST_CASE_METHOD(Reading, "a reader who has gone ends it", "[recordings][read_calls]") {
  AddSession("ses_1");
  AddSession("ses_2");
  int taken = 0;
  const CallFilter filter{.since = clock.Now() - absl::Hours(1), .until = clock.Now()};
  const auto stopped = read.ForEach(
      filter, [&](const auto&, const auto&) { return ++taken < 1; },
      [](const CallsRead&) { return true; });
  REQUIRE(stopped.ok());
  CHECK(taken == 1);
  taken = 0;
  const auto gone = read.ForEach(
      filter, [&](const auto&, const auto&) { return ++taken > 0; },
      [](const CallsRead&) { return false; });
  CHECK(taken == 1);
  CHECK(gone->done == 1);
}

}  // namespace
}  // namespace sallyport::controlplane
