#include <sched.h>
#include <sqlite3.h>

#include <catch2/catch.hpp>
#include <functional>
#include <vector>

#include "common/chain/chain.h"
#include "common/denial.h"
#include "common/json_printer.h"
#include "common/refused_recording.h"
#include "common/turns.h"
#include "controlplane/access/read_sessions.h"
#include "controlplane/recordings/ingest_records.h"
#include "controlplane/recordings/replay_recording.h"
#include "controlplane/recordings/verify_recording.h"
#include "controlplane/store/agents.h"
#include "controlplane/store/audit_log.h"
#include "controlplane/store/sessions.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/runs.h"
#include "tests/fakes/temp_dir.h"

namespace sallyport::controlplane {
namespace {

using types::v1::DENIAL_REASON_ROLE_MISSING;
using types::v1::Record;
using types::v1::RECORD_TYPE_END;
using types::v1::RECORD_TYPE_OPEN;
using types::v1::RECORD_TYPE_REQUEST;
using types::v1::RECORD_TYPE_RESULT;

Caller Agent(const std::string& name) { return Caller(AgentCaller{name}, "192.0.2.1"); }
Caller Person(bool is_admin, bool is_auditor, bool may_manage = true) {
  PersonCaller person;
  person.principal.set_realm("okta");
  person.principal.set_kind(types::v1::PRINCIPAL_KIND_USER);
  person.principal.set_subject("dora");
  person.may_manage = may_manage;
  person.is_admin = is_admin;
  person.is_auditor = is_auditor;
  return Caller(person, "192.0.2.2");
}
const Caller kAuditor = Person(false, true);
const Caller kAdmin = Person(true, false);
const Caller kSocket(LocalAdminCaller{}, "");

// Records as an agent chains them.
class Recording {
 public:
  explicit Recording(const std::string& session) : head_(session) {}

  Record Next(types::v1::RecordType type, const std::string& payload = "payload") {
    Record record;
    record.set_session_id(head_.session_id());
    record.set_type(type);
    record.set_time_unix_nanos(1'800'000'000'000'000'000 + static_cast<int64_t>(head_.n()));
    record.set_salt(std::string(16, 's'));
    record.set_payload(payload);
    const auto appended =
        head_.Append(static_cast<uint32_t>(type), record.time_unix_nanos(), record.salt(), payload);
    record.set_n(appended.n);
    record.set_payload_digest(std::string(chain::View(appended.payload_digest)));
    record.set_hash(std::string(chain::View(appended.hash)));
    return record;
  }

 private:
  chain::ChainHead head_;
};

struct Fixture {
  TempDir dir;
  FakeClock clock;
  std::unique_ptr<Database> control = *Database::Open(dir / "control.db", migrations::Control());
  std::unique_ptr<Database> recordings =
      *Database::Open(dir / "recordings.db", migrations::Recordings());
  records::Appender appender{*recordings};
  IngestRecords ingest{*control, *recordings, appender, clock};
  ReplayRecording replay{*control, *recordings, clock};
  bool is_connected = true;
  VerifyRecording verify{*control, *recordings, clock,
                         [this](std::string_view) { return is_connected; }};

  Fixture() {
    for (const char* agent : {"a1", "a2"}) PutAgent({.name = agent, .servers = {"wiki"}});
    AddSession("ses_1", "a1");
    AddSession("ses_2", "a2");
  }

  void PutAgent(const struct Agent& agent) {
    const auto t = control->Write();
    REQUIRE(agents::Put(**t, agent).ok());
    REQUIRE((*t)->Commit().ok());
  }

  void AddSession(const std::string& id, const std::string& agent) {
    Session::Request request{.id = id,
                             .request_id = "request-" + id,
                             .server = "wiki",
                             .agent = agent,
                             .duration = absl::Minutes(15),
                             .created_at = clock.Now()};
    request.principal.set_realm("okta");
    request.principal.set_kind(types::v1::PRINCIPAL_KIND_SERVICE);
    request.principal.set_subject("0oa1");
    request.principal.set_client_id("0oa1");
    const Window window{"win_" + id, clock.Now(), clock.Now() + absl::Minutes(15)};
    const Session session =
        Session::Active(request, {.window_id = window.id, .expires_at = window.ends_at});
    const auto t = control->Write();
    REQUIRE(t.ok());
    REQUIRE(sessions::InsertWindow(**t, request.principal, "wiki", window).ok());
    const absl::Status inserted = sessions::Insert(**t, session, Why(id));
    INFO(inserted.ToString());
    REQUIRE(inserted.ok());
    REQUIRE((*t)->Commit().ok());
  }
  audit_log::Line Why(const std::string& id) {
    return audit_log::LineOf(Caller(SystemCaller{}, ""), clock.Now(), "test.change", id);
  }
  void EndSession(const std::string& id) {
    const auto t = control->Write();
    Session session = **sessions::Find(**t, id);
    REQUIRE(session.End(types::v1::END_REASON_COMPLETED, "", clock.Now()).ok());
    REQUIRE(sessions::Update(**t, session, Why(id)).ok());
    REQUIRE((*t)->Commit().ok());
  }

