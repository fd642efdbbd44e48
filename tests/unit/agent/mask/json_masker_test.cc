#include "agent/mask/json_masker.h"

#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/str_replace.h"
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

TEST_CASE("a value that is found in a text and in the JSON in it counts once", "[agent][mask]") {
  MaskFixture fixture;
  CHECK(
      fixture.Text(R"(Echo: {\"mail\":\"ada@example.com\",\"token\":\")" + kGithubToken +
                   R"(\"} for bob@example.com)") ==
      R"(Echo: {\"mail\":\"[REDACTED:email]\",\"token\":\"[REDACTED:github]\"} for [REDACTED:email])");
  REQUIRE(fixture.findings().size() == 2);
  for (const Finding& finding : fixture.findings()) {
    CAPTURE(finding.detector);
    CHECK(finding.pointer == "/result/content/0/text");
    CHECK(finding.count == (finding.detector == "email" ? 2 : 1));
  }
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

// The inside of a JSON string that holds `text`.
std::string Escaped(const std::string& text) {
  const std::string quoted = nlohmann::json(text).dump();
  return quoted.substr(1, quoted.size() - 2);
}

std::string UnicodeEscapes(const std::string& text) {
  std::string out;
  for (const char c : text) {
    char quad[8];
    std::snprintf(quad, sizeof quad, "\\u%04x", c);
    out += quad;
  }
  return out;
}

TEST_CASE("escapes are undone in text that is not one JSON document", "[agent][mask]") {
  MaskFixture fixture;
  const std::string t = UnicodeEscapes(kGithubToken);
  const std::string m = "[REDACTED:github]";
  const auto text = [&](const std::string& decoded) {
    return nlohmann::json::parse("\"" + fixture.Text(Escaped(decoded)) + "\"").get<std::string>();
  };
  for (const auto& [before, after] : std::vector<std::pair<std::string, std::string>>{
           {"{\"b\":1}\n{\"a\":\"", "\"}"},
           {"Result: {\"a\":\"", "\"} (1 row)"},
           {"```json\n{\"a\":\"", "\"}\n```"},
           {"{\"a\":1} {\"a\":\"", "\"}"},
           {"log {\"a\":\"{\\\"b\\\":\\\"", "\\\"}\"}"},
           {"'", "'"},
           {"", ""}}) {
    CHECK(text(before + t + after) == before + m + after);
    CHECK(text(before + "\\u0067" + kGithubToken.substr(1) + after) == before + m + after);
    // Escaped once more, and as C and JavaScript do.
    CHECK(text(before + Escaped(t) + after) == before + m + after);
    CHECK(text(before + Escaped(Escaped(t)) + after) == before + m + after);
    CHECK(text(before + "\\x67\\u{68}" + kGithubToken.substr(2) + after) == before + m + after);
    CHECK(text(before + "\\u005cu0067" + kGithubToken.substr(1) + after) == before + m + after);
  }
  CHECK(text("a\n" + std::string(3000, 'x') + " \\u0067" + kGithubToken.substr(1) + " " +
             std::string(3000, 'y') + " \\u0041") ==
        "a\n" + std::string(3000, 'x') + " " + m + " " + std::string(3000, 'y') + " \\u0041");
  CHECK(text("x https:\\/\\/u:hunter2@host") == "x https:\\/\\/u:[REDACTED:url_credentials]@host");
  const std::string body(64, 'M');
  std::string key = "k: \"-----BEGIN PRIVATE KE\\u0059-----\\n";
  for (int i = 0; i < 50; ++i) key += body + "\n";
  CHECK(text(key + "-----END PRIVATE KEY-----\\n\"").find(body) == std::string::npos);
  // A path is none.
  CHECK(text("C:\\new\\users\\x \\\\srv\\u") == "C:\\new\\users\\x \\\\srv\\u");
}

TEST_CASE("other escapes are undone, and what nobody sees is seen through", "[agent][mask]") {
  MaskFixture fixture;
  std::string percent;
  std::string decimal;
  std::string wide;
  std::string spaced;
  for (const char c : kGithubToken) {
    char unit[16];
    std::snprintf(unit, sizeof unit, "%%%02X", c);
    percent += unit;
    std::snprintf(unit, sizeof unit, "&#%d;", c);
    decimal += unit;
    std::snprintf(unit, sizeof unit, "\\u%04x", c - '!' + 0xff01);
    wide += unit;
    spaced += std::string(1, c) + "\\u200b";
  }
  for (const std::string& spelled :
       {percent, decimal, wide, std::string("%2567") + kGithubToken.substr(1),
        std::string("&amp;#103;") + kGithubToken.substr(1),
        kGithubToken.substr(0, 20) + "=\\n" + kGithubToken.substr(20),
        kGithubToken.substr(0, 20) + "\\\\\\n   " + kGithubToken.substr(20)}) {
    INFO(spelled);
    CHECK(fixture.Text("a " + spelled + " b") == "a [REDACTED:github] b");
  }
  CHECK(fixture.Text("a " + spaced + " b").find("REDACTED:github") != std::string::npos);
  CHECK(fixture.Text("a " + spaced + " b").find("aB3") == std::string::npos);
  for (const char* text : {"100% of 50%2 &amp; &x; a=b ======\\nx", "caf\u00e9 \u201cx\u201d",
                           "\u041f\u0440\u0438\u0432\u0435\u0442 %d0%9f"}) {
    CHECK(fixture.Text(text) == text);
  }
}

TEST_CASE("text in base64 and hex is masked inside and packed the same way", "[agent][mask]") {
  MaskFixture fixture;
  const std::string plain = "password file\ntoken=" + kGithubToken + "\nx=1?>~";
  const std::string masked = "password file\ntoken=[REDACTED:github]\nx=1?>~";
  const auto unpadded = [](std::string text) {
    while (text.back() == '=') text.pop_back();
    return text;
  };
  const auto wrapped = [](const std::string& text, std::size_t line,
                          const std::string& line_break) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); i += line)
      out += (i == 0 ? "" : line_break) + text.substr(i, line);
    return out;
  };
  const auto check = [&](const std::string& before, const std::string& after) {
    INFO(before);
    CHECK(fixture.Text("data: " + before + "\\n x") == "data: " + after + "\\n x");
  };
  const std::string standard = absl::Base64Escape(plain);
  const std::string url = absl::WebSafeBase64Escape(plain);
  check(standard, absl::Base64Escape(masked));
  check(unpadded(standard), unpadded(absl::Base64Escape(masked)));
  check(url, absl::WebSafeBase64Escape(masked));
  for (const std::string line_break : {"\\n", "\\r\\n", "\\n    "}) {
    check(wrapped(standard, 32, line_break), wrapped(absl::Base64Escape(masked), 32, line_break));
  }
  check(absl::BytesToHexString(plain), absl::BytesToHexString(masked));
  check(absl::Base64Escape(standard), absl::Base64Escape(absl::Base64Escape(masked)));
  // Behind a path, and in text that is JSON itself.
  CHECK(fixture.Text("a/b" + standard).find(standard.substr(30)) == std::string::npos);
  CHECK(fixture.Text(absl::Base64Escape(R"({"token":")" + kGithubToken + R"("})")) ==
        absl::Base64Escape(R"({"token":"[REDACTED:github]"})"));
  // Two ways to the same finding.
  CHECK(fixture.Text("\\\\n" + standard + "\\\\n") ==
        "\\\\n" + absl::Base64Escape(masked) + "\\\\n");
  for (const std::string& text :
       {std::string("da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        absl::Base64Escape("nothing to be found in this text"),
        std::string("eaf330a9-895e-470d-a93b-e139a6708473"),
        std::string("src/agent/mask/a_rather_long_file_name_of_nothing")}) {
    CHECK(fixture.Text(text) == text);
  }
}

