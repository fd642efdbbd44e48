#include "agent/mcp/modern_result.h"

#include <catch2/catch.hpp>

#include "common/denial.h"
#include "tests/unit/agent/mcp/modern_messages.h"

namespace sallyport::agent {
namespace {

using types::v1::DenialReason;

constexpr ServerTerms kEverything{
    .tools = true, .resources = true, .prompts = true, .completions = true, .logging = true};

struct Rig {
  ServerTerms server = kEverything;
  std::vector<ServerRequestKind> askable = {ServerRequestKind::kElicitation};
  // The capabilities of the request's client.
  std::string declared = R"({"elicitation":{}})";
  // What was sealed: the server's literal.
  std::string sealed = "nothing";
  std::vector<std::string> asked = {};
  bool may_be_task = true;

  absl::StatusOr<ModernResult> Narrow(const std::string& response, ClientMessage request) {
    request.modern.declared_capabilities = declared;
    return NarrowModernResult(FromServer(response), request,
                              {.server = server,
                               .may_be_asked =
                                   [&](ServerRequestKind kind) {
                                     return std::find(askable.begin(), askable.end(), kind) !=
                                            askable.end();
                                   },
                               .may_be_task = may_be_task,
                               .seal =
                                   [&](std::string_view state, std::vector<std::string> keys) {
                                     sealed = std::string(state);
                                     asked = std::move(keys);
                                     return std::string("sp1.sealed");
                                   },
                               .max_ttl_ms = 60000});
  }
  // The result as the client sees it.
  std::string Seen(const std::string& result, const ClientMessage& request) {
    const auto narrowed = Narrow(Wrapped(result), request);
    INFO(result);
    REQUIRE(narrowed.ok());
    const Span body = narrowed->message.body;
    return narrowed->message.bytes.substr(body.begin, body.size());
  }
  DenialReason Refusal(const std::string& result, const ClientMessage& request) {
    return ReasonOf(Narrow(Wrapped(result), request).status());
  }
  static std::string Wrapped(const std::string& result) {
    return R"({"jsonrpc":"2.0","id":1,"result":)" + result + "}";
  }
};

ClientMessage List() { return FromClient(ModernRequest("tools/list")); }

TEST_CASE("a result is private to its caller and kept no longer than the session", "[agent][mcp]") {
  Rig rig;
  CHECK(rig.Seen(R"({"tools":[],"ttlMs":300000,"cacheScope":"public","resultType":"complete"})",
                 List()) ==
        R"({"tools":[],"ttlMs":60000,"cacheScope":"private","resultType":"complete"})");
  CHECK(rig.Seen(R"({"cacheScope":"private","ttlMs":5})", List()) ==
        R"({"cacheScope":"private","ttlMs":5})");
  for (const char* same : {"0", "60000", "-1", "1.5", "6e4"}) {
    const std::string result = R"({"ttlMs":)" + std::string(same) + "}";
    CHECK(rig.Seen(result, List()) == result);
  }
  for (const char* longer : {"60001", "9223372036854775808", "123456789012345678901234567890",
                             "1e300", "6e9", "60000.5", "1e400"}) {
    INFO(longer);
    CHECK(rig.Seen(R"({"ttlMs":)" + std::string(longer) + "}", List()) == R"({"ttlMs":60000})");
  }
  for (const char* scope : {"null", "7", R"("Private")", R"({"a":1})", R"(["private"])"}) {
    CHECK(rig.Seen(R"({"cacheScope":)" + std::string(scope) + "}", List()) ==
          R"({"cacheScope":"private"})");
  }
}

TEST_CASE("a discovery offers our tasks beside all that the server offers", "[agent][mcp]") {
  Rig rig;
  rig.server.makes_tasks = true;
  const ClientMessage discover = FromClient(ModernRequest("server/discover"));
  const auto seen = [&](const std::string& capabilities) {
    return rig.Seen(R"({"capabilities":)" + capabilities + "}", discover);
  };
  const auto offered = [](const std::string& capabilities) {
    return R"({"capabilities":)" + capabilities + "}";
  };
  const std::string ours = R"("io.modelcontextprotocol/tasks":{})";
  CHECK(seen("{}") == offered(R"({"extensions":{)" + ours + "}}"));
  CHECK(seen(R"({"tools":{}})") == offered(R"({"extensions":{)" + ours + R"(},"tools":{}})"));
  // What is cut leaves no comma behind.
  CHECK(seen(R"({"tasks":{}})") == offered(R"({"extensions":{)" + ours + "}}"));
  CHECK(seen(R"({"extensions":{},"tools":{}})") ==
        offered(R"({"extensions":{)" + ours + R"(},"tools":{}})"));
  CHECK(seen(R"({"extensions":{"x":{}}})") ==
        offered(R"({"extensions":{)" + ours + R"(,"x":{}}})"));
  CHECK(seen(R"({"extensions":{)" + ours + "}}") == offered(R"({"extensions":{)" + ours + "}}"));
  CHECK(seen(R"({"extensions":7})") == offered(R"({"extensions":{)" + ours + "}}"));
}

TEST_CASE("no byte of a result changes where nothing has to", "[agent][mcp]") {
  Rig rig;
  const std::string odd =
      R"( {"jsonrpc":"2.0","result": { "content":[{"type":"text","text":"{\"cacheScope\":\"public\"}"}],
 "structuredContent":{"cacheScope":"public","ttlMs":1e99,"n":12345678901234567890}, "vendor/x":5e-324 } ,"id": 1} )";
  std::string with_newline = odd;
  const auto narrowed = rig.Narrow(with_newline, ModernCall("echo"));
  REQUIRE(narrowed.ok());
  CHECK(narrowed->message.bytes == with_newline);
  CHECK_FALSE(narrowed->is_input_required);
  CHECK(rig.sealed == "nothing");
}

