#include "agent/mask/json_masker.h"

#include <nlohmann/json.hpp>

#include "mask_fixture.h"

namespace sallyport::agent {
namespace {

std::string Result(const std::string& result) {
  return R"({"jsonrpc":"2.0","id":1,"result":)" + result + "}";
}

TEST_CASE("a clean message stays byte for byte", "[agent][mask]") {
  MaskFixture fixture;
  const std::string message =
      R"( { "jsonrpc":"2.0","id" : "\u0061", "result":{"n":12345678901234567890,"f":5e-324,"t":"\/ \u00e9 \ud83d\ude00","o":{},"a":[ ]} } )";
  CHECK(fixture.Mask(message) == message);
  CHECK(fixture.findings().empty());
}

TEST_CASE("a finding is spliced in and all other bytes stay", "[agent][mask]") {
  MaskFixture fixture;
  CHECK(fixture.Text("a\\u0020 " + kGithubToken + " \\/b\\n") ==
        "a\\u0020 [REDACTED:github] \\/b\\n");
  REQUIRE(fixture.findings().size() == 1);
  CHECK(fixture.findings()[0].detector == "github");
  CHECK(fixture.findings()[0].pointer == "/result/content/0/text");
  CHECK(fixture.Text(kAwsKey + " and " + kAwsKey) == "[REDACTED:aws] and [REDACTED:aws]");
  CHECK(fixture.findings()[0].count == 2);
}

TEST_CASE("a secret that is spelled with escapes is found and cut exactly", "[agent][mask]") {
  MaskFixture fixture;
  std::string escaped;
  for (const char c : kGithubToken) {
    char quad[8];
    std::snprintf(quad, sizeof quad, "\\u%04x", c);
    escaped += quad;
  }
  CHECK(fixture.Text("\\u00e9" + escaped + "\\ud83d\\ude00") ==
        "\\u00e9[REDACTED:github]\\ud83d\\ude00");
  CHECK(fixture.Text("\\u0067" + kGithubToken.substr(1)) == "[REDACTED:github]");
}

TEST_CASE("every place of every kind of message is looked through", "[agent][mask]") {
  MaskFixture fixture;
  const std::string t = kGithubToken;
  for (
      const std::string& message :
      {Result(R"({"content":[{"type":"resource","resource":{"uri":"x:1","text":")" + t +
              R"("}}]})"),
       Result(R"({"structuredContent":{"a":[{"b":")" + t + R"("}]},"content":[]})"),
       Result(R"({"contents":[{"uri":"x:1","text":")" + t + R"("}]})"),
       Result(R"({"messages":[{"role":"user","content":{"type":"text","text":")" + t + R"("}}]})"),
       Result(R"({"completion":{"values":[")" + t + R"("]}})"),
       Result(R"({"tools":[{"name":"a","description":")" + t + R"(","inputSchema":{"default":")" +
              t + R"("}}]})"),
       Result(R"({"instructions":")" + t + R"(","serverInfo":{"name":")" + t + R"("}})"),
       Result(R"({"_meta":{"x":")" + t + R"("},"unknown":{"type":{"type":[")" + t + R"("]}}})"),
       R"({"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":")" + t + R"(","data":[")" + t +
           R"("]}})",
       R"({"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":{"type":")" +
           t + R"("}}})",
       R"({"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1,"message":")" +
           t + R"("}})",
       R"({"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":{"message":")" + t +
           R"(","requestedSchema":{"x":")" + t + R"("}}})",
       R"({"x":")" + t + R"(","jsonrpc":"2.0","id":1,"result":{}})"}) {
    INFO(message);
    const std::string masked = fixture.Mask(message);
    CHECK(masked.find(t) == std::string::npos);
    CHECK(masked.find("[REDACTED:github]") != std::string::npos);
  }
}

TEST_CASE("a finding where it cannot be masked blocks the message", "[agent][mask]") {
  MaskFixture fixture;
  const std::string t = kGithubToken;
  for (const std::string& message :
       {Result(R"({"structuredContent":{")" + t + R"(":1}})"), Result(R"({")" + t + R"(":1})"),
        R"({"jsonrpc":"2.0","id":1,"result":{},")" + t + R"(":1})",
        Result(R"({"tools":[],"nextCursor":")" + t + R"("})"),
        Result(R"({"content":[{"type":")" + t + R"("}]})"),
        Result(R"({"contents":[{"uri":"x:)" + t + R"(","text":""}]})"),
        Result(R"({"content":[{"type":"resource_link","uri":"x:)" + t + R"("}]})"),
        Result(R"({"messages":[{"role":")" + t + R"("}]})"),
        Result(R"({"tools":[{"name":")" + t + R"("}]})"),
        Result(R"({"resourceTemplates":[{"uriTemplate":")" + t + R"("}]})"),
        Result(R"({"taskId":")" + t + R"("})"),
        R"({"jsonrpc":"2.0","id":")" + t + R"(","method":"ping"})",
        R"({"jsonrpc":"2.0","method":")" + t + R"("})",
        R"({"jsonrpc":"2.0","id":1,"method":"roots/list","params":{"_meta":{"progressToken":")" +
            t + R"("}}})",
        R"({"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":")" + t +
            R"(","progress":1}})"}) {
    INFO(message);
    CHECK(fixture.IsBlocked(message));
  }
}

