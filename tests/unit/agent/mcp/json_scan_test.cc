#include "agent/mcp/json_scan.h"

#include <catch2/catch.hpp>
#include <string>

#include "agent/mcp/json_index.h"
#include "agent/mcp/json_rpc.h"
#include "common/denial.h"

namespace sallyport::agent {
namespace {

using types::v1::DenialReason;

void CheckRefused(const std::string& bytes, int code) {
  INFO(bytes.substr(0, 200));
  const auto client = ScanClientMessage(bytes);
  REQUIRE_FALSE(client.ok());
  CHECK(ReasonOf(client.status()) == DenialReason::DENIAL_REASON_MESSAGE_INVALID);
  CHECK(JsonRpcCodeOf(client.status()) == code);
  const auto upstream = ScanUpstreamMessage(bytes);
  REQUIRE_FALSE(upstream.ok());
  CHECK(ReasonOf(upstream.status()) == DenialReason::DENIAL_REASON_UPSTREAM_INVALID);
  CHECK(JsonRpcCodeOf(upstream.status()) == code);
}

std::string Call(const std::string& params) {
  return R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":)" + params + "}";
}

std::string At(const std::string& bytes, Span span) {
  return bytes.substr(span.begin, span.size());
}

TEST_CASE("json_scan reads a tool call", "[agent][mcp]") {
  const std::string bytes =
      R"( {"params":{"arguments":{"a":[1,2]},"n\u0061me":"ech\u006f","_meta":{"progressToken":0}},)"
      R"("id":7,"method":"tools\/call","jsonrpc":"2.0","x":null} )";
  const auto message = ScanClientMessage(bytes);
  REQUIRE(message.ok());
  CHECK(message->bytes == bytes);
  CHECK(message->shape == Shape::kRequest);
  CHECK(message->id == "7");
  CHECK(message->method == "tools/call");
  CHECK(message->target == "echo");
  CHECK(message->progress_token == "0");
  CHECK(At(message->bytes, message->arguments) == R"({"a":[1,2]})");
  CHECK_FALSE(message->asks_for_task);
}

TEST_CASE("the index of the last scan is given for its own text alone", "[agent][mcp]") {
  const std::string call = Call(R"({"name":"echo","arguments":{"a":"\u0041"}})");
  REQUIRE(ScanClientMessage(call).ok());
  const JsonIndex* index = ScannedIndex(std::string(call));
  REQUIRE(index != nullptr);
  CHECK(index->json() == call);
  CHECK(index->Member(&index->root(), "method")->text == "tools/call");
  std::string other = call;
  other[other.find("echo")] = 'E';
  CHECK(ScannedIndex(other) == nullptr);
  CHECK(ScannedIndex(call + " ") == nullptr);
  CHECK(ScannedIndex("") == nullptr);
  // What was no message has no index, and the one before is gone.
  CHECK_FALSE(ScanClientMessage(R"({"jsonrpc":"2.0")").ok());
  CHECK(ScannedIndex(call) == nullptr);
  CHECK(ScannedIndex(R"({"jsonrpc":"2.0")") == nullptr);
  // A long text is not kept.
  const std::string big =
      Call(R"({"name":"echo","arguments":{"a":")" + std::string(1 << 17, 'x') + "\"}}");
  REQUIRE(ScanClientMessage(big).ok());
  CHECK(ScannedIndex(big) == nullptr);
}

TEST_CASE("json_scan reads what the other methods name", "[agent][mcp]") {
  const auto read = ScanClientMessage(
      R"({"jsonrpc":"2.0","id":"a","method":"resources/read","params":{"uri":"file:///x"}})");
  REQUIRE(read.ok());
  CHECK(read->target == "file:///x");
  CHECK(read->id == R"("a")");
  const auto complete = ScanClientMessage(
      R"({"jsonrpc":"2.0","id":1,"method":"completion/complete",)"
      R"("params":{"ref":{"type":"ref/resource","uri":"t://{x}"},"argument":{"name":"x","value":""}}})");
  REQUIRE(complete.ok());
  CHECK(complete->ref_is_resource);
  CHECK(complete->target == "t://{x}");
  const auto initialize = ScanClientMessage(
      R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{"roots":{}}}})");
  REQUIRE(initialize.ok());
  CHECK(initialize->protocol_version == "2025-06-18");
  CHECK(At(initialize->bytes, initialize->capabilities) == R"({"roots":{}})");
  const auto cancelled = ScanClientMessage(
      R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"\u0041"}})");
  REQUIRE(cancelled.ok());
  CHECK(cancelled->shape == Shape::kNotification);
  CHECK(cancelled->cancelled_id == R"("A")");
  const auto modern = ScanClientMessage(
      R"({"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}})");
  REQUIRE(modern.ok());
  CHECK(modern->modern.version == "2026-07-28");
}