TEST_CASE("an error passes untouched", "[agent][mcp]") {
  Rig rig;
  const std::string error =
      R"({"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"m","data":{"resultType":"input_required","cacheScope":"public"}}})";
  const auto narrowed = rig.Narrow(error, ModernCall("echo"));
  REQUIRE(narrowed.ok());
  CHECK(narrowed->message.bytes == error);
  CHECK_FALSE(narrowed->is_input_required);
}

TEST_CASE("discovery offers what is served here and policy allows", "[agent][mcp]") {
  Rig rig;
  rig.server = {.tools = true, .logging = true};
  const ClientMessage discover = FromClient(ModernRequest("server/discover"));
  CHECK(
      rig.Seen(
          R"({"supportedVersions":["2099-01-01","2026-07-28","2025-11-25","2024-10-07",7],"capabilities":{"prompts":{},"tools":{"listChanged":true},"resources":{"subscribe":true,"listChanged":true},"completions":{},"logging":{},"vendor/x":{"a":1e2}},"serverInfo":{"name":"s"},"cacheScope":"public","ttlMs":1})",
          discover) ==
      R"({"supportedVersions":["2026-07-28","2025-11-25"],"capabilities":{"tools":{"listChanged":true},"logging":{},"vendor/x":{"a":1e2}},"serverInfo":{"name":"s"},"cacheScope":"private","ttlMs":1})");
  // Of what stays, what is refused inside it goes.
  rig.server.resources = true;
  const std::string declared =
      R"({"capabilities":{"resources":{"subscribe":true,"listChanged":true},"extensions":{"io.modelcontextprotocol/tasks":{},"x/y":{}}}})";
  CHECK(rig.Seen(declared, discover) ==
        R"({"capabilities":{"resources":{"listChanged":true},"extensions":{"x/y":{}}}})");
  rig.server.subscriptions = true;
  rig.server.task_extension = true;
  CHECK(rig.Seen(declared, discover) == declared);
  // The names mean nothing in another result.
  const std::string other = R"({"supportedVersions":["2099-01-01"],"capabilities":{"prompts":{}}})";
  CHECK(rig.Seen(other, ModernCall("echo")) == other);
}

