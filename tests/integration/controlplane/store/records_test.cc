#include "controlplane/store/records.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "common/operator_detail.h"
#include "tests/fakes/runs.h"
#include "tests/fakes/temp_dir.h"

namespace sallyport::controlplane {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

absl::Status AcceptAll(const records::Head&, const RecordView&) { return absl::OkStatus(); }

types::v1::Record ARecord(const std::string& session, uint64_t n,
                          types::v1::RecordType type = types::v1::RECORD_TYPE_REQUEST) {
  types::v1::Record record;
  record.set_session_id(session);
  record.set_n(n);
  record.set_type(type);
  record.set_time_unix_nanos(1'800'000'000'123'456'789);
  record.set_salt("salt");
  record.set_payload("payload " + std::to_string(n));
  record.set_payload_digest("digest");
  record.set_hash("hash " + session + std::to_string(n));
  return record;
}

struct Fixture {
  TempDir dir;
  std::unique_ptr<Database> database =
      *Database::Open(dir / "recordings.db", migrations::Recordings());
  records::Appender appender{*database};

  absl::Status Append(const std::string& agent, const std::vector<types::v1::Record>& batch,
                      const records::Check& check = AcceptAll) {
    return AppendRuns(agent, RunsOf(batch), check);
  }
  absl::Status AppendRuns(const std::string& agent, const std::vector<types::v1::RecordRun>& runs,
                          const records::Check& check = AcceptAll) {
    std::vector<std::string> packed;
    for (const types::v1::RecordRun& run : runs) packed.push_back(Packed(run));
    std::vector<records::ReceivedRun> received;
    for (const std::string& run : packed) received.push_back({run, Unpacked(run)});
    return appender.Append(agent, received, kNow, check);
  }
  std::vector<types::v1::Record> All(const std::string& session) {
    auto t = database->Read();
    std::vector<types::v1::Record> all;
    uint64_t after = 0;
    while (auto stored = *records::NextRun(**t, session, after)) {
      after = stored->first_n;
      for (types::v1::Record& record : RecordsOf(stored->run)) all.push_back(std::move(record));
    }
    return all;
  }
};

TEST_CASE_METHOD(Fixture, "records come back as they were given", "[controlplane][store]") {
  REQUIRE(Append("a1", {ARecord("ses_1", 1), ARecord("ses_1", 2)}).ok());
  const auto found = All("ses_1");
  REQUIRE(found.size() == 2);
  CHECK(found[1].SerializeAsString() == ARecord("ses_1", 2).SerializeAsString());
  auto t = database->Read();
  CHECK(records::FindHead(**t, "ses_1")->n == 2);
  CHECK(records::FindHead(**t, "ses_2")->n == 0);
  CHECK(**records::AgentOf(**t, "ses_1") == "a1");
}

TEST_CASE_METHOD(Fixture, "sending a record again is harmless", "[controlplane][store]") {
  REQUIRE(Append("a1", {ARecord("ses_1", 1), ARecord("ses_1", 2)}).ok());
  CHECK(Append("a1", {ARecord("ses_1", 1), ARecord("ses_1", 2), ARecord("ses_1", 3)}).ok());
  CHECK(Append("a1", {ARecord("ses_1", 2), ARecord("ses_1", 3)}).ok());
  // Twice in one batch: a recovery of the agent's that was interrupted.
  CHECK(Append("a1", {ARecord("ses_1", 4), ARecord("ses_1", 5), ARecord("ses_1", 4),
                      ARecord("ses_1", 5), ARecord("ses_1", 6)})
            .ok());
  const auto found = All("ses_1");
  REQUIRE(found.size() == 6);
  for (uint64_t n = 1; n <= 6; ++n) CHECK(found[n - 1].n() == n);
}

TEST_CASE_METHOD(
    Fixture,
    "another record under a number that is taken is data loss, and nothing of its batch stays",
    "[controlplane][store]") {
  REQUIRE(Append("a1", {ARecord("ses_1", 1)}).ok());
  types::v1::Record forged = ARecord("ses_1", 1);
  forged.set_hash("forged");
  CHECK(Append("a1", {ARecord("ses_1", 2), forged}).code() == absl::StatusCode::kDataLoss);
  CHECK(All("ses_1").size() == 1);
}

TEST_CASE_METHOD(Fixture, "a recording has no gap, no zeroth record and nothing after its end",
                 "[controlplane][store]") {
  CHECK(Append("a1", {ARecord("ses_1", 0)}).code() == absl::StatusCode::kInvalidArgument);
  CHECK(Append("a1", {ARecord("ses_1", 1), ARecord("ses_1", 3)}).code() ==
        absl::StatusCode::kFailedPrecondition);
  CHECK(Append("a1", {ARecord("ses_1", 2)}).code() == absl::StatusCode::kFailedPrecondition);
  REQUIRE(
      Append("a1", {ARecord("ses_1", 1), ARecord("ses_1", 2, types::v1::RECORD_TYPE_END)}).ok());
  CHECK(Append("a1", {ARecord("ses_1", 3)}).code() == absl::StatusCode::kFailedPrecondition);
  CHECK(All("ses_1").size() == 2);
}

TEST_CASE_METHOD(Fixture, "an agent cannot add to another's recording", "[controlplane][store]") {
  REQUIRE(Append("a1", {ARecord("ses_1", 1)}).ok());
  CHECK(Append("a2", {ARecord("ses_1", 2)}).code() == absl::StatusCode::kPermissionDenied);
  CHECK(All("ses_1").size() == 1);
}

TEST_CASE_METHOD(
    Fixture,
    "each new record is judged against the one before it, and a bad one takes its batch with it",
    "[controlplane][store]") {
  std::vector<uint64_t> heads;
  const auto check = [&](const records::Head& head, const RecordView& record) {
    heads.push_back(head.n);
    return record.n == 3 ? absl::DataLossError("bad") : absl::OkStatus();
  };
  REQUIRE(Append("a1", {ARecord("ses_1", 1)}, check).ok());
  CHECK(
      Append("a1", {ARecord("ses_1", 1), ARecord("ses_1", 2), ARecord("ses_1", 3)}, check).code() ==
      absl::StatusCode::kDataLoss);
  CHECK(heads == std::vector<uint64_t>{0, 1, 2});
  CHECK(All("ses_1").size() == 1);
}

TEST_CASE_METHOD(Fixture,
                 "batches of many threads commit, and a refused one takes no other with it",
                 "[controlplane][store]") {
  std::vector<std::thread> threads;
  std::atomic<int> failed = 0;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      const std::string session = "ses_" + std::to_string(i);
      for (uint64_t n = 1; n <= 50; ++n) {
        if (!Append("a1", {ARecord(session, 2 * n - 1), ARecord(session, 2 * n)}).ok()) ++failed;
        if (Append("a1", {ARecord(session, 1000)}).ok()) ++failed;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(failed == 0);
  for (int i = 0; i < 8; ++i) CHECK(All("ses_" + std::to_string(i)).size() == 100);
}

TEST_CASE_METHOD(Fixture, "a run holds consecutive records of one chain and nothing else",
                 "[controlplane][store]") {
  types::v1::RecordRun gap;
  *gap.add_records() = ARecord("ses_1", 1);
  *gap.add_records() = ARecord("ses_1", 3);
  CHECK(AppendRuns("a1", {gap}).code() == absl::StatusCode::kInvalidArgument);
  types::v1::RecordRun mixed;
  *mixed.add_records() = ARecord("ses_1", 1);
  *mixed.add_records() = ARecord("ses_2", 2);
  CHECK(AppendRuns("a1", {mixed}).code() == absl::StatusCode::kInvalidArgument);
  CHECK(All("ses_1").empty());
  CHECK(AppendRuns("a1", {types::v1::RecordRun()}).ok());
}

TEST_CASE_METHOD(Fixture, "a run is stored as it came, and what is new of it where some was there",
                 "[controlplane][store]") {
  const auto stored = [&](int64_t first_n) {
    auto t = database->Read();
    Statement find = (*t)->Prepare("select records from runs where first_n = ?");
    find.Int(first_n);
    return *find.Step() ? std::string(find.blob(0)) : std::string();
  };
  const auto first = RunsOf({ARecord("ses_1", 1), ARecord("ses_1", 2)});
  REQUIRE(AppendRuns("a1", first).ok());
  CHECK(stored(1) == Packed(first[0]));
  REQUIRE(Append("a1", {ARecord("ses_1", 2), ARecord("ses_1", 3)}).ok());
  CHECK(stored(2).empty());
  CHECK(stored(3) == Packed(RunsOf({ARecord("ses_1", 3)})[0]));
}

TEST_CASE_METHOD(Fixture,
                 "the head says how a chain ends, and requests that say they count are summed",
                 "[controlplane][store]") {
  types::v1::RecordContent call;
  call.set_detail("before the method");
  call.set_method("tools/call");
  call.set_body(std::string(300, 'x'));
  types::v1::Record later_round = ARecord("ses_1", 1);
  later_round.set_payload(call.SerializeAsString());
  call.set_is_counted(true);
  types::v1::Record counted = ARecord("ses_1", 2);
  counted.set_payload(call.SerializeAsString());
  types::v1::Record answered = ARecord("ses_1", 3, types::v1::RECORD_TYPE_RESULT);
  answered.set_payload(call.SerializeAsString());
  REQUIRE(Append("a1", {later_round, counted, answered}).ok());
  counted.set_n(4);
  REQUIRE(Append("a1", {counted}).ok());
  auto t = database->Read();
  CHECK(records::CountedCalls(**t, "ses_1").value() == 2);
  CHECK(records::CountedCalls(**t, "ses_2").value() == 0);
  CHECK(records::FindHead(**t, "ses_1")->n == 4);
  CHECK(records::FindHead(**t, "ses_1")->hash == counted.hash());
  CHECK(records::FindHead(**t, "ses_1")->type == types::v1::RECORD_TYPE_REQUEST);
}

TEST_CASE_METHOD(Fixture, "a counted request whose outcome takes that back is not summed",
                 "[controlplane][store]") {
  types::v1::RecordContent content;
  content.set_is_counted(true);
  types::v1::Record first = ARecord("ses_1", 1);
  types::v1::Record second = ARecord("ses_1", 2);
  first.set_payload(content.SerializeAsString());
  second.set_payload(content.SerializeAsString());
  REQUIRE(Append("a1", {first, second}).ok());
  content.clear_is_counted();
  content.set_is_taken_back(true);
  types::v1::Record unsent = ARecord("ses_1", 3, types::v1::RECORD_TYPE_OUTCOME);
  unsent.set_payload(content.SerializeAsString());
  REQUIRE(Append("a1", {unsent}).ok());
  REQUIRE(Append("a1", {unsent}).ok());
  auto t = database->Read();
  CHECK(records::CountedCalls(**t, "ses_1").value() == 1);
}

TEST_CASE_METHOD(Fixture, "records and chains can be neither changed, replaced nor deleted",
                 "[controlplane][store]") {
  REQUIRE(Append("a1", {ARecord("ses_1", 1)}).ok());
  for (const char* sql :
       {"update runs set records = x'00'", "delete from runs", "update chains set agent = 'a2'",
        "delete from chains",
        "insert or replace into chains (session_id, agent, began_at) values ('ses_1', 'a2', 1)",
        "insert or replace into runs (session_id, first_n, last_n, last_type, last_hash, calls, "
        "received_at, records)"
        " values ('ses_1', 1, 1, 1, x'', 0, 1, x'')"}) {
    auto t = database->Write();
    const absl::Status status = (*t)->Prepare(sql).Run();
    INFO(sql);
    CHECK(status.code() == absl::StatusCode::kFailedPrecondition);
    CHECK_THAT(OperatorDetailOf(status), Catch::Contains("append-only"));
  }
}

}  // namespace
}  // namespace sallyport::controlplane