TEST_CASE("json_scan reads a server's messages", "[agent][mcp]") {
  const auto result = ScanUpstreamMessage(R"({"jsonrpc":"2.0","id":3,"result":{"content":[]}})");
  REQUIRE(result.ok());
  CHECK(result->shape == Shape::kResponse);
  CHECK(At(result->bytes, result->body) == R"({"content":[]})");
  CHECK_FALSE(result->is_error);
  const auto error =
      ScanUpstreamMessage(R"({"jsonrpc":"2.0","id":3,"error":{"code":-32601,"message":"no"}})");
  REQUIRE(error.ok());
  CHECK(error->is_error);
  const auto progress = ScanUpstreamMessage(
      R"({"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t","progress":0.5}})");
  REQUIRE(progress.ok());
  CHECK(progress->progress_token == R"("t")");
}

TEST_CASE("json_scan spells an id in one way, however it was escaped", "[agent][mcp]") {
  const auto one = ScanClientMessage(R"({"jsonrpc":"2.0","id":"\u00e9\/x","method":"ping"})");
  const auto other = ScanUpstreamMessage("{\"jsonrpc\":\"2.0\",\"id\":\"\u00e9/x\",\"result\":{}}");
  REQUIRE(one.ok());
  REQUIRE(other.ok());
  CHECK(one->id == other->id);
}

TEST_CASE("json_scan refuses what is not JSON", "[agent][mcp]") {
  for (const char* text : {"",
                           " ",
                           "{",
                           "}",
                           "[",
                           "nul",
                           "1",
                           "\"x\"",
                           R"({"a":1} x)",
                           R"({"a":1}{"b":2})",
                           R"({"a":1,})",
                           R"({"a":01})",
                           R"({"a":tru})",
                           R"({"a":truex})",
                           R"({"a":1.})",
                           R"({"a":.5})",
                           R"({"a":+1})",
                           R"({"a":1e})",
                           R"({"a":-})",
                           R"({"a":0x1})",
                           R"({"a":NaN})",
                           R"({"a" 1})",
                           R"({"a":1 "b":2})",
                           R"({"a"})",
                           R"({a:1})",
                           R"({'a':1})",
                           R"({"a":[1 2]})",
                           R"({"a":[1,]})",
                           R"({"a":[,1]})",
                           R"({,})",
                           R"({"a":1]})",
                           R"({"a":"x})",
                           R"({"a":"\q"})",
                           R"({"a":"\u12g4"})",
                           R"({"a":"\u123"})",
                           R"({"a":"\ud800"})",
                           R"({"a":"\udc00"})",
                           R"({"a":"\ud800\u0041"})",
                           R"({"\ud800":1})",
                           "{\"a\":\"\x01\"}",
                           "{\"a\":\"\xff\xfe\"}",
                           "{\"a\":\"\xc0\xaf\"}",
                           "{\"a\":\"\xed\xa0\x80\"}",
                           "\xef\xbb\xbf{}",
                           R"({"a":"x"y})",
                           R"({"a":tru"x"})",
                           R"({"a":1"x"})",
                           R"({"a":"x""y"})",
                           "{\"a\":1}\v",
                           "// c\n{}",
                           R"({"a":1}//)"}) {
    CheckRefused(text, rpc_code::kParseError);
  }
  CheckRefused(std::string("{\"a\":1}\0", 8), rpc_code::kParseError);
}