TEST_CASE("the client's own id is given back whatever it looks like", "[agent][mask]") {
  MaskFixture fixture;
  const std::string message = R"({"jsonrpc":"2.0","id":")" + kGithubToken + R"(","result":{}})";
  CHECK(fixture.Mask(message) == message);
  const std::string number = R"({"jsonrpc":"2.0","id":)" + kCard + R"(,"result":{}})";
  CHECK(fixture.Mask(number) == number);
}

TEST_CASE("JSON in a string is masked inside and spliced through its escapes", "[agent][mask]") {
  MaskFixture fixture;
  CHECK(fixture.Text(R"({\"a\": \")" + kGithubToken + R"(\", \"b\":\"\\u00e9\"})") ==
        R"({\"a\": \"[REDACTED:github]\", \"b\":\"\\u00e9\"})");
  // Line ends that are escapes of the inner text are white space of the key.
  CHECK(
      fixture.Text(
          R"({\"k\":\"-----BEGIN PRIVATE KEY-----\\nMIIEvAIBADANBg\\n-----END PRIVATE KEY-----\\n\"})") ==
      R"({\"k\":\"-----BEGIN PRIVATE KEY-----\\n[REDACTED:pem]\\n-----END PRIVATE KEY-----\\n\"})");
  CHECK(fixture.Text(R"([{\"card\": )" + kCard + R"(}])") == R"([{\"card\": 0}])");
  // A name inside can be masked: nobody looks for it.
  CHECK(fixture.Text(R"({\")" + kGithubToken + R"(\":1})") == R"({\"[REDACTED:github]\":1})");
  // Twice.
  const nlohmann::json inner = {
      {"log", nlohmann::json({{"token", kGithubToken}, {"x", "\"\\\n"}}).dump()}};
  const nlohmann::json outer = {{"lines", {inner.dump(), "plain"}}};
  const std::string raw = nlohmann::json(outer.dump()).dump();
  const std::string masked = fixture.Text(raw.substr(1, raw.size() - 2));
  const auto decoded =
      nlohmann::json::parse(nlohmann::json::parse("\"" + masked + "\"").get<std::string>());
  const auto log = nlohmann::json::parse(
      nlohmann::json::parse(decoded["lines"][0].get<std::string>())["log"].get<std::string>());
  CHECK(log["token"] == "[REDACTED:github]");
  CHECK(log["x"] == "\"\\\n");
  CHECK(decoded["lines"][1] == "plain");
  REQUIRE(fixture.findings().size() == 1);
  CHECK(fixture.findings()[0].pointer == "/result/content/0/text");
}

TEST_CASE("what only looks like JSON is looked through as text", "[agent][mask]") {
  MaskFixture fixture;
  CHECK(fixture.Text("{not json " + kGithubToken + "}") == "{not json [REDACTED:github]}");
  CHECK(fixture.Text("[1] " + kGithubToken + " [2]") == "[1] [REDACTED:github] [2]");
}

TEST_CASE("JSON that hides too deep blocks the message", "[agent][mask]") {
  MaskFixture fixture;
  std::string text = "x";
  for (int i = 0; i < 9; ++i) text = nlohmann::json({{"a", text}}).dump();
  CHECK(fixture.IsBlocked(
      Result(R"({"content":[{"type":"text","text":)" + nlohmann::json(text).dump() + "}]}")));
  const std::string deep = std::string(70, '[') + std::string(70, ']');
  CHECK(fixture.IsBlocked(Result(R"({"content":[{"type":"text","text":")" + deep + R"("}]})")));
}

TEST_CASE("types are kept", "[agent][mask]") {
  MaskFixture fixture;
  CHECK(fixture.Mask(
            Result(R"({"structuredContent":{"n":)" + kCard + R"(,"s":")" + kCard + R"("}})")) ==
        Result(R"({"structuredContent":{"n":0,"s":"[REDACTED:card]"}})"));
}