TEST_CASE("text in a blob is found wherever it stands", "[agent][mask]") {
  MaskFixture fixture;
  const auto blob = [&](const std::string& bytes) {
    const std::string head =
        R"({"jsonrpc":"2.0","id":1,"result":{"contents":[{"uri":"x:1","blob":")";
    const std::string masked = fixture.Mask(head + bytes + "\"}]}}");
    return masked.substr(head.size(), masked.size() - head.size() - 5);
  };
  CHECK(blob("NDExMTExMTExMTExMTExMQ") == "W1JFREFDVEVEOmNhcmRd");
  CHECK(blob("Z2hwX2FCM2RFNmdIOWpLMm1ONXBROHNUMXZXNHlaN2NGMGlMM29SNg") ==
        "W1JFREFDVEVEOmdpdGh1Yl0");
  std::string picture = "\x89PNG\r\n\x1a\n";
  for (int i = 0; i < 400; ++i) picture.push_back(static_cast<char>(i * 7 % 32));
  const std::string clean = absl::Base64Escape(picture);
  CHECK(blob(clean) == clean);
  const std::string text = " a comment of some length " + kGithubToken + " and more ";
  CHECK(blob(absl::Base64Escape(picture + text + picture))
            .find(absl::Base64Escape(text).substr(12, 24)) == std::string::npos);
}