TEST_CASE("json_scan refuses JSON that is not one message", "[agent][mcp]") {
  for (const char* text :
       {R"([{"jsonrpc":"2.0","id":1,"method":"ping"}])",
        R"([])",
        R"({})",
        R"({"id":1,"method":"ping"})",
        R"({"jsonrpc":"1.0","id":1,"method":"ping"})",
        R"({"jsonrpc":2.0,"id":1,"method":"ping"})",
        R"({"jsonrpc":"2.0","id":null,"method":"ping"})",
        R"({"jsonrpc":"2.0","id":1.0,"method":"ping"})",
        R"({"jsonrpc":"2.0","id":1e0,"method":"ping"})",
        R"({"jsonrpc":"2.0","id":-0,"method":"ping"})",
        R"({"jsonrpc":"2.0","id":true,"method":"ping"})",
        R"({"jsonrpc":"2.0","id":{},"method":"ping"})",
        R"({"jsonrpc":"2.0","id":[1],"method":"ping"})",
        R"({"jsonrpc":"2.0","id":1,"method":""})",
        R"({"jsonrpc":"2.0","id":1,"method":7})",
        R"({"jsonrpc":"2.0","id":1,"method":"ping","params":[1]})",
        R"({"jsonrpc":"2.0","id":1,"method":"ping","params":null})",
        R"({"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":1}})",
        R"({"jsonrpc":"2.0","id":1,"method":"ping","result":{}})",
        R"({"jsonrpc":"2.0","id":1})",
        R"({"jsonrpc":"2.0","result":{}})",
        R"({"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}})",
        R"({"jsonrpc":"2.0","id":1,"result":1})",
        R"({"jsonrpc":"2.0","id":1,"result":{},"params":{}})",
        R"({"jsonrpc":"2.0","id":1,"error":{"code":1}})",
        R"({"jsonrpc":"2.0","id":1,"error":{"code":1.5,"message":""}})",
        R"({"jsonrpc":"2.0","id":1,"error":"x"})"}) {
    CheckRefused(text, rpc_code::kInvalidRequest);
  }
}

TEST_CASE("json_scan takes a server's error that answers nobody, and nobody else's",
          "[agent][mcp]") {
  const std::string error = R"("error":{"code":-32700,"message":"what?"}})";
  for (const char* id : {"", R"("id":null,)"}) {
    const std::string text = std::string(R"({"jsonrpc":"2.0",)") + id + error;
    const auto message = ScanUpstreamMessage(text);
    REQUIRE(message.ok());
    CHECK(message->answers_nobody());
    CHECK(message->is_error);
    CHECK(message->bytes == text);
    CHECK(ScanClientMessage(text).status().code() == absl::StatusCode::kInvalidArgument);
  }
  CHECK_FALSE(ScanUpstreamMessage(R"({"jsonrpc":"2.0","id":"",)" + error)->answers_nobody());
  for (const char* text :
       {R"({"jsonrpc":"2.0","id":null,"result":{}})", R"({"jsonrpc":"2.0","result":{}})",
        R"({"jsonrpc":"2.0","id":null,"method":"ping"})",
        R"({"jsonrpc":"2.0","id":null,"method":"ping","error":{"code":1,"message":""}})",
        R"({"jsonrpc":"2.0","id":null,"result":{},"error":{"code":1,"message":""}})",
        R"({"jsonrpc":"2.0","id":null,"error":{"code":1}})",
        R"({"jsonrpc":"2.0","id":[],"error":{"code":1,"message":""}})"}) {
    INFO(text);
    CHECK(ReasonOf(ScanUpstreamMessage(text).status()) ==
          types::v1::DENIAL_REASON_UPSTREAM_INVALID);
  }
}