  Session SessionOf(const std::string& id) { return **sessions::Find(**control->Read(), id); }

  absl::Status Send(const Caller& caller, const std::vector<Record>& records) {
    agent::v1::StreamRecordsRequest block;
    block.set_block(1);
    for (const types::v1::RecordRun& run : RunsOf(records)) block.add_runs(Packed(run));
    return ingest.Run(caller, block);
  }
  std::vector<Record> Replayed(const std::string& id) {
    std::vector<Record> records;
    admin::v1::ReplaySessionRequest request;
    request.set_id(id);
    const absl::Status status =
        replay.Run(kAuditor, request, [&](const admin::v1::ReplaySessionResponse& response) {
          records.push_back(response.record());
          return true;
        });
    INFO(status.ToString());
    CHECK(status.ok());
    return records;
  }
  absl::StatusOr<admin::v1::VerifySessionResponse> Verify(const std::string& id,
                                                          const Caller& caller = kAuditor) {
    admin::v1::VerifySessionRequest request;
    request.set_id(id);
    return verify.Run(caller, request);
  }
  // Without those of the fixture itself.
  std::vector<audit_log::Line> Audit() {
    const auto t = control->Read();
    std::vector<audit_log::Line> lines = *audit_log::List(**t, 0, 1000);
    std::erase_if(lines, [](const audit_log::Line& line) { return line.action == "test.change"; });
    return lines;
  }
  // What somebody with the database file in his hands does.
  void Tamper(const std::string& sql, const std::string& blob = {}) {
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open((dir / "recordings.db").c_str(), &db) == SQLITE_OK);
    REQUIRE(sqlite3_exec(db,
                         "drop trigger if exists runs_never_change;"
                         "drop trigger if exists runs_never_go",
                         nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_stmt* statement = nullptr;
    REQUIRE(sqlite3_prepare_v2(db, sql.c_str(), -1, &statement, nullptr) == SQLITE_OK);
    sqlite3_bind_blob(statement, 1, blob.data(), static_cast<int>(blob.size()), SQLITE_TRANSIENT);
    CHECK(sqlite3_step(statement) == SQLITE_DONE);
    sqlite3_finalize(statement);
    sqlite3_close(db);
  }
  // The first run of the only chain, changed.
  void Tamper(const std::function<void(std::vector<Record>&)>& change) {
    const auto t = recordings->Read();
    auto stored = *records::NextRun(**t, "ses_1", 0);
    std::vector<Record> all = RecordsOf(stored->run);
    change(all);
    types::v1::RecordRun run;
    for (const Record& record : all) *run.add_records() = record;
    Tamper("update runs set records = ? where first_n = 1", Packed(run));
  }
};

TEST_CASE_METHOD(Fixture, "records are taken, replayed in order and verified", "[recordings]") {
  Recording recording("ses_1");
  std::vector<Record> sent = {recording.Next(RECORD_TYPE_OPEN)};
  for (int i = 0; i < 600; ++i)
    sent.push_back(recording.Next(RECORD_TYPE_REQUEST, "call " + std::to_string(i)));
  sent.push_back(recording.Next(RECORD_TYPE_END));
  REQUIRE(Send(Agent("a1"), sent).ok());
  const std::vector<Record> replayed = Replayed("ses_1");
  REQUIRE(replayed.size() == sent.size());
  for (std::size_t i = 0; i < sent.size(); ++i)
    CHECK(replayed[i].SerializeAsString() == sent[i].SerializeAsString());
  const auto verified = Verify("ses_1");
  REQUIRE(verified.ok());
  CHECK(verified->valid());
  CHECK(verified->records() == 602);
  CHECK(verified->first_bad_record() == 0);
  CHECK(verified->reason().empty());
}

TEST_CASE_METHOD(Fixture, "an agent speaks for its own sessions and its own denials alone",
                 "[recordings]") {
  CHECK(Send(Agent("a2"), {Recording("ses_1").Next(RECORD_TYPE_OPEN)}).code() ==
        absl::StatusCode::kPermissionDenied);
  CHECK(Send(Agent("a1"), {Recording("agent:a2").Next(RECORD_TYPE_OPEN)}).code() ==
        absl::StatusCode::kPermissionDenied);
  CHECK(Send(Agent("a1"), {Recording("agent:a12:x").Next(RECORD_TYPE_OPEN)}).code() ==
        absl::StatusCode::kPermissionDenied);
  CHECK(Send(Agent("a1"), {Recording("ses_none").Next(RECORD_TYPE_OPEN)}).code() ==
        absl::StatusCode::kPermissionDenied);
  CHECK(Send(Agent("a1"), {Recording("").Next(RECORD_TYPE_OPEN)}).code() ==
        absl::StatusCode::kPermissionDenied);
  for (const Caller& caller : {kAuditor, kAdmin, kSocket})
    CHECK(ReasonOf(Send(caller, {Recording("ses_1").Next(RECORD_TYPE_OPEN)})) ==
          DENIAL_REASON_ROLE_MISSING);
  // One bad record takes its block with it.
  CHECK_FALSE(Send(Agent("a1"), {Recording("ses_1").Next(RECORD_TYPE_OPEN),
                                 Recording("ses_2").Next(RECORD_TYPE_OPEN)})
                  .ok());
  CHECK(Replayed("ses_1").empty());
  CHECK(Send(Agent("a1"), {Recording("agent:a1").Next(types::v1::RECORD_TYPE_DENIAL),
                           Recording("ses_1").Next(RECORD_TYPE_OPEN)})
            .ok());
  CHECK(Replayed("agent:a1").size() == 1);
  CHECK(Verify("agent:a1")->valid());
  CHECK(Verify("agent:a1")->is_open());
  CHECK(Send(Agent("a1"), {Recording("agent:a1:x7").Next(types::v1::RECORD_TYPE_DENIAL)}).ok());
  CHECK(Replayed("agent:a1:x7").size() == 1);
}

TEST_CASE_METHOD(Fixture, "nothing more is taken from an agent that is banned", "[recordings]") {
  Recording recording("ses_1");
  REQUIRE(Send(Agent("a1"), {recording.Next(RECORD_TYPE_OPEN)}).ok());
  PutAgent({.name = "a1", .servers = {"wiki"}, .banned_at = clock.Now()});
  CHECK(ReasonOf(Send(Agent("a1"), {recording.Next(RECORD_TYPE_REQUEST)})) ==
        types::v1::DENIAL_REASON_LOCKED);
  CHECK(Replayed("ses_1").size() == 1);
}

TEST_CASE_METHOD(Fixture,
                 "a record that is not whole or does not follow is refused before the commit",
                 "[recordings]") {
  const auto refused = [&](auto change) {
    Recording recording("ses_1");
    std::vector<Record> records = {recording.Next(RECORD_TYPE_OPEN),
                                   recording.Next(RECORD_TYPE_REQUEST)};
    change(records[1]);
    const absl::Status status = Send(Agent("a1"), records);
    CHECK(Replayed("ses_1").empty());
    return status.code();
  };
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  CHECK(refused([](Record& r) { r.set_payload("other"); }) == kInvalid);
  CHECK(refused([](Record& r) { r.set_salt(std::string(16, 'x')); }) == kInvalid);
  CHECK(refused([](Record& r) { r.set_salt("short"); }) == kInvalid);
  CHECK(refused([](Record& r) { r.set_payload_digest(""); }) == kInvalid);
  CHECK(refused([](Record& r) { r.set_hash(std::string(32, 'h')); }) == kInvalid);
  CHECK(refused([](Record& r) { r.set_hash(""); }) == kInvalid);
  CHECK(refused([](Record& r) { r.set_type(RECORD_TYPE_END); }) == kInvalid);
  CHECK(refused([](Record& r) { r.set_type(types::v1::RECORD_TYPE_UNSPECIFIED); }) == kInvalid);
  CHECK(refused([](Record& r) { r.set_type(static_cast<types::v1::RecordType>(99)); }) == kInvalid);
  CHECK(refused([](Record& r) { r.set_time_unix_nanos(1); }) == kInvalid);
  CHECK(refused([](Record& r) { r.set_n(3); }) == absl::StatusCode::kFailedPrecondition);
  CHECK(refused([](Record& r) { r.set_n(0); }) == kInvalid);
}

TEST_CASE_METHOD(Fixture, "a recording that never fits is named, beside others in the block, too",
                 "[recordings]") {
  Recording recording("ses_1");
  const Record open = recording.Next(RECORD_TYPE_OPEN);
  const Record call = recording.Next(RECORD_TYPE_REQUEST);
  const Record end = recording.Next(RECORD_TYPE_END);
  const auto refused = [&](const std::vector<Record>& records) {
    return RefusedRecordingIn(Send(Agent("a1"), records));
  };
  const Record own = Recording("agent:a1:x7").Next(types::v1::RECORD_TYPE_DENIAL);
  CHECK(refused({own, call}) == "ses_1");  // a gap
  CHECK(refused({own, Recording("ses_none").Next(RECORD_TYPE_OPEN)}) == "ses_none");
  CHECK(refused({own, Recording("ses_2").Next(RECORD_TYPE_OPEN)}) == "ses_2");
  Record changed = open;
  changed.set_payload("other");
  CHECK(refused({own, changed}) == "ses_1");
  changed = call;
  changed.set_time_unix_nanos(1);
  CHECK(refused({own, open, changed}) == "ses_1");
  REQUIRE(Send(Agent("a1"), {open, call, end}).ok());
  CHECK(refused({own, Recording("ses_1").Next(RECORD_TYPE_OPEN, "another")}) == "ses_1");
  CHECK(refused({own, recording.Next(RECORD_TYPE_REQUEST)}) == "ses_1");  // after its END
  CHECK(Replayed("ses_1").size() == 3);
  CHECK(Send(Agent("a1"), {own}).ok());
}

TEST_CASE_METHOD(Fixture, "stored records that cannot be read cost their own recording alone",
                 "[recordings]") {
  Recording recording("ses_1");
  const Record open = recording.Next(RECORD_TYPE_OPEN);
  REQUIRE(Send(Agent("a1"), {open}).ok());
  Tamper("update runs set records = ? where first_n = 1", "no run");
  CHECK(RefusedRecordingIn(Send(Agent("a1"), {open})) == "ses_1");
}

TEST_CASE_METHOD(Fixture, "what may be taken another time names no recording", "[recordings]") {
  Recording recording("ses_1");
  Record unknown = recording.Next(RECORD_TYPE_OPEN);
  unknown.set_type(static_cast<types::v1::RecordType>(99));
  agent::v1::StreamRecordsRequest garbage;
  garbage.add_runs("no run");
  for (const absl::Status& status :
       {Send(Agent("a1"), {unknown}), ingest.Run(Agent("a1"), garbage)}) {
    CHECK_FALSE(status.ok());
    CHECK(RefusedRecordingIn(status).empty());
  }
  PutAgent({.name = "a1", .servers = {"wiki"}, .banned_at = clock.Now()});
  const absl::Status banned = Send(Agent("a1"), {Recording("ses_none").Next(RECORD_TYPE_OPEN)});
  CHECK(ReasonOf(banned) == types::v1::DENIAL_REASON_LOCKED);
  CHECK(RefusedRecordingIn(banned).empty());
}

TEST_CASE_METHOD(Fixture, "a chain goes on over blocks, and a block again is harmless",
                 "[recordings]") {
  Recording recording("ses_1");
  const Record first = recording.Next(RECORD_TYPE_OPEN);
  const Record second = recording.Next(RECORD_TYPE_REQUEST);
  const Record third = recording.Next(RECORD_TYPE_REQUEST);
  REQUIRE(Send(Agent("a1"), {first}).ok());
  REQUIRE(Send(Agent("a1"), {first, second}).ok());
  REQUIRE(Send(Agent("a1"), {second, third}).ok());
  CHECK(Replayed("ses_1").size() == 3);
  CHECK(Verify("ses_1")->valid());
}

TEST_CASE_METHOD(Fixture, "a second history of a session is data loss and an alarm",
                 "[recordings]") {
  REQUIRE(Send(Agent("a1"), {Recording("ses_1").Next(RECORD_TYPE_OPEN, "what happened")}).ok());
  CHECK(Send(Agent("a1"), {Recording("ses_1").Next(RECORD_TYPE_OPEN, "what did not")}).code() ==
        absl::StatusCode::kDataLoss);
  const auto replayed = Replayed("ses_1");
  REQUIRE(replayed.size() == 1);
  CHECK(replayed[0].payload() == "what happened");
  const auto lines = Audit();
  REQUIRE_FALSE(lines.empty());
  CHECK(lines[0].action == "recording.conflict");
  CHECK(lines[0].actor == "agent:a1");
  CHECK(lines[0].object == "agent/a1");
}

TEST_CASE_METHOD(Fixture, "only auditors replay, and each replay is an audit line first",
                 "[recordings]") {
  REQUIRE(Send(Agent("a1"), {Recording("ses_1").Next(RECORD_TYPE_OPEN)}).ok());
  admin::v1::ReplaySessionRequest request;
  request.set_id("ses_1");
  int shown = 0;
  const auto count = [&](const admin::v1::ReplaySessionResponse&) {
    // The line is there before the record is.
    CHECK(Audit().back().action == "session.replay");
    ++shown;
    return true;
  };
  for (const Caller& caller : {kAdmin, kSocket, Agent("a1"),
                               Person(false, true, /*may_manage=*/false), Person(false, false)}) {
    CHECK(ReasonOf(replay.Run(caller, request, count)) == DENIAL_REASON_ROLE_MISSING);
    CHECK(Audit().back().denial_reason == DENIAL_REASON_ROLE_MISSING);
  }
  CHECK(shown == 0);
  CHECK(Audit().size() == 5);
  CHECK(replay.Run(kAuditor, request, count).ok());
  CHECK(shown == 1);
  REQUIRE(Audit().size() == 6);
  CHECK(Audit().back().actor == "user:okta:dora");
  CHECK(Audit().back().object == "ses_1");
  CHECK(Audit().back().denial_reason == types::v1::DENIAL_REASON_UNSPECIFIED);
  request.set_id("ses_none");
  CHECK(absl::IsNotFound(replay.Run(kAuditor, request, count)));
}

TEST_CASE_METHOD(Fixture, "a replay ends when its reader has gone", "[recordings]") {
  Recording recording("ses_1");
  REQUIRE(Send(Agent("a1"), {recording.Next(RECORD_TYPE_OPEN), recording.Next(RECORD_TYPE_REQUEST)})
              .ok());
  admin::v1::ReplaySessionRequest request;
  request.set_id("ses_1");
  int shown = 0;
  CHECK(replay
            .Run(kAuditor, request,
                 [&](const admin::v1::ReplaySessionResponse&) { return ++shown < 1; })
            .ok());
  CHECK(shown == 1);
}

TEST_CASE_METHOD(Fixture, "verify is for admins, auditors and the admin socket", "[recordings]") {
  for (const Caller& caller : {kAdmin, kAuditor, kSocket}) CHECK(Verify("ses_1", caller).ok());
  for (const Caller& caller :
       {Agent("a1"), Person(false, false), Person(true, true, /*may_manage=*/false)}) {
    CHECK(ReasonOf(Verify("ses_1", caller).status()) == DENIAL_REASON_ROLE_MISSING);
  }
  CHECK(absl::IsNotFound(Verify("ses_none").status()));
  CHECK(absl::IsNotFound(Verify("agent:nobody").status()));
}

std::string End(types::v1::EndReason reason, uint64_t calls) {
  types::v1::RecordContent content;
  content.set_end_reason(EnumWord(reason));
  content.set_detail("so it went");
  content.set_calls(calls);
  return content.SerializeAsString();
}
std::string Call(const std::string& method, bool is_counted = true) {
  types::v1::RecordContent content;
  content.set_method(method);
  content.set_is_counted(is_counted);
  return content.SerializeAsString();
}

TEST_CASE_METHOD(Fixture, "a session's END record ends it, with its reason and its count of calls",
                 "[recordings]") {
  Recording recording("ses_1");
  REQUIRE(Send(Agent("a1"), {recording.Next(RECORD_TYPE_OPEN)}).ok());
  CHECK(SessionOf("ses_1").IsActiveAt(clock.Now()));
  const Record end = recording.Next(RECORD_TYPE_END, End(types::v1::END_REASON_EXPIRED, 3));
  REQUIRE(Send(Agent("a1"), {end}).ok());
  const Session ended = SessionOf("ses_1");
  CHECK(ended.state() == types::v1::SESSION_STATE_ENDED);
  CHECK(ended.proto().end_reason() == types::v1::END_REASON_EXPIRED);
  CHECK(ended.proto().detail() == "so it went");
  CHECK(ended.proto().calls() == 3);
  CHECK(ended.is_reported());
  CHECK(Audit().back().action == "session.end");
  // Sent again because its acknowledgement was lost.
  const std::size_t lines = Audit().size();
  REQUIRE(Send(Agent("a1"), {end}).ok());
  CHECK(Audit().size() == lines);
  CHECK(SessionOf("ses_1").stored().revision == ended.stored().revision);
}

TEST_CASE_METHOD(Fixture,
                 "an END that was stored, but whose session was not ended, ends it when it comes "
                 "again",
                 "[recordings]") {
  // The control plane was killed between its two databases.
  Recording recording("ses_1");
  const std::vector<Record> sent = {
      recording.Next(RECORD_TYPE_OPEN),
      recording.Next(RECORD_TYPE_END, End(types::v1::END_REASON_COMPLETED, 1))};
  const auto any = [](const records::Head&, const RecordView&) { return absl::OkStatus(); };
  const std::string packed = Packed(RunsOf(sent)[0]);
  const records::ReceivedRun batch[] = {{packed, Unpacked(packed)}};
  REQUIRE(appender.Append("a1", batch, clock.Now(), any).ok());
  REQUIRE(SessionOf("ses_1").IsActiveAt(clock.Now()));
  REQUIRE(Send(Agent("a1"), sent).ok());
  CHECK(SessionOf("ses_1").proto().end_reason() == types::v1::END_REASON_COMPLETED);
}

TEST_CASE_METHOD(Fixture, "a session that was ended from here keeps its end and takes the count",
                 "[recordings]") {
  EndSession("ses_1");
  Recording recording("ses_1");
  REQUIRE(Send(Agent("a1"),
               {recording.Next(RECORD_TYPE_END, End(types::v1::END_REASON_DISCONNECTED, 5))})
              .ok());
  CHECK(SessionOf("ses_1").proto().end_reason() == types::v1::END_REASON_COMPLETED);
  CHECK(SessionOf("ses_1").proto().calls() == 5);
  CHECK(Audit().back().action == "session.report");
}

TEST_CASE_METHOD(Fixture, "calls are counted as their records come in, and never below them",
                 "[recordings]") {
  ReadSessions read(*control, *recordings, clock);
  const auto shown = [&] {
    admin::v1::GetSessionRequest request;
    request.set_id("ses_1");
    return read.Run(kAdmin, request)->session().calls();
  };
  Recording recording("ses_1");
  CHECK(shown() == 0);
  REQUIRE(Send(Agent("a1"), {recording.Next(RECORD_TYPE_OPEN),
                             recording.Next(RECORD_TYPE_REQUEST, Call("tools/call")),
                             recording.Next(RECORD_TYPE_REQUEST, Call("tools/list", false)),
                             recording.Next(RECORD_TYPE_RESULT, Call("tools/call")),
                             recording.Next(RECORD_TYPE_REQUEST, Call("tools/call", false)),
                             recording.Next(RECORD_TYPE_REQUEST, Call("resources/read")),
                             recording.Next(RECORD_TYPE_REQUEST, Call("prompts/get"))})
              .ok());
  CHECK(shown() == 3);
  CHECK(read.Run(kAdmin, admin::v1::ListSessionsRequest())->items(1).calls() +
            read.Run(kAdmin, admin::v1::ListSessionsRequest())->items(0).calls() ==
        3);
  // An agent that closes what a former run has left open does not know the count.
  REQUIRE(Send(Agent("a1"),
               {recording.Next(RECORD_TYPE_END, End(types::v1::END_REASON_DISCONNECTED, 0))})
              .ok());
  CHECK(shown() == 3);
  CHECK(SessionOf("ses_1").proto().calls() == 3);
}

TEST_CASE_METHOD(Fixture, "an ended session needs its END record, a live one does not",
                 "[recordings]") {
  CHECK(Verify("ses_1")->valid());
  Recording recording("ses_1");
  REQUIRE(Send(Agent("a1"), {recording.Next(RECORD_TYPE_OPEN), recording.Next(RECORD_TYPE_REQUEST)})
              .ok());
  const auto live = Verify("ses_1");
  CHECK(live->valid());
  CHECK(live->is_open());
  CHECK(live->records() == 2);
  CHECK(live->reason().find("the session is active") == 0);
  EndSession("ses_1");
  clock.Advance(absl::Minutes(1));
  const auto open = Verify("ses_1");
  CHECK_FALSE(open->valid());
  CHECK(open->first_bad_record() == 3);
  CHECK(open->reason() == "the END record is missing");
  CHECK_FALSE(open->is_open());
  REQUIRE(Send(Agent("a1"), {recording.Next(RECORD_TYPE_END)}).ok());
  CHECK(Verify("ses_1")->valid());
  CHECK_FALSE(Verify("ses_1")->is_open());
  CHECK(Verify("ses_1")->reason().empty());
  CHECK(Send(Agent("a1"), {recording.Next(RECORD_TYPE_REQUEST)}).code() ==
        absl::StatusCode::kFailedPrecondition);
  // Active once, and nothing ever came.
  EndSession("ses_2");
  clock.Advance(absl::Minutes(1));
  CHECK(Verify("ses_2")->first_bad_record() == 1);
}

TEST_CASE_METHOD(Fixture, "an ended session is open while its END record may be on its way",
                 "[recordings]") {
  const auto is_open = [this](const std::string& id) {
    const auto verdict = Verify(id);
    INFO(verdict->reason());
    CHECK(verdict->valid() == verdict->is_open());
    return verdict->is_open();
  };
  Recording recording("ses_1");
  REQUIRE(Send(Agent("a1"), {recording.Next(RECORD_TYPE_OPEN)}).ok());
  EndSession("ses_1");
  CHECK(is_open("ses_1"));
  CHECK(Verify("ses_1")->reason().find(
            "the session has ended, and its agent a1 has not closed the recording yet: ") == 0);
  CHECK(Verify("ses_1")->records() == 1);
  clock.Advance(absl::Seconds(59));
  CHECK(is_open("ses_1"));
  clock.Advance(absl::Seconds(1));
  CHECK_FALSE(is_open("ses_1"));
  // What an agent that is away has, nobody can know.
  is_connected = false;
  CHECK(is_open("ses_1"));
  REQUIRE(Send(Agent("a1"), {recording.Next(RECORD_TYPE_END)}).ok());
  CHECK_FALSE(Verify("ses_1")->is_open());
  CHECK(Verify("ses_1")->valid());
  // It was closed, so that there was an END record.
  Tamper("delete from runs where last_n = 2");
  CHECK(Verify("ses_1")->reason() == "the END record is missing");
  // No END record will come.
  EndSession("ses_2");
  CHECK(is_open("ses_2"));
  const auto t = control->Write();
  REQUIRE(audit_log::Append(
              **t, audit_log::LineOf(Agent("a2"), clock.Now(), "recording.damaged", "ses_2"))
              .ok());
  REQUIRE((*t)->Commit().ok());
  CHECK(Verify("ses_2")->reason() == "the END record is missing");
  // No agent has ever had it.
  AddSession("ses_3", "");
  EndSession("ses_3");
  CHECK(Verify("ses_3")->valid());
  CHECK_FALSE(Verify("ses_3")->is_open());
}

TEST_CASE("verify finds what was done to the database behind our back", "[recordings]") {
  using All = std::vector<Record>&;
  const std::vector<std::pair<std::function<void(Fixture&)>, uint64_t>> deeds = {
      {[](Fixture& f) { f.Tamper([](All r) { r[2].set_payload("other"); }); }, 3},
      {[](Fixture& f) { f.Tamper([](All r) { r[1].set_time_unix_nanos(1); }); }, 2},
      {[](Fixture& f) {
         f.Tamper([](All r) { r[3].set_type(types::v1::RECORD_TYPE_NOTIFICATION); });
       },
       4},
      {[](Fixture& f) { f.Tamper([](All r) { r[3].set_hash("x"); }); }, 4},
      {[](Fixture& f) { f.Tamper([](All r) { r.erase(r.begin() + 1); }); }, 2},
      {[](Fixture& f) { f.Tamper([](All r) { r.erase(r.begin()); }); }, 1},
      {[](Fixture& f) { f.Tamper([](All r) { std::swap(r[0], r[1]); }); }, 1},
      {[](Fixture& f) { f.Tamper([](All r) { r[1].set_session_id("ses_2"); }); }, 2},
      {[](Fixture& f) { f.Tamper("update runs set records = x'00' where first_n = 1"); }, 1},
      {[](Fixture& f) { f.Tamper("update runs set records = x'00' where first_n = 5"); }, 5},
      {[](Fixture& f) { f.Tamper("update runs set first_n = 7, last_n = 9 where first_n = 1"); },
       1},
      {[](Fixture& f) { f.Tamper("delete from runs where first_n = 5"); }, 5},
      {[](Fixture& f) { f.Tamper("delete from runs where first_n = 1"); }, 1},
      {[](Fixture& f) { f.Tamper("delete from runs"); }, 1},
      {[](Fixture& f) {
         f.Tamper(
             "insert into runs select session_id, 7, 10, last_type, last_hash, calls, received_at, "
             "records from runs where first_n = 1");
       },
       1},
  };
  for (std::size_t i = 0; i < deeds.size(); ++i) {
    INFO(i);
    const auto& [deed, n] = deeds[i];
    Fixture fixture;
    Recording recording("ses_1");
    std::vector<Record> records = {recording.Next(RECORD_TYPE_OPEN)};
    for (int calls = 0; calls < 3; ++calls) records.push_back(recording.Next(RECORD_TYPE_REQUEST));
    REQUIRE(fixture.Send(Agent("a1"), records).ok());
    REQUIRE(fixture
                .Send(Agent("a1"),
                      {recording.Next(RECORD_TYPE_REQUEST), recording.Next(RECORD_TYPE_END)})
                .ok());
    REQUIRE(fixture.Verify("ses_1")->valid());
    deed(fixture);
    const auto verified = fixture.Verify("ses_1");
    REQUIRE(verified.ok());
    CHECK_FALSE(verified->valid());
    CHECK(verified->first_bad_record() == n);
    CHECK_FALSE(verified->reason().empty());
  }
}

TEST_CASE_METHOD(Fixture, "what is no run is refused, however it is packed", "[recordings]") {
  const auto sent = [&](const std::string& run) {
    agent::v1::StreamRecordsRequest block;
    block.set_block(1);
    block.add_runs(run);
    return ingest.Run(Agent("a1"), block).code();
  };
  CHECK(sent("") == absl::StatusCode::kInvalidArgument);
  CHECK(sent("no frame") == absl::StatusCode::kInvalidArgument);
  CHECK(sent(RunPacker().Pack("no protobuf")) == absl::StatusCode::kInvalidArgument);
  // A kilobyte that would unpack to more than any run may be.
  const std::string bomb = RunPacker().Pack(std::string(kMaxRunBytes + 1, '\0'));
  CHECK(bomb.size() < 1 << 16);
  CHECK(sent(bomb) == absl::StatusCode::kInvalidArgument);
  // Each by itself would do.
  agent::v1::StreamRecordsRequest twice;
  twice.set_block(1);
  Recording large("ses_1");
  for (int i = 0; i < 2; ++i) {
    types::v1::RecordRun half;
    *half.add_records() = large.Next(RECORD_TYPE_REQUEST, std::string(kMaxRunBytes / 2, '\0'));
    twice.add_runs(Packed(half));
  }
  CHECK(twice.ByteSizeLong() < 1 << 20);
  CHECK(ingest.Run(Agent("a1"), twice).code() == absl::StatusCode::kInvalidArgument);
  CHECK(Replayed("ses_1").empty());

  Recording recording("ses_1");
  types::v1::RecordRun run;
  *run.add_records() = recording.Next(RECORD_TYPE_OPEN);
  std::string cut = Packed(run);
  cut.pop_back();
  CHECK(sent(cut) == absl::StatusCode::kInvalidArgument);
  CHECK(sent(Packed(run)) == absl::StatusCode::kOk);
}

// Notes how the scheduler treats who asks for the time, and lets time pass with every look.
class WatchingClock final : public Clock {
 public:
  explicit WatchingClock(FakeClock& clock) : clock_(clock) {}
  absl::Time Now() const override {
    policies.push_back(sched_getscheduler(0));
    clock_.Advance(step);
    return clock_.Now();
  }
  absl::Duration SinceBoot() const override { return clock_.SinceBoot(); }