TEST_CASE("a client never sees the server's request state", "[agent][mcp]") {
  Rig rig;
  for (const char* method : {"tools/call", "prompts/get"}) {
    const ClientMessage request = FromClient(ModernRequest(method, R"("name":"t")"));
    CHECK(
        rig.Seen(
            R"({"resultType":"input_required","requestState":"se\u0063ret","inputRequests":{"a":{"method":"elicitation/create","params":{"n":1e2}}}})",
            request) ==
        R"({"resultType":"input_required","requestState":"sp1.sealed","inputRequests":{"a":{"method":"elicitation/create","params":{"n":1e2}}}})");
    CHECK(rig.sealed == R"("se\u0063ret")");
    CHECK(rig.asked == std::vector<std::string>{"a"});
  }
  const ClientMessage read = FromClient(ModernRequest("resources/read", R"("uri":"file:///a")"));
  const auto narrowed =
      rig.Narrow(Rig::Wrapped(R"({"requestState":"x","resultType":"input_required"})"), read);
  REQUIRE(narrowed.ok());
  CHECK(narrowed->is_input_required);
  CHECK(narrowed->message.bytes ==
        Rig::Wrapped(R"({"requestState":"sp1.sealed","resultType":"input_required"})"));
}

TEST_CASE("a round without a state of the server's gets one of ours", "[agent][mcp]") {
  Rig rig;
  CHECK(rig.Seen(R"({"resultType":"input_required"})", ModernCall("t")) ==
        R"({"resultType":"input_required","requestState":"sp1.sealed"})");
  CHECK(rig.sealed.empty());
  CHECK(rig.Seen(R"({ "resultType" : "input_required", "inputRequests" : {} } )", ModernCall("t"))
            .find(R"("requestState":"sp1.sealed"})") != std::string::npos);
}

TEST_CASE("what asks a client for input goes where the result says that it asks for nothing",
          "[agent][mcp]") {
  Rig rig;
  const std::string asking =
      R"("requestState":"secret","inputRequests":{"a":{"method":"sampling/createMessage"}})";
  for (const std::string type : {R"("complete")", R"("Input_required")", "7", "null"}) {
    INFO(type);
    const std::string seen = R"({"resultType":)" + type + R"(,"content":[]})";
    CHECK(rig.Seen(R"({"resultType":)" + type + "," + asking + R"(,"content":[]})",
                   ModernCall("t")) == seen);
  }
  CHECK(rig.Seen("{" + asking + "}", List()) == "{}");
  // A task asks in what tells of it, and has no state.
  const ClientMessage get = FromClient(ModernRequest("tasks/get", R"("taskId":"t-1")"));
  const std::string task =
      R"("taskId":"t-1","inputRequests":{"a":{"method":"elicitation/create"}}})";
  CHECK(rig.Seen(R"({"requestState":"secret",)" + task, get) == "{" + task);
  CHECK(rig.sealed == "nothing");
}

TEST_CASE("a task is no answer to a client that takes none", "[agent][mcp]") {
  Rig rig;
  rig.may_be_task = false;
  CHECK(rig.Refusal(R"({"resultType":"task","taskId":"t-1"})", ModernCall("t")) ==
        DenialReason::DENIAL_REASON_UPSTREAM_INVALID);
}

TEST_CASE("a client is not asked for what policy or it itself does not allow", "[agent][mcp]") {
  Rig rig;
  const auto asking = [](const std::string& method) {
    return R"({"resultType":"input_required","inputRequests":{"ok":{"method":"elicitation/create"},"a":{"method":)" +
           method + "}}}";
  };
  CHECK(rig.Refusal(asking(R"("elicitation/create")"), ModernCall("t")) ==
        DenialReason::DENIAL_REASON_UNSPECIFIED);
  rig.sealed = "nothing";
  CHECK(rig.Refusal(asking(R"("sampling/createMessage")"), ModernCall("t")) ==
        DenialReason::DENIAL_REASON_POLICY_DENIED);
  CHECK(rig.Refusal(asking(R"("roots/list")"), ModernCall("t")) ==
        DenialReason::DENIAL_REASON_POLICY_DENIED);
  // No round is open for what is not shown.
  CHECK(rig.sealed == "nothing");
}

TEST_CASE("a client is asked in no way that it has not declared, and is told all that is missing",
          "[agent][mcp]") {
  Rig rig;
  rig.askable = {ServerRequestKind::kElicitation, ServerRequestKind::kSampling};
  const auto required = [&](const std::string& requests, const std::string& head,
                            const ClientMessage& request) {
    const absl::Status status =
        rig.Narrow(Rig::Wrapped("{" + head + R"(,"inputRequests":{)" + requests + "}}"), request)
            .status();
    CHECK((status.ok() || ReasonOf(status) == DenialReason::DENIAL_REASON_POLICY_DENIED));
    return RequiredCapabilitiesOf(status);
  };
  const std::string form = R"("f":{"method":"elicitation/create","params":{"mode":"form"}})";
  const std::string url = R"("u":{"method":"elicitation/create","params":{"mode":"url"}})";
  const std::string tools = R"("t":{"method":"sampling/createMessage","params":{"tools":[]}})";
  const std::string call = R"("resultType":"input_required")", task = R"("taskId":"t-1")";
  const ClientMessage get = FromClient(ModernRequest("tasks/get", task));
  for (const auto& [head, request] : {std::pair(call, ModernCall("t")), std::pair(task, get)}) {
    rig.declared = R"({"elicitation":{},"sampling":{}})";
    CHECK(required(form, head, request).empty());
    CHECK(required(form + "," + url, head, request) == R"({"elicitation":{"url":{}}})");
    CHECK(required(url + "," + tools, head, request) ==
          R"({"sampling":{"tools":{}},"elicitation":{"url":{}}})");
    rig.declared = R"({"elicitation":{"url":{}},"sampling":{"tools":{}}})";
    CHECK(required(form, head, request) == R"({"elicitation":{"form":{}}})");
    CHECK(required(url, head, request).empty());
  }
  CHECK(
      rig.Refusal(
          R"({"resultType":"input_required","inputRequests":{"a":{"method":"elicitation/create","params":{"mode":"voice"}}}})",
          ModernCall("t")) == DenialReason::DENIAL_REASON_UPSTREAM_INVALID);
}

TEST_CASE("an input request with a member in two spellings is refused", "[agent][mcp]") {
  Rig rig;
  rig.askable = {ServerRequestKind::kElicitation};
  for (const std::string twin :
       {R"("Method":"sampling/createMessage")", R"("PARAMS":{})", R"("\u004dethod":7)"}) {
    INFO(twin);
    CHECK(rig.Refusal(R"({"resultType":"input_required","inputRequests":{"a":{)" + twin +
                          R"(,"method":"elicitation/create"}}})",
                      ModernCall("t")) == DenialReason::DENIAL_REASON_UPSTREAM_INVALID);
  }
}

TEST_CASE("input requests that the protocol has not are refused", "[agent][mcp]") {
  Rig rig;
  rig.askable = {ServerRequestKind::kNone, ServerRequestKind::kPing, ServerRequestKind::kSampling,
                 ServerRequestKind::kElicitation, ServerRequestKind::kRoots};
  for (const char* method :
       {R"("tools/call")", R"("ping")", R"("notifications/message")",
        R"("notifications/elicitation/complete")", R"("Roots/list")", "7", R"("")"}) {
    INFO(method);
    const std::string result = R"({"resultType":"input_required","inputRequests":{"a":{"method":)" +
                               std::string(method) + "}}}";
    CHECK(rig.Refusal(result, ModernCall("t")) == DenialReason::DENIAL_REASON_UPSTREAM_INVALID);
  }
  for (const char* requests : {"[]", "null", "7", R"({"a":7})", R"({"a":{}})", R"({"a":[]})"}) {
    INFO(requests);
    CHECK(rig.Refusal(
              R"({"resultType":"input_required","inputRequests":)" + std::string(requests) + "}",
              ModernCall("t")) == DenialReason::DENIAL_REASON_UPSTREAM_INVALID);
  }
  CHECK(rig.Refusal(R"({"resultType":"input_required","requestState":{"a":1}})", ModernCall("t")) ==
        DenialReason::DENIAL_REASON_UPSTREAM_INVALID);
  CHECK(rig.Refusal(R"({"resultType":"input_required"})", List()) ==
        DenialReason::DENIAL_REASON_UPSTREAM_INVALID);
}

TEST_CASE("what a task asks its client is judged like what a call asks", "[agent][mcp]") {
  Rig rig;
  const ClientMessage get = FromClient(ModernRequest("tasks/get", R"("taskId":"t-1")"));
  const auto asking = [](const std::string& method) {
    return R"({"taskId":"t-1","status":"input_required","inputRequests":{"a":{"method":")" +
           method + "\"}}}";
  };
  CHECK(rig.Seen(asking("elicitation/create"), get) == asking("elicitation/create"));
  CHECK(rig.sealed == "nothing");
  CHECK(rig.Refusal(asking("sampling/createMessage"), get) ==
        DenialReason::DENIAL_REASON_POLICY_DENIED);
  CHECK(rig.Refusal(asking("tools/call"), get) == DenialReason::DENIAL_REASON_UPSTREAM_INVALID);
  CHECK(rig.Refusal(
            R"({"resultType":"task","taskId":"t-1","inputRequests":{"a":{"method":"roots/list"}}})",
            ModernCall("t")) == DenialReason::DENIAL_REASON_POLICY_DENIED);
}

TEST_CASE("what a task asks in a notification is judged, too", "[agent][mcp]") {
  const auto reason = [](const std::string& params) {
    const UpstreamMessage news = *ScanUpstreamMessage(
        R"({"jsonrpc":"2.0","method":"notifications/tasks","params":{"taskId":"t-1")" + params +
        "}}");
    return ReasonOf(CheckTaskNews(
        news, [](ServerRequestKind kind) { return kind == ServerRequestKind::kElicitation; }));
  };
  CHECK(reason("") == DenialReason::DENIAL_REASON_UNSPECIFIED);
  CHECK(reason(R"(,"inputRequests":{"a":{"method":"elicitation/create"}})") ==
        DenialReason::DENIAL_REASON_UNSPECIFIED);
  CHECK(
      reason(
          R"(,"inputRequests":{"a":{"method":"elicitation/create"},"b":{"method":"roots/list"}})") ==
      DenialReason::DENIAL_REASON_POLICY_DENIED);
  CHECK(reason(R"(,"inputRequests":{"a":{"method":"tools/call"}})") ==
        DenialReason::DENIAL_REASON_UPSTREAM_INVALID);
  CHECK(reason(R"(,"inputRequests":[])") == DenialReason::DENIAL_REASON_UPSTREAM_INVALID);
}

TEST_CASE("what a task asks is told to those who have declared it", "[agent][mcp]") {
  const std::string url = R"({"a":{"method":"elicitation/create","params":{"mode":"url"}}})";
  const UpstreamMessage news = *ScanUpstreamMessage(
      R"({"jsonrpc":"2.0","method":"notifications/tasks","params":{"taskId":"t-1","inputRequests":)" +
      url + "}}");
  CHECK(CheckDeclaredForNews(news, {.url = true}).ok());
  CHECK(CheckDeclaredForInputs(url, {.url = true}).ok());
  const std::string required = R"({"elicitation":{"url":{}}})";
  CHECK(RequiredCapabilitiesOf(CheckDeclaredForNews(news, {.form = true})) == required);
  CHECK(RequiredCapabilitiesOf(CheckDeclaredForInputs(url, {.form = true})) == required);
}

TEST_CASE("what a task asks for is known by its keys", "[agent][mcp]") {
  Rig rig;
  const std::string asking =
      R"("taskId":"t-1","inputRequests":{"a\u0062":{"method":"elicitation/create"}})";
  const auto got = rig.Narrow(Rig::Wrapped("{" + asking + "}"),
                              FromClient(ModernRequest("tasks/get", R"("taskId":"t-1")")));
  REQUIRE(got.ok());
  CHECK(got->asked == std::vector<std::string>{"ab"});
  const auto asked = [&](const std::string& method) {
    return AskedInTaskNews(*ScanUpstreamMessage(R"({"jsonrpc":"2.0","method":")" + method +
                                                R"(","params":{)" + asking + "}}"));
  };
  CHECK(asked("notifications/tasks") == std::vector<std::string>{"ab"});
  CHECK(asked("notifications/message").empty());
}