TEST_CASE("json_scan tells what was to be a message from what quotes one", "[agent][mcp]") {
  for (const char* text : {R"({"jsonrpc":"2.0","id":7})", R"({"id":7,"jsonrpc":"2.0","id":7})",
                           R"({"jsonrpc":"2.0","id":7,"result":)", R"(2026 got {"jsonrpc":"2.0"})",
                           R"([{"level":"info"},{"jsonrpc":"2.0","id":7}])"}) {
    INFO(text);
    CHECK(ClaimsToBeMessage(text, {}));
  }
  for (const char* text :
       {R"({"level":"info","request":{"jsonrpc":"2.0","id":5}})", R"({"a":["jsonrpc"]})",
        R"({"level":1,"level":2,"msg":"{\"jsonrpc\":1}","req":{"jsonrpc":"2.0"}})",
        R"([{"request":{"jsonrpc":"2.0"}},"jsonrpc"])", "[info] started", "{not json}", ""}) {
    INFO(text);
    CHECK_FALSE(ClaimsToBeMessage(text, {}));
  }
}

TEST_CASE("json_scan refuses a repeated name in any object", "[agent][mcp]") {
  CheckRefused(Call(R"({"name":"a","name":"b"})"), rpc_code::kInvalidRequest);
  CheckRefused(Call(R"({"name":"a","n\u0061me":"b"})"), rpc_code::kInvalidRequest);
  CheckRefused(Call(R"({"name":"a","arguments":{"x":[{"y":1,"y":2}]}})"),
               rpc_code::kInvalidRequest);
  CheckRefused(R"({"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"})",
               rpc_code::kInvalidRequest);
  std::string many = R"({"name":"a","arguments":{)";
  for (int i = 0; i < 100; ++i) many += "\"k" + std::to_string(i) + "\":1,";
  CheckRefused(Call(many + R"("k42":2}})"), rpc_code::kInvalidRequest);
  CHECK(ScanClientMessage(Call(many + R"("k100":2}})")).ok());
}

TEST_CASE("json_scan refuses case twins of protocol names where the protocol stands",
          "[agent][mcp]") {
  CheckRefused(R"({"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"})",
               rpc_code::kInvalidRequest);
  CheckRefused(Call(R"({"name":"a","Name":"b"})"), rpc_code::kInvalidRequest);
  CheckRefused(Call(R"({"name":"a","\u004eAME":"b"})"), rpc_code::kInvalidRequest);
  CheckRefused(Call(R"({"name":"a","Arguments":{}})"), rpc_code::kInvalidRequest);
  // U+017F and U+212A fold to s and k in Go's reader.
  CheckRefused(R"({"jsonrpc":"2.0","id":1,"method":"ping","param\u017f":{}})",
               rpc_code::kInvalidRequest);
  CheckRefused(Call(R"({"name":"a","_meta":{"progressTo\u212aen":1}})"), rpc_code::kInvalidRequest);
  CheckRefused(R"({"jsonrpc":"2.0","id":1,"result":{"Content":[]}})", rpc_code::kInvalidRequest);
  // Data may be named as it likes.
  CHECK(ScanClientMessage(Call(R"({"name":"a","arguments":{"Name":1,"NAME":2,"Method":3}})")).ok());
}