TEST_CASE("text among other bytes is masked to the byte, and what stands around it stays",
          "[agent][mask]") {
  MaskFixture fixture;
  const std::string member = GENERATE("blob", "text");
  // Its base64, in lines of that length (0: one line), masked and decoded again.
  const auto blob = [&](const std::string& bytes, std::size_t line = 0) {
    const std::string head =
        R"({"jsonrpc":"2.0","id":1,"result":{"contents":[{"uri":"x:1",")" + member + "\":\"";
    std::string packed = absl::Base64Escape(bytes);
    for (std::size_t i = line; line != 0 && i < packed.size(); i += line + 2)
      packed.insert(i, "\\n");
    const std::string masked = fixture.Mask(head + packed + "\"}]}}");
    std::string decoded;
    CHECK(absl::Base64Unescape(
        absl::StrReplaceAll(masked.substr(head.size(), masked.size() - head.size() - 5),
                            {{"\\n", ""}}),
        &decoded));
    return decoded;
  };
  // Spaces fill groups up.
  const auto unfilled = [](std::string bytes) {
    std::erase(bytes, ' ');
    return bytes;
  };
  const std::string other("\x01\x00\xff\x80\x00\x1f\x00", 7);
  const std::string nul(1, '\0');
  for (std::size_t before = 0; before < 13; ++before) {
    for (std::size_t after = 0; after < 13; ++after) {
      for (const std::size_t line : {0, 76, 20}) {
        CAPTURE(before, after, line);
        const std::string head = std::string(before, '\0') + other + "(";
        const std::string tail = other + std::string(after, '\xfe');
        CHECK(unfilled(blob(head + kGithubToken + tail, line)) ==
              head + "[REDACTED:github]" + tail);
        CHECK(unfilled(blob(head + kAwsKey + tail, line)) == head + "[REDACTED:aws]" + tail);
        CHECK(unfilled(blob(head + kGithubToken + nul + kAwsKey + tail, line)) ==
              head + "[REDACTED:github]" + nul + "[REDACTED:aws]" + tail);
        const std::string variables = std::string(before, 'v') + nul + "GITHUB_TOKEN=";
        const std::string home = nul + "HOME=/root" + std::string(after, 'h') + nul;
        CHECK(unfilled(blob(variables + kGithubToken + home, line)) ==
              variables + "[REDACTED:github]" + home);
      }
    }
  }
  // In hex, too.
  const std::string hex = absl::BytesToHexString(other + kGithubToken + other + kAwsKey + other);
  CHECK(fixture.Text("a " + hex + " b") ==
        "a " +
            absl::BytesToHexString(other + "[REDACTED:github]" + other + "[REDACTED:aws]" + other) +
            " b");
  // Nothing is found, and nothing is touched.
  std::string clean;
  for (unsigned i = 0; i < 3000; ++i) {
    clean.push_back(static_cast<char>(i * 2654435761u >> 24));
    if (i % 100 == 0) clean += "a text of some length";
  }
  CHECK(blob(clean) == clean);
}

TEST_CASE("what is packed in a value that must stay blocks the message", "[agent][mask]") {
  MaskFixture fixture;
  CHECK(fixture.IsBlocked(Result(R"({"tools":[],"nextCursor":")" +
                                 absl::Base64Escape("cursor " + kGithubToken) + R"("})")));
  CHECK(fixture.IsBlocked(
      Result(R"({"tools":[],"nextCursor":"%67)" + kGithubToken.substr(1) + R"("})")));
  CHECK(fixture.IsBlocked(
      Result(R"({"structuredContent":{"%67)" + kGithubToken.substr(1) + R"(":1}})")));
}

