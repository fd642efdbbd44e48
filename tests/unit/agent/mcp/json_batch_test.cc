#include "agent/mcp/json_batch.h"

#include <catch2/catch.hpp>
#include <string>

#include "agent/mcp/json_rpc.h"
#include "common/denial.h"

namespace sallyport::agent {
namespace {

std::string Ping(const std::string& id) {
  return R"({"jsonrpc":"2.0","id":)" + id + R"(,"method":"ping"})";
}

struct Refused {
  types::v1::DenialReason reason;
  int code;
  bool operator==(const Refused&) const = default;
};

Refused RefusalOf(const std::string& bytes, const ScanLimits& limits = {}) {
  const auto batch = ScanClientBatch(bytes, limits);
  INFO(bytes.substr(0, 200));
  REQUIRE_FALSE(batch.ok());
  return {ReasonOf(batch.status()), JsonRpcCodeOf(batch.status())};
}

constexpr Refused kNotAMessage{types::v1::DENIAL_REASON_MESSAGE_INVALID, rpc_code::kInvalidRequest};
constexpr Refused kNotJson{types::v1::DENIAL_REASON_MESSAGE_INVALID, rpc_code::kParseError};

TEST_CASE("a batch is told by its first character", "[agent][mcp]") {
  CHECK(IsBatch("[]"));
  CHECK(IsBatch(" \r\n\t[x"));
  CHECK_FALSE(IsBatch("{\"a\":[]}"));
  CHECK_FALSE(IsBatch(""));
  CHECK_FALSE(IsBatch("  "));
  CHECK_FALSE(IsBatch("\v["));
}

TEST_CASE("the messages of a batch keep their order and their bytes", "[agent][mcp]") {
  const std::string call =
      R"({ "jsonrpc":"2.0","id":"\u0061","method":"tools/call","params":{"name":"n","arguments":{"x":1.50}}})";
  const std::string notice = R"({"jsonrpc":"2.0","method":"notifications/initialized"})";
  const std::string answer = R"({"jsonrpc":"2.0","id":7,"result":{}})";
  const auto batch = ScanClientBatch(" [" + call + " ,\n" + notice + "," + answer + "] ");
  REQUIRE(batch.ok());
  REQUIRE(batch->size() == 3);
  const ClientMessage& first = (*batch)[0];
  CHECK(first.bytes == call);
  CHECK(first.id == "\"a\"");
  CHECK(first.target == "n");
  CHECK(first.bytes.substr(first.arguments.begin, first.arguments.size()) == R"({"x":1.50})");
  CHECK((*batch)[1].shape == Shape::kNotification);
  CHECK((*batch)[2].shape == Shape::kResponse);
  CHECK((*batch)[2].bytes == answer);
}

TEST_CASE("what is no batch of messages is refused as a whole", "[agent][mcp]") {
  CHECK(RefusalOf("[]") == kNotAMessage);
  CHECK(RefusalOf("[1]") == kNotAMessage);
  CHECK(RefusalOf("[[" + Ping("1") + "]]") == kNotAMessage);
  CHECK(RefusalOf("[" + Ping("1") + ",{}]") == kNotAMessage);
  CHECK(RefusalOf("[" + Ping("1") + R"(,{"jsonrpc":"2.0","id":2,"ID":3,"method":"ping"}])") ==
        kNotAMessage);
  CHECK(RefusalOf("[" + Ping("1") + R"(,{"jsonrpc":"2.0","id":2,"id":3,"method":"ping"}])") ==
        kNotAMessage);
  CHECK(RefusalOf("[" + Ping("1")) == kNotJson);
  CHECK(RefusalOf("[" + Ping("1") + ",]") == kNotJson);
  CHECK(RefusalOf("[" + Ping("1") + "] " + Ping("2")) == kNotJson);
  CHECK(RefusalOf(Ping("1")) == kNotAMessage);
}

TEST_CASE("an id stands on one request of a batch, whatever its spelling", "[agent][mcp]") {
  CHECK(RefusalOf("[" + Ping("1") + "," + Ping("1") + "]") == kNotAMessage);
  CHECK(RefusalOf("[" + Ping(R"("a")") + "," + Ping(R"("\u0061")") + "]") == kNotAMessage);
  CHECK(ScanClientBatch("[" + Ping("1") + "," + Ping(R"("1")") + "]").ok());
  CHECK(ScanClientBatch("[" + Ping("1") + R"(,{"jsonrpc":"2.0","id":1,"result":{}}])").ok());
}

TEST_CASE("limits hold for the whole of a batch", "[agent][mcp]") {
  const auto batch_of = [](std::size_t messages) {
    std::string batch = "[" + Ping("0");
    for (std::size_t i = 1; i < messages; ++i) batch += "," + Ping(std::to_string(i));
    return batch + "]";
  };
  CHECK(ScanClientBatch(batch_of(kMaxBatchMessages)).ok());
  CHECK(RefusalOf(batch_of(kMaxBatchMessages + 1)) == kNotAMessage);
  const ScanLimits few_nodes{.max_nodes = 50};
  CHECK(ScanClientMessage(Ping("1"), few_nodes).ok());
  CHECK(RefusalOf(batch_of(kMaxBatchMessages), few_nodes) == kNotAMessage);
  const ScanLimits few_bytes{.max_bytes = 100};
  CHECK(RefusalOf(batch_of(10), few_bytes).reason == types::v1::DENIAL_REASON_MESSAGE_TOO_LARGE);
}

TEST_CASE("a server's batch is judged the same way", "[agent][mcp]") {
  const std::string answer = R"({"jsonrpc":"2.0","id":7,"result":{"a":"b"}})";
  const std::string notice = R"({"jsonrpc":"2.0","method":"notifications/message","params":{}})";
  const auto batch = ScanUpstreamBatch("[" + notice + "," + answer + "]");
  REQUIRE(batch.ok());
  REQUIRE(batch->size() == 2);
  CHECK((*batch)[1].id == "7");
  CHECK((*batch)[1].bytes == answer);
  CHECK(ReasonOf(ScanUpstreamBatch("[]").status()) == types::v1::DENIAL_REASON_UPSTREAM_INVALID);
  CHECK(ReasonOf(ScanUpstreamBatch("[" + answer + ",{}]").status()) ==
        types::v1::DENIAL_REASON_UPSTREAM_INVALID);
}

}  // namespace
}  // namespace sallyport::agent