TEST_CASE("a blob of text is decoded, masked and encoded again", "[agent][mask]") {
  MaskFixture fixture;
  // "token=<token>\n" and a PNG's head.
  const std::string blob = "dG9rZW49Z2hwX2FCM2RFNmdIOWpLMm1ONXBROHNUMXZXNHlaN2NGMGlMM29SNgo=";
  CHECK(fixture.Mask(Result(R"({"contents":[{"uri":"x:1","blob":")" + blob + R"("}]})")) ==
        Result(R"({"contents":[{"uri":"x:1","blob":"dG9rZW49W1JFREFDVEVEOmdpdGh1Yl0K"}]})"));
  const std::string picture =
      R"({"contents":[{"uri":"x:1","blob":"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"}]})";
  CHECK(fixture.Mask(Result(picture)) == Result(picture));
}

TEST_CASE("a split token in two strings is not joined by the search", "[agent][mask]") {
  MaskFixture fixture;
  const std::string message = Result(
      R"({"content":[{"type":"text","text":"ghp_aB3dE6gH9jK2mN5"},{"type":"text","text":"x"}]})");
  CHECK(fixture.Mask(message) == message);
}

TEST_CASE("a refusal of our own needs no masking", "[agent][mask]") {
  const MaskedMessage refusal =
      Masker::Refusal("\"x\"", types::v1::DenialReason::DENIAL_REASON_MASKER_BLOCKED);
  const auto json = nlohmann::json::parse(refusal.bytes());
  CHECK(json["id"] == "x");
  CHECK(json["error"]["code"] == 40305);
  CHECK(json["error"]["data"]["reason"] == "masker_blocked");
}

TEST_CASE("a session without a plan gets nothing", "[agent][mask]") {
  MaskFixture fixture;
  fixture.mask().plan = nullptr;
  CHECK(fixture.IsBlocked(Result("{}")));
}

TEST_CASE("bytes that are no clean message are blocked, not passed", "[agent][mask]") {
  MaskFixture fixture;
  UpstreamMessage message;
  for (const char* bytes : {"", "{", R"({"a":1,"a":2})", "\"text\"", "{\"a\":\"\xff\"}"}) {
    message.bytes = bytes;
    CHECK(ReasonOf(fixture.masker().Mask(message, fixture.mask()).status()) ==
          types::v1::DenialReason::DENIAL_REASON_MASKER_BLOCKED);
  }
}

TEST_CASE("a request's record is masked everywhere", "[agent][mask]") {
  MaskFixture fixture;
  const auto message = ScanClientMessage(
      R"({"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"x:)" + kGithubToken +
      R"(","_meta":{")" + kAwsKey + R"(":{"b":")" + kGithubToken + R"("}}}})");
  REQUIRE(message.ok());
  const auto masked = fixture.masker().MaskRequest(*message, fixture.mask());
  REQUIRE(masked.ok());
  CHECK(
      masked->bytes ==
      R"({"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"x:[REDACTED:github]","_meta":{"[REDACTED:aws]":{"b":"[REDACTED:github]"}}}})");
  // No pointer spells a name that was masked.
  for (const Finding& finding : masked->findings)
    CHECK(finding.pointer.find(kAwsKey) == std::string::npos);
  CHECK(masked->findings.size() == 3);
}

TEST_CASE("approvers see type and length, and no invisible character", "[agent][mask]") {
  MaskFixture fixture;
  const auto masked =
      fixture.masker().MaskArguments("{\"to\":\"safe\u202egnp.exe\",\"t\":\"" + kGithubToken +
                                         "\",\"z\":\"a\u200bb\ufeff\u00ad\u0085\"}",
                                     fixture.mask());
  REQUIRE(masked.ok());
  CHECK(
      *masked ==
      R"({"to":"safe\u202egnp.exe","t":"[REDACTED:github, 40 characters]","z":"a\u200bb\ufeff\u00ad\u0085"})");
  CHECK(fixture.masker().MaskArguments("", fixture.mask())->empty());
  CHECK_FALSE(fixture.masker().MaskArguments("{", fixture.mask()).ok());
}

TEST_CASE("text made of anchors costs one pass", "[agent][mask]") {
  MaskFixture fixture;
  for (const char* unit :
       {"-----BEGIN PRIVATE KEY-----", "eyJhbGci", "github_pat_", "xoxb-", "secret_access_key",
        "://a:b", "AKIA", "a@", "hooks.slack.com/s/", "ABSK", "4111 ", "IQoJb3JpZ2lu"}) {
    std::string text;
    while (text.size() < 400'000) text += unit;
    auto message =
        ScanUpstreamMessage(Result(R"({"content":[{"type":"text","text":")" + text + R"("}]})"));
    REQUIRE(message.ok());
    CHECK(fixture.masker().Mask(*std::move(message), fixture.mask()).ok());
  }
}

}  // namespace
}  // namespace sallyport::agent