TEST_CASE("a number that is a card is found in each of its spellings", "[agent][mask]") {
  MaskFixture fixture;
  for (const char* number :
       {"4111111111111111", "4111111111111111.0", "4111111111111111.000", "4.111111111111111e15",
        "4.111111111111111E+15", "41111111111111110e-0", "-4111111111111111"}) {
    const std::string message =
        Result(R"({"structuredContent":{"n":)" + std::string(number) + "}}");
    INFO(number);
    if (std::string(number).find("e-") != std::string::npos) {
      CHECK(fixture.Mask(message) == message);
      continue;
    }
    CHECK(fixture.Mask(message) == Result(R"({"structuredContent":{"n":0}})"));
  }
  for (const char* number : {"4111111111111111.5", "4.1111111111111115e15", "4.111111111111111e-15",
                             "4111111111111112.0", "1.7e308"}) {
    const std::string message =
        Result(R"({"structuredContent":{"n":)" + std::string(number) + "}}");
    CHECK(fixture.Mask(message) == message);
  }
}

TEST_CASE("text that is escaped and packed too deep blocks, long runs of escapes do not",
          "[agent][mask]") {
  MaskFixture fixture;
  std::string packed = "some text in here " + kGithubToken;
  std::string escaped = "%67";
  for (int i = 0; i < 9; ++i) {
    packed = absl::Base64Escape(packed);
    escaped = "%25" + escaped.substr(1);
  }
  CHECK(fixture.IsBlocked(Result(R"({"x":")" + packed + R"("})")));
  CHECK(fixture.IsBlocked(Result(R"({"x":")" + escaped + R"("})")));
  for (const std::string& text :
       {std::string(4000, '\\'), std::string(4000, '='), std::string(200, '&') + "amp;",
        std::string("=\\n=\\n=\\n=\\n")}) {
    CHECK(fixture.Text(text) == text);
  }
}

TEST_CASE("field rules reach JSON that stands among other text", "[agent][mask]") {
  types::v1::MaskProfileSpec profile;
  profile.add_detectors("github");
  profile.add_fields()->add_keys("password");
  MaskFixture fixture({"p"}, {{"p", profile}});
  const auto text = [&](const std::string& decoded) {
    return nlohmann::json::parse("\"" + fixture.Text(Escaped(decoded)) + "\"").get<std::string>();
  };
  CHECK(text("{\"password\":\"a\"}\n{\"password\":7,\"b\":2}") ==
        "{\"password\":\"[REDACTED:field]\"}\n{\"password\":0,\"b\":2}");
  CHECK(text("```json\n[{\"password\":\"" + kGithubToken + "\"}]\n```") ==
        "```json\n[{\"password\":\"[REDACTED:field]\"}]\n```");
  CHECK(text("x {\"a\":\"{\\\"password\\\":\\\"b\\\"}\"} y") ==
        "x {\"a\":\"{\\\"password\\\":\\\"[REDACTED:field]\\\"}\"} y");
  CHECK(text("{ not json {\"password\":1}") == "{ not json {\"password\":0}");
  CHECK(text("f(){ \"}\" [1]") == "f(){ \"}\" [1]");
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

std::shared_ptr<const ClientMessage> Request(const std::string& method, const std::string& params,
                                             const std::string& id = "1") {
  auto message = ScanClientMessage(R"({"jsonrpc":"2.0","id":)" + id + R"(,"method":")" + method +
                                   R"(","params":)" + params + "}");
  REQUIRE(message.ok());
  return std::make_shared<const ClientMessage>(*std::move(message));
}

TEST_CASE("a request's record is masked everywhere", "[agent][mask]") {
  MaskFixture fixture;
  const auto message =
      Request("resources/read", R"({"uri":"x:)" + kGithubToken + R"(","_meta":{")" + kAwsKey +
                                    R"(":{"b":")" + kGithubToken + R"("}}})");
  const auto masked = fixture.masker().MaskRequest(message, fixture.mask());
  REQUIRE(masked.ok());
  CHECK(
      masked->bytes() ==
      R"({"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"x:[REDACTED:github]","_meta":{"[REDACTED:aws]":{"b":"[REDACTED:github]"}}}})");
  CHECK(masked->message().bytes == message->bytes);
  // No pointer spells a name that was masked.
  for (const Finding& finding : masked->findings())
    CHECK(finding.pointer.find(kAwsKey) == std::string::npos);
  CHECK(masked->findings().size() == 3);
}

