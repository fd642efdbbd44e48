#include "agent/mcp/modern_request.h"

#include <catch2/catch.hpp>

#include "agent/mcp/json_scan.h"
#include "common/denial.h"
#include "tests/unit/agent/mcp/modern_messages.h"

namespace sallyport::agent {
namespace {

constexpr ClientTerms kAll{
    .sampling = true, .elicitation = true, .roots = true, .task_extension = true};
constexpr char kVersionMember[] = R"("io.modelcontextprotocol/protocolVersion":"2026-07-28")";

std::string Narrowed(const std::string& json, const ClientTerms& client,
                     std::optional<std::string_view> state = std::nullopt,
                     std::string_view heard = "file:///public/") {
  const auto narrowed = NarrowModernRequest(
      FromClient(json),
      {.client = client,
       .may_hear_of = [&](std::string_view uri) { return uri.starts_with(heard); },
       .has_task = [](std::string_view id) { return id.starts_with("own-"); },
       .request_state = state});
  INFO(json);
  REQUIRE(narrowed.ok());
  // What it says of itself is what its bytes say.
  const ClientMessage again = FromClient(narrowed->bytes);
  CHECK(narrowed->modern.request_state.begin == again.modern.request_state.begin);
  CHECK(narrowed->modern.capabilities.end == again.modern.capabilities.end);
  CHECK(narrowed->arguments.begin == again.arguments.begin);
  return narrowed->bytes;
}
std::string WithCapabilities(const std::string& capabilities) {
  return R"({"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{)" +
         std::string(kVersionMember) + R"(,"io.modelcontextprotocol/clientCapabilities":)" +
         capabilities + R"(,"traceparent":"00-1"}}})";
}

TEST_CASE("a server is told only of what policy lets it ask the client", "[agent][mcp]") {
  const std::string all =
      R"({"sampling":{"tools":{}},"elicitation":{"form":{}},"roots":{},"experimental":{"x":1e2}})";
  CHECK(Narrowed(WithCapabilities(all), {.elicitation = true}) ==
        WithCapabilities(R"({"elicitation":{"form":{}},"experimental":{"x":1e2}})"));
  CHECK(Narrowed(WithCapabilities(all), {.sampling = true, .roots = true}) ==
        WithCapabilities(R"({"sampling":{"tools":{}},"roots":{},"experimental":{"x":1e2}})"));
  CHECK(Narrowed(WithCapabilities(R"({"sampling":{}})"), {}) == WithCapabilities("{}"));
  const std::string extensions = R"({"extensions":{"io.modelcontextprotocol/tasks":{},"x/y":{}}})";
  CHECK(Narrowed(WithCapabilities(extensions), {}) ==
        WithCapabilities(R"({"extensions":{"x/y":{}}})"));
  CHECK(Narrowed(WithCapabilities(extensions), kAll) == WithCapabilities(extensions));
  CHECK(Narrowed(WithCapabilities(R"({"roots":{},"sampling":{}})"), {}) == WithCapabilities("{}"));
}

TEST_CASE("answers to input requests that are no object are refused", "[agent][mcp]") {
  for (const std::string answers : {R"([{"k":1}])", "null", R"("k")", "7"}) {
    INFO(answers);
    const auto scanned = ScanClientMessage(ModernRequest(
        "tools/call", R"("name":"t","requestState":"s","inputResponses":)" + answers));
    CHECK(ReasonOf(scanned.status()) == types::v1::DenialReason::DENIAL_REASON_MESSAGE_INVALID);
  }
}

TEST_CASE("no byte changes where nothing is taken away", "[agent][mcp]") {
  const std::string odd =
      " {\"params\" : {\"_meta\":{\"io.modelcontextprotocol/clientCapabilities\" : { \"roots\":{} "
      "},\n" +
      std::string(kVersionMember) +
      "}, \"name\":\"e\\u0063ho\",\"arguments\":{\"n\":12345678901234567890,\"m\":5e-324}}, "
      "\"method\":\"tools/call\",\"id\":\"\\u0031\",\"jsonrpc\":\"2.0\",\"x\":[1.0]} ";
  CHECK(Narrowed(odd, kAll) == odd);
  CHECK(Narrowed(odd, {.roots = true}) == odd);
  CHECK(Narrowed(WithCapabilities("{}"), {}) == WithCapabilities("{}"));
}

TEST_CASE("a client's capabilities stand in _meta alone", "[agent][mcp]") {
  const std::string elsewhere = ModernRequest(
      "tools/call",
      R"("name":"e","arguments":{"io.modelcontextprotocol/clientCapabilities":{"sampling":{}},"_meta":{"io.modelcontextprotocol/clientCapabilities":{"sampling":{}}},"requestState":"s"})");
  CHECK(Narrowed(elsewhere, {}, "\"r\"") == elsewhere);
}

TEST_CASE("a client hears of its own tasks", "[agent][mcp]") {
  const auto listen = [](const std::string& tasks) {
    return ModernRequest("subscriptions/listen",
                         R"("notifications":{"toolsListChanged":true,"taskIds":)" + tasks + "}");
  };
  CHECK(Narrowed(listen(R"(["t-1","own-1",7,"o\u0077n-2",null,["own-3"]])"), kAll) ==
        listen(R"(["own-1","o\u0077n-2"])"));
  CHECK(Narrowed(listen(R"(["t-1"])"), kAll) == listen("[]"));
  CHECK(Narrowed(listen(R"(["own-1"])"), kAll) == listen(R"(["own-1"])"));
  for (const char* unclean : {R"({"own-1":1})", R"("own-1")", "null", "7"}) {
    INFO(unclean);
    CHECK(ReasonOf(ScanClientMessage(listen(unclean)).status()) ==
          types::v1::DenialReason::DENIAL_REASON_MESSAGE_INVALID);
  }
  CHECK_FALSE(ScanClientMessage(
                  ModernRequest("subscriptions/listen", R"("notifications":{"taskids":["t-1"]})"))
                  .ok());
}

TEST_CASE("a client hears of the resources that policy lets it read", "[agent][mcp]") {
  const auto listen = [](const std::string& uris) {
    return ModernRequest("subscriptions/listen",
                         R"("notifications":{"toolsListChanged":true,"resourceSubscriptions":)" +
                             uris + R"(,"x":1})");
  };
  CHECK(Narrowed(
            listen(
                R"(["file:///secret/a","file:///public/b","file:///secret/c","file:///public/d"])"),
            kAll) == listen(R"(["file:///public/b","file:///public/d"])"));
  CHECK(Narrowed(listen(R"(["file:///secret/a"])"), kAll) == listen("[]"));
  CHECK(Narrowed(listen(R"(["file:///public/a"])"), kAll) == listen(R"(["file:///public/a"])"));
  // What is no URI could be read as one.
  CHECK(Narrowed(listen(R"([7,{"uri":"file:///secret/a"},null,"file:///public/b"])"), kAll) ==
        listen(R"(["file:///public/b"])"));
  // By its decoded text.
  CHECK(Narrowed(listen(R"(["file:///\u0073ecret/a","file:///\u0070ublic/b"])"), kAll) ==
        listen(R"(["file:///\u0070ublic/b"])"));
  // Of another method it is a member like any other.
  const std::string call = ModernRequest(
      "tools/list", R"("notifications":{"resourceSubscriptions":["file:///secret/a"]})");
  CHECK(Narrowed(call, kAll) == call);
}

TEST_CASE("a subscription whose wishes nobody could judge is refused", "[agent][mcp]") {
  for (const char* wishes : {R"([{"resourceSubscriptions":["file:///secret/a"]}])",
                             R"("file:///secret/a")", "null", "7"}) {
    INFO(wishes);
    CHECK_FALSE(ScanClientMessage(ModernRequest("subscriptions/listen",
                                                std::string(R"("notifications":)") + wishes))
                    .ok());
  }
}

TEST_CASE("the server gets its own request state, or none", "[agent][mcp]") {
  const std::string call =
      ModernRequest("tools/call", R"("name":"e","requestState":"sp1.x","n":1)");
  CHECK(Narrowed(call, kAll, R"("mine\n")") ==
        ModernRequest("tools/call", R"("name":"e","requestState":"mine\n","n":1)"));
  CHECK(Narrowed(call, kAll, "") == ModernRequest("tools/call", R"("name":"e","n":1)"));
  CHECK(Narrowed(call, kAll) == call);
}

TEST_CASE("all of it is narrowed at once, in any order of members", "[agent][mcp]") {
  const std::string meta_in =
      R"("_meta":{"io.modelcontextprotocol/clientCapabilities":{"sampling":{},"roots":{}},)" +
      std::string(kVersionMember) + "}";
  const std::string meta_out =
      R"("_meta":{"io.modelcontextprotocol/clientCapabilities":{"roots":{}},)" +
      std::string(kVersionMember) + "}";
  const std::string state_in = R"("requestState":"sp1.x")";
  const std::string uris_in =
      R"("notifications":{"resourceSubscriptions":["file:///secret/a","file:///public/b"]})";
  const std::string uris_out = R"("notifications":{"resourceSubscriptions":["file:///public/b"]})";
  const auto request = [](const std::vector<std::string>& members) {
    std::string params;
    for (const std::string& member : members) params += (params.empty() ? "" : ",") + member;
    return R"({"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{)" + params + "}}";
  };
  std::vector<int> order = {0, 1, 2};
  do {
    std::vector<std::string> in;
    std::vector<std::string> replaced;
    std::vector<std::string> cut;
    for (const int i : order) {
      in.push_back(i == 0 ? meta_in : i == 1 ? state_in : uris_in);
      replaced.push_back(i == 0 ? meta_out : i == 1 ? R"("requestState":"mine")" : uris_out);
      if (i != 1) cut.push_back(i == 0 ? meta_out : uris_out);
    }
    CHECK(Narrowed(request(in), {.roots = true}, "\"mine\"") == request(replaced));
    CHECK(Narrowed(request(in), {.roots = true}, "") == request(cut));
  } while (std::next_permutation(order.begin(), order.end()));
}

}  // namespace
}  // namespace sallyport::agent