  absl::Duration step = absl::ZeroDuration();
  mutable std::vector<int> policies;

 private:
  FakeClock& clock_;
};

TEST_CASE("records are taken while nobody else wants the processor, and ends are not",
          "[recordings]") {
  Fixture fixture;
  WatchingClock clock(fixture.clock);
  IngestRecords ingest(*fixture.control, *fixture.recordings, fixture.appender, clock);
  Recording recording("ses_1");
  uint64_t blocks = 0;
  const auto send = [&](types::v1::RecordType type, uint64_t backlog = 1 << 20) {
    clock.policies.clear();
    agent::v1::StreamRecordsRequest block;
    block.set_block(++blocks);
    block.set_backlog_bytes(backlog);
    block.add_runs(Packed(RunsOf({recording.Next(type)})[0]));
    REQUIRE(ingest.Run(Agent("a1"), block).ok());
    TakeOrdinaryTurns();
    return clock.policies;
  };
  const int last = MayLeaveIdleTurns() ? SCHED_IDLE : SCHED_OTHER;
  CHECK(send(RECORD_TYPE_OPEN) == std::vector{last});
  // One that has waited for too long is taken, and those after it do not wait.
  clock.step = absl::Milliseconds(1001);
  CHECK(send(RECORD_TYPE_REQUEST) == std::vector{last});
  clock.step = absl::ZeroDuration();
  CHECK(send(RECORD_TYPE_RESULT) == std::vector{int{SCHED_OTHER}});
  fixture.clock.Advance(absl::Seconds(1));
  // Nor do those of an agent that is far behind.
  CHECK(send(RECORD_TYPE_RESULT, 9 << 20) == std::vector{int{SCHED_OTHER}});
  CHECK(send(RECORD_TYPE_RESULT, 7 << 20) == std::vector{last});
  // Who ends a session holds what decisions are written with.
  CHECK(send(RECORD_TYPE_END) == std::vector{last, int{SCHED_OTHER}});
  CHECK(fixture.SessionOf("ses_1").state() == types::v1::SESSION_STATE_ENDED);
}

}  // namespace
}  // namespace sallyport::controlplane