TEST_CASE("a call that became a task names it", "[agent][mcp]") {
  Rig rig;
  const auto task = [&](const std::string& result) {
    const auto narrowed = rig.Narrow(Rig::Wrapped(result), ModernCall("t"));
    return narrowed.ok() ? narrowed->task_id : "refused";
  };
  CHECK(task(R"({"resultType":"task","taskId":"t\u002d1"})") == "t-1");
  CHECK(task(R"({"resultType":"complete","taskId":"t-1"})").empty());
  CHECK(task(R"({"taskId":"t-1"})").empty());
  for (const std::string& id : {std::string("7"), std::string(R"("")"), std::string("null"),
                                "\"" + std::string(1025, 't') + "\""}) {
    CHECK(task(R"({"resultType":"task","taskId":)" + id + "}") == "refused");
  }
  CHECK(task(R"({"resultType":"task"})") == "refused");
}

TEST_CASE("a task is over when its status says so to who asks for it", "[agent][mcp]") {
  Rig rig;
  const auto is_over = [&](const std::string& method, const std::string& status) {
    const auto narrowed = rig.Narrow(Rig::Wrapped(R"({"taskId":"t-1","status":")" + status + "\"}"),
                                     FromClient(ModernRequest(method, R"("taskId":"t-1")")));
    REQUIRE(narrowed.ok());
    return narrowed->is_task_over;
  };
  for (const char* end : {"completed", "failed", "cancelled"}) {
    CHECK(is_over("tasks/get", end));
    CHECK_FALSE(is_over("tasks/update", end));
  }
  for (const char* going_on : {"working", "input_required", "Completed", ""}) {
    CHECK_FALSE(is_over("tasks/get", going_on));
  }
}

}  // namespace
}  // namespace sallyport::agent