TEST_CASE("records name a request as its body is masked", "[agent][mask]") {
  MaskFixture fixture({"secrets", "pii"}, {});
  const std::string t = kGithubToken;
  const auto shown = [&](const std::string& method, const std::string& params,
                         const std::string& id = "1") {
    const auto masked = fixture.masker().MaskRequest(Request(method, params, id), fixture.mask());
    REQUIRE(masked.ok());
    return std::string(masked->method()) + " " + std::string(masked->target()) + " " +
           std::string(masked->rpc_id());
  };
  CHECK(shown("tools/call", R"({"name":"echo"})") == "tools/call echo 1");
  CHECK(shown("tools/call", R"({"name":"echo","arguments":{"t":")" + t + R"("}})") ==
        "tools/call echo 1");
  CHECK(shown("tools/call", R"({"uri":"x","name":"a)" + t + R"("})") ==
        "tools/call a[REDACTED:github] 1");
  CHECK(shown("prompts/get", R"({"name":"a\u0020\u0067)" + t.substr(1) + R"("})") ==
        "prompts/get a [REDACTED:github] 1");
  CHECK(shown("resources/read", R"({"name":"n","uri":"https://h/?k=)" + t + R"("})") ==
        "resources/read https://h/?k=[REDACTED:github] 1");
  CHECK(shown("resources/subscribe", R"({"uri":"https://u:)" + t + R"(@h/"})") ==
        "resources/subscribe https://u:[REDACTED:url_credentials]@h/ 1");
  const std::string ref = R"({"argument":{"name":"a","value":""},"ref":)";
  CHECK(shown("completion/complete", ref + R"({"type":"ref/prompt","name":")" + t + R"("}})") ==
        "completion/complete [REDACTED:github] 1");
  CHECK(shown("completion/complete", ref + R"({"type":"ref/resource","uri":")" + t + R"("}})") ==
        "completion/complete [REDACTED:github] 1");
  CHECK(shown("x/" + t, "{}") == "x/[REDACTED:github]  1");
  CHECK(shown("ping", "{}", '"' + t + '"') == R"(ping  "[REDACTED:github]")");
  CHECK(shown("ping", "{}", kCard) == "ping  0");
}

TEST_CASE("a credential in a target is masked where a record names it", "[agent][mask]") {
  MaskFixture fixture;
  fixture.SetCredentials({"hold-this-one-back-9"});
  const auto masked = fixture.masker().MaskRequest(
      Request("resources/read", R"({"uri":"x:Hold-This-One-Back-9/y"})"), fixture.mask());
  REQUIRE(masked.ok());
  CHECK(masked->target() == "x:[REDACTED:credential]/y");
}

TEST_CASE("the name of a tool is masked by a field rule where its body is", "[agent][mask]") {
  types::v1::MaskProfileSpec profile;
  auto* field = profile.add_fields();
  field->add_keys("name");
  MaskFixture fixture({"house"}, {{"house", profile}});
  const auto masked =
      fixture.masker().MaskRequest(Request("tools/call", R"({"name":"echo"})"), fixture.mask());
  REQUIRE(masked.ok());
  CHECK(masked->target() == "[REDACTED:field]");
}

TEST_CASE("a client's answer hides a secret in its id", "[agent][mask]") {
  MaskFixture fixture;
  auto answer =
      ScanClientMessage(R"({"jsonrpc":"2.0","id":")" + kGithubToken + R"(","result":{}})");
  REQUIRE(answer.ok());
  const ShownRequest shown = fixture.masker().Show(
      std::make_shared<const ClientMessage>(*std::move(answer)), fixture.mask());
  CHECK(shown.rpc_id() == R"("[REDACTED:github]")");
}

TEST_CASE("a request that cannot be masked is named by a method of the protocol's alone",
          "[agent][mask]") {
  MaskFixture fixture;
  fixture.mask().plan = nullptr;
  const ShownRequest known =
      fixture.masker().Show(Request("tools/call", R"({"name":"echo"})"), fixture.mask());
  CHECK(known.method() == "tools/call");
  CHECK(known.target().empty());
  CHECK(known.rpc_id().empty());
  CHECK(known.hides_id());
  CHECK(fixture.masker().Show(Request("x/y", "{}"), fixture.mask()).method().empty());
  CHECK(fixture.masker().Show("a text", fixture.mask()).view() ==
        "withheld, for it cannot be masked");
}

TEST_CASE("a text that quotes somebody is masked like any other", "[agent][mask]") {
  MaskFixture fixture;
  const auto shown = [&](const std::string& text) {
    return std::string(fixture.masker().Show(text, fixture.mask()).view());
  };
  CHECK(shown("policy does not allow resources/read of \"x\"\n") ==
        "policy does not allow resources/read of \"x\"\n");
  CHECK(shown("no tool \"" + kGithubToken + "\" here") == "no tool \"[REDACTED:github]\" here");
  CHECK(shown("{\"a\":\"" + kGithubToken + "\"}") == "{\"a\":\"[REDACTED:github]\"}");
  CHECK(shown("\xff") == "\ufffd");
}

TEST_CASE("approvers see type and length, and no invisible character", "[agent][mask]") {
  MaskFixture fixture;
  const auto shown = fixture.masker().ShowToApprover(
      *Request("tools/call", "{\"name\":\"a\u202eb" + kGithubToken +
                                 "\\n\",\"arguments\":{\"to\":\"safe\u202egnp.exe\",\n\"t\":\"" +
                                 kGithubToken +
                                 "\",\"z\":\"a\u200bb\ufeff\u00ad\u0085\U000e0041\"}}"),
      fixture.mask());
  REQUIRE(shown.ok());
  CHECK(shown->target == R"(a\u202eb[REDACTED:github, 40 characters]\u000a)");
  CHECK(shown->arguments ==
        "{\"to\":\"safe\\u202egnp.exe\",\n"
        "\"t\":\"[REDACTED:github, 40 characters]\","
        "\"z\":\"a\\u200bb\\ufeff\\u00ad\\u0085\\udb40\\udc41\"}");
  CHECK(fixture.masker()
            .ShowToApprover(*Request("tools/call", R"({"name":"a"})"), fixture.mask())
            ->arguments.empty());
}

TEST_CASE("a call whose method would have to be masked goes to no approver", "[agent][mask]") {
  MaskFixture fixture;
  CHECK(ReasonOf(fixture.masker()
                     .ShowToApprover(*Request("x/" + kGithubToken, "{}"), fixture.mask())
                     .status()) == types::v1::DENIAL_REASON_MASKER_BLOCKED);
  fixture.mask().plan = nullptr;
  CHECK_FALSE(fixture.masker()
                  .ShowToApprover(*Request("tools/call", R"({"name":"a"})"), fixture.mask())
                  .ok());
}

TEST_CASE("text made of anchors costs one pass", "[agent][mask]") {
  MaskFixture fixture;
  for (const char* unit : {"-----BEGIN PRIVATE KEY-----",
                           "eyJhbGci",
                           "github_pat_",
                           "xoxb-",
                           "secret_access_key",
                           "://a:b",
                           "AKIA",
                           "a@",
                           "hooks.slack.com/s/",
                           "ABSK",
                           "4111 ",
                           "IQoJb3JpZ2lu",
                           "{\\\"a",
                           "[[",
                           "%25",
                           "\\\\u005c",
                           "a@b.cc,",
                           "https://a:1/",
                           "&amp;",
                           "\\\\",
                           "\\\\u00",
                           "=\\n",
                           "ghs_a.",
                           "\\\"@a.",
                           "\uff14",
                           "YWFh",
                           "6161",
                           "PRIVATE KEY\\\\n",
                           "a@b.cc\\n"}) {
    std::string text;
    while (text.size() < 400'000) text += unit;
    auto message =
        ScanUpstreamMessage(Result(R"({"content":[{"type":"text","text":")" + text + R"("}]})"));
    REQUIRE(message.ok());
    INFO(unit);
    CHECK(fixture.masker().Mask(*std::move(message), fixture.mask()).ok());
  }
}

}  // namespace
}  // namespace sallyport::agent
