#include "agent/record/record_writer.h"

#include <catch2/catch.hpp>
#include <string>

#include "agent/record/spool_entry.h"

namespace sallyport::agent {
namespace {

TEST_CASE("what is written by hand reads back through the generated parser", "[agent][record]") {
  std::vector<Finding> findings = {{"email", "/params/a", 3}, {"card", "", 0}};
  RecordFacts facts{.policy_epoch = 7,
                    .policy_version = 300,
                    .policy = "deploy-bots",
                    .approval_id = "apr_x",
                    .mcp_session = "0a1b2c3d",
                    .token_id = "jti client",
                    .client_address = "192.0.2.1"};
  std::string out = "left over";
  WriteContent(out, facts,
               {.method = "tools/call",
                .target = "deploy",
                .rpc_id = "\"7\"",
                .body = std::string_view("{\"a\":\0}", 7),
                .original_bytes = 1 << 20,
                .findings = findings,
                .denial_reason = types::v1::DENIAL_REASON_MESSAGE_TOO_LARGE,
                .outcome = "error",
                .request_n = 129,
                .detail = "why",
                .is_counted = true});
  types::v1::RecordContent read;
  REQUIRE(read.ParseFromString(out));
  CHECK(read.SerializeAsString().size() == out.size());
  CHECK(read.method() == "tools/call");
  CHECK(read.target() == "deploy");
  CHECK(read.rpc_id() == "\"7\"");
  CHECK(read.body() == std::string("{\"a\":\0}", 7));
  CHECK(read.original_bytes() == 1 << 20);
  REQUIRE(read.findings_size() == 2);
  CHECK(read.findings(0).detector() == "email");
  CHECK(read.findings(0).pointer() == "/params/a");
  CHECK(read.findings(0).count() == 3);
  CHECK(read.findings(1).detector() == "card");
  CHECK(read.denial_reason() == types::v1::DENIAL_REASON_MESSAGE_TOO_LARGE);
  CHECK(read.approval_id() == "apr_x");
  CHECK(read.policy_epoch() == 7);
  CHECK(read.policy_version() == 300);
  CHECK(read.policy() == "deploy-bots");
  CHECK(read.outcome() == "error");
  CHECK(read.request_n() == 129);
  CHECK(read.detail() == "why");
  CHECK(read.client_address() == "192.0.2.1");
  CHECK(read.mcp_session() == "0a1b2c3d");
  CHECK(read.token_id() == "jti client");
  CHECK(read.is_counted());
}

TEST_CASE("a policy that records no content leaves the body out and keeps its size",
          "[agent][record]") {
  std::string out;
  WriteContent(out, {.content = false}, {.method = "m", .body = "secret", .original_bytes = 6});
  types::v1::RecordContent read;
  REQUIRE(read.ParseFromString(out));
  CHECK(read.body().empty());
  CHECK(read.original_bytes() == 6);
}

TEST_CASE("the largest numbers and the longest texts fit", "[agent][record]") {
  constexpr std::uint64_t kMax = ~std::uint64_t{0};
  const std::string text(70'000, 'x');
  std::vector<Finding> findings(300);
  for (Finding& finding : findings) {
    finding.detector = text.substr(0, 200);
    finding.pointer = text.substr(0, 200);
    finding.count = ~std::uint32_t{0};
  }
  const RecordFacts facts{.policy_epoch = kMax,
                          .policy_version = kMax,
                          .policy = text,
                          .approval_id = text,
                          .mcp_session = text,
                          .token_id = text,
                          .client_address = text};
  std::string payload;
  WriteContent(payload, facts,
               {.method = text,
                .target = text,
                .rpc_id = text,
                .body = text,
                .original_bytes = kMax,
                .findings = findings,
                .denial_reason = types::v1::DENIAL_REASON_MESSAGE_TOO_LARGE,
                .outcome = text,
                .request_n = kMax,
                .detail = text,
                .is_counted = true});
  types::v1::RecordContent content;
  REQUIRE(content.ParseFromString(payload));
  CHECK(content.SerializeAsString() == payload);
  std::string out;
  WriteRecord(out, {.session_id = text,
                    .n = kMax,
                    .type = types::v1::RECORD_TYPE_RESULT,
                    .time_unix_nanos = -1,
                    .salt = text,
                    .payload = payload,
                    .payload_digest = text,
                    .hash = text});
  types::v1::Record record;
  REQUIRE(record.ParseFromString(out));
  CHECK(record.SerializeAsString() == out);
}

TEST_CASE("which record it is can be told without reading the rest", "[agent][record]") {
  std::string out;
  WriteRecord(out, {.session_id = "ses_a", .n = 70'000, .payload = "payload"});
  CHECK(ReadRecordId(out).session_id == "ses_a");
  CHECK(ReadRecordId(out).n == 70'000);
  for (std::size_t size = 0; size < 11; ++size) {
    CHECK(ReadRecordId(std::string_view(out).substr(0, size)).n == 0);
  }
  CHECK(ReadRecordId("\xff\xff\xff").session_id.empty());
}

TEST_CASE("a record written by hand reads back", "[agent][record]") {
  std::string out;
  WriteRecord(out, {.session_id = "ses_a",
                    .n = 5,
                    .type = types::v1::RECORD_TYPE_RESULT,
                    .time_unix_nanos = 1'800'000'000'000'000'001,
                    .salt = "0123456789abcdef",
                    .payload = "payload",
                    .payload_digest = "digest",
                    .hash = "hash"});
  types::v1::Record read;
  REQUIRE(read.ParseFromString(out));
  CHECK(read.SerializeAsString() == out);
  CHECK(read.session_id() == "ses_a");
  CHECK(read.n() == 5);
  CHECK(read.time_unix_nanos() == 1'800'000'000'000'000'001);
}

TEST_CASE("CRC-32C gives the values of RFC 3720, in pieces too", "[agent][record]") {
  CHECK(Crc32c(0, std::string(32, '\0')) == 0x8a9136aa);
  CHECK(Crc32c(0, std::string(32, '\xff')) == 0x62a8ab43);
  CHECK(Crc32c(0, "123456789") == 0xe3069283);
  CHECK(Crc32c(Crc32c(0, "1234"), "56789") == 0xe3069283);
}

}  // namespace
}  // namespace sallyport::agent