TEST_CASE("json_scan holds its limits", "[agent][mcp]") {
  const auto nested = [](int depth) {
    return Call(R"({"name":"a","arguments":{"x":)" + std::string(depth, '[') +
                std::string(depth, ']') + "}}");
  };
  CHECK(ScanClientMessage(nested(61)).ok());
  CheckRefused(nested(62), rpc_code::kInvalidRequest);
  CheckRefused(std::string(100'000, '['), rpc_code::kInvalidRequest);
  CheckRefused(std::string(1'000'000, '{'), rpc_code::kParseError);
  const auto number = [](std::size_t digits) {
    return Call(R"({"name":"a","arguments":{"x":)" + std::string(digits, '9') + "}}");
  };
  CHECK(ScanClientMessage(number(64)).ok());
  CheckRefused(number(65), rpc_code::kInvalidRequest);
  const auto members = [](int count) {
    std::string text = R"({"name":"a","arguments":{)";
    for (int i = 0; i < count; ++i) text += (i == 0 ? "\"k" : ",\"k") + std::to_string(i) + "\":1";
    return Call(text + "}}");
  };
  CHECK(ScanClientMessage(members(4096)).ok());
  CheckRefused(members(4097), rpc_code::kInvalidRequest);
  const auto values = [](int count) {
    std::string text = R"({"name":"a","arguments":{"x":[0)";
    for (int i = 1; i < count; ++i) text += ",0";
    return Call(text + "]}}");
  };
  CHECK(ScanClientMessage(values(199'000)).ok());
  CheckRefused(values(200'001), rpc_code::kInvalidRequest);
  CheckRefused(Call(R"({"name":"a\u0000","arguments":{"x\u0000":1}})"), rpc_code::kInvalidRequest);
  CheckRefused(R"({"jsonrpc":"2.0","id":")" + std::string(2000, 'i') + R"(","method":"ping"})",
               rpc_code::kInvalidRequest);
}

TEST_CASE("json_scan says when a message is too large", "[agent][mcp]") {
  const auto scanned = ScanClientMessage(Call(R"({"name":"a"})"), ScanLimits{.max_bytes = 20});
  REQUIRE_FALSE(scanned.ok());
  CHECK(ReasonOf(scanned.status()) == DenialReason::DENIAL_REASON_MESSAGE_TOO_LARGE);
}

TEST_CASE("json_scan refuses a client's call that names nothing", "[agent][mcp]") {
  for (
      const char* text :
      {R"({"jsonrpc":"2.0","id":1,"method":"tools/call"})",
       R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}})",
       R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":7}})",
       R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":[]}})",
       R"({"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":["x"]}})",
       R"({"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"a","uri":"b"}}})",
       R"({"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"x","name":"a"}}})",
       R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{}}})",
       R"({"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":{"progressToken":{}}}})"}) {
    INFO(text);
    const auto scanned = ScanClientMessage(text);
    REQUIRE_FALSE(scanned.ok());
    CHECK(JsonRpcCodeOf(scanned.status()) == rpc_code::kInvalidParams);
    CHECK(JsonRpcIdOf(scanned.status()) == "1");
  }
  const auto progress =
      ScanClientMessage(R"({"jsonrpc":"2.0","method":"notifications/progress","params":{}})");
  REQUIRE_FALSE(progress.ok());
  CHECK(JsonRpcCodeOf(progress.status()) == rpc_code::kInvalidParams);
  CHECK(JsonRpcIdOf(progress.status()).empty());
}

TEST_CASE("a cancellation need not name a request", "[agent][mcp]") {
  const std::string task = R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{}})";
  CHECK(ScanClientMessage(task)->cancelled_id.empty());
  CHECK(ScanUpstreamMessage(task)->cancelled_id.empty());
}

TEST_CASE("a notification that is not clean is told from what somebody may wait for",
          "[agent][mcp]") {
  for (const char* text :
       {R"({"jsonrpc":"2.0","method":"notifications/progress"})",
        R"( {"jsonrpc":"2.0","method":"x","method":"x","params":{"id":1,"result":{}}} )",
        R"({"method" : "notifications/message","params":{"data":"\ud83d \" id"}})",
        R"({"method":"x","params":["id",{"error":1}],"z":"id"})"}) {
    INFO(text);
    CHECK(IsUnreadNotification(text));
  }
  for (const char* text :
       {R"({"jsonrpc":"2.0","id":1,"method":"x"})", R"({"method":"x","\u0069d":1})",
        R"({"method":"x","ID":1})", R"({"method":"x","result":{}})", R"({"method":"x","error":1})",
        R"({"params":{"method":"x"}})", R"({"method":"x","params":{)", R"({"method":"x)",
        R"(["method":1])", R"({"method":"x"} {"id":1})", "", "}", R"("method":1})",
        R"({"method","x"})"}) {
    INFO(text);
    CHECK_FALSE(IsUnreadNotification(text));
  }
}

TEST_CASE("a scan's refusal quotes nothing of the message", "[agent][mcp]") {
  const auto scanned = ScanClientMessage(Call(R"({"name":"hunter2","name":"hunter2"})"));
  REQUIRE_FALSE(scanned.ok());
  CHECK(std::string(scanned.status().message()).find("hunter2") == std::string::npos);
}

}  // namespace
}  // namespace sallyport::agent
