#include "common/record_run.h"

#include <catch2/catch.hpp>
#include <string>
#include <string_view>

#include "sallyport/types/v1/record_run.pb.h"

namespace sallyport {
namespace {

types::v1::Record ARecord(std::uint64_t n) {
  types::v1::Record record;
  record.set_session_id("ses_\xc3\xa9");
  record.set_n(n);
  record.set_type(types::v1::RECORD_TYPE_RESULT);
  record.set_time_unix_nanos(-1);
  record.set_salt(std::string(16, '\0'));
  record.set_payload(std::string(200, 'p'));
  record.set_payload_digest(std::string(32, 'd'));
  record.set_hash(std::string(32, '\xff'));
  return record;
}

absl::StatusOr<UnpackedRun> Unpack(std::string_view run) {
  std::size_t room = kMaxRunBytes;
  return UnpackedRun::Of(RunPacker().Pack(run), room);
}

bool IsSame(const RecordView& view, const types::v1::Record& record) {
  return view.session_id == record.session_id() && view.n == record.n() &&
         view.type == record.type() && view.time_unix_nanos == record.time_unix_nanos() &&
         view.salt == record.salt() && view.payload == record.payload() &&
         view.payload_digest == record.payload_digest() && view.hash == record.hash();
}

// That the run is read as protobuf reads it, or refused with it.
void CheckAgrees(const std::string& bytes) {
  types::v1::RecordRun run;
  const bool is_run = run.ParseFromString(bytes);
  const auto unpacked = Unpack(bytes);
  REQUIRE(unpacked.ok() == is_run);
  if (!is_run) return;
  const auto records = unpacked->records();
  REQUIRE(records.size() == static_cast<std::size_t>(run.records_size()));
  for (std::size_t i = 0; i < records.size(); ++i) {
    CHECK(IsSame(records[i], run.records(static_cast<int>(i))));
    types::v1::Record again;
    REQUIRE(again.ParseFromString(std::string(records[i].bytes)));
    CHECK(again.SerializeAsString() == run.records(static_cast<int>(i)).SerializeAsString());
  }
}

std::string RunOf(std::string_view record) {
  std::string run;
  AppendRecord(run, record);
  return run;
}

TEST_CASE("a run's records are read where they lie, as protobuf reads them", "[common]") {
  std::string run;
  CheckAgrees(run);
  for (std::uint64_t n : {1, 2, 3}) AppendRecord(run, ARecord(n).SerializeAsString());
  CheckAgrees(run);
  CHECK(Unpack(run)->records().size() == 3);
  CheckAgrees(RunOf(""));

  // Fields of a later version, in the run and in the record, and one that is there twice.
  CheckAgrees(run + "\x7a\x03new" + RunOf(ARecord(4).SerializeAsString() + "\xf8\x01\x07"));
  CheckAgrees(RunOf(ARecord(1).SerializeAsString() + ARecord(2).SerializeAsString()));
  // A known number with another type of field is an unknown field.
  CheckAgrees(RunOf("\x08\x05\x12\x01n"));
  // The longest numbers, and longer ones than a field takes.
  CheckAgrees(RunOf("\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
  CheckAgrees(RunOf("\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
}

TEST_CASE("what protobuf does not read as a run is no run", "[common]") {
  const std::string record = ARecord(1).SerializeAsString();
  const std::string run = RunOf(record);
  for (std::size_t size = 0; size < run.size(); ++size) CheckAgrees(run.substr(0, size));
  for (std::size_t size = 0; size < record.size(); ++size) {
    CheckAgrees(RunOf(record.substr(0, size)));
  }
  std::string bytes = record;
  bytes[bytes.find('\xa9')] = '\x20';
  CheckAgrees(RunOf(bytes));
  CHECK_FALSE(Unpack(RunOf(bytes)).ok());

  using namespace std::string_literals;
  for (const std::string& wrong :
       {"\0"s, "\x0c"s, "\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s,
        "\x32\xff\xff\xff\xff\x0f"s, "\x32\xff\xff\xff\xff\xff\x0f"s, "\x0b\x08\x01"s}) {
    CheckAgrees(wrong);
    CheckAgrees(RunOf(wrong));
    CHECK_FALSE(Unpack(RunOf(wrong)).ok());
  }
}

TEST_CASE("runs unpack to no more than there is room for", "[common]") {
  const std::string run = RunOf(ARecord(1).SerializeAsString());
  const std::string packed = RunPacker().Pack(run);
  std::size_t room = run.size() + 1;
  CHECK(UnpackedRun::Of(packed, room).ok());
  CHECK(room == 1);
  CHECK(UnpackedRun::Of(packed, room).status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(room == 1);
  CHECK_FALSE(UnpackedRun::Of("no frame", room).ok());
}

}  // namespace
}  // namespace sallyport
