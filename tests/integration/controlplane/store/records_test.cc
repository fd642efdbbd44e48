#include "controlplane/store/records.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "tests/fakes/temp_dir.h"

namespace sallyport::controlplane {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

absl::Status AcceptAll(const records::Head&, const types::v1::Record&) { return absl::OkStatus(); }

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
    std::vector<const types::v1::Record*> pointers;
    for (const types::v1::Record& record : batch) pointers.push_back(&record);
    return appender.Append(agent, pointers, kNow, check);
  }
  std::vector<types::v1::Record> All(const std::string& session) {
    auto t = database->Read();
    return *records::List(**t, session, 0, 10000, SIZE_MAX);
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
  CHECK(All("ses_1").size() == 3);
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
  const auto check = [&](const records::Head& head, const types::v1::Record& record) {
    heads.push_back(head.n);
    return record.n() == 3 ? absl::DataLossError("bad") : absl::OkStatus();
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

TEST_CASE_METHOD(Fixture, "records are listed in pages of a bounded size, each with at least one",
                 "[controlplane][store]") {
  std::vector<types::v1::Record> batch;
  for (uint64_t n = 1; n <= 5; ++n) {
    batch.push_back(ARecord("ses_1", n));
    batch.back().set_payload(std::string(1000, 'x'));
  }
  REQUIRE(Append("a1", batch).ok());
  auto t = database->Read();
  CHECK(records::List(**t, "ses_1", 0, 2, SIZE_MAX)->size() == 2);
  CHECK(records::List(**t, "ses_1", 0, 10, 2500)->size() == 2);
  const auto page = records::List(**t, "ses_1", 3, 10, 10);
  REQUIRE(page->size() == 1);
  CHECK(page->front().n() == 4);
}

TEST_CASE_METHOD(Fixture, "records and chains can be neither changed, replaced nor deleted",
                 "[controlplane][store]") {
  REQUIRE(Append("a1", {ARecord("ses_1", 1)}).ok());
  for (const char* sql :
       {"update records set payload = x'00'", "delete from records",
        "update chains set agent = 'a2'", "delete from chains",
        "insert or replace into chains (session_id, agent, began_at) values ('ses_1', 'a2', 1)",
        "insert or replace into records (session_id, n, type, time_unix_nanos, salt, payload, "
        "payload_digest, hash, received_at)"
        " values ('ses_1', 1, 1, 1, x'', x'', x'', x'', 1)"}) {
    auto t = database->Write();
    const absl::Status status = (*t)->Prepare(sql).Run();
    INFO(sql);
    CHECK(status.code() == absl::StatusCode::kFailedPrecondition);
    CHECK_THAT(std::string(status.message()), Catch::Contains("append-only"));
  }
}

}  // namespace
}  // namespace sallyport::controlplane
