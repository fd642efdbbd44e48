#include "agent/mask/credential_echo.h"

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "mask_fixture.h"

namespace sallyport::agent {
namespace {

const std::string kCredential = "p@ss/w\"ord+42?x\\y";

// In clear, or in what is packed again.
bool ShowsMask(const std::string& text) {
  std::string unpacked;
  for (const std::string& one : {text, (absl::Base64Unescape(text, &unpacked), unpacked),
                                 (absl::WebSafeBase64Unescape(text, &unpacked), unpacked)}) {
    if (one.find("[REDACTED:credential]") != std::string::npos) return true;
  }
  return false;
}

TEST_CASE("a credential is found in all its spellings", "[agent][mask]") {
  MaskFixture fixture({"email"});
  fixture.SetCredentials({kCredential});
  const auto quoted = [](const std::string& text) {
    std::string out;
    for (const char c : text) {
      if (c == '"' || c == '\\') out.push_back('\\');
      out.push_back(c);
    }
    return out;
  };
  CHECK(fixture.Text("a " + quoted(kCredential) + " b") == "a [REDACTED:credential] b");
  CHECK(fixture.findings()[0].detector == "credential");
  // JSON-escaped inside a text that is no JSON.
  CHECK(fixture.Text("said: " + quoted(quoted(kCredential))) == "said: [REDACTED:credential]");
  for (const std::string before : {"", "u", "us", "use"}) {
    for (const std::string after : {"", "1", "12"}) {
      const std::string whole = before + kCredential + after;
      std::string encoded = absl::Base64Escape(whole);
      INFO(encoded);
      std::string masked = fixture.Text(encoded);
      CHECK(ShowsMask(masked));
      CHECK(masked.size() < 28 + 12);
      encoded = absl::WebSafeBase64Escape(whole);
      masked = fixture.Text(encoded);
      CHECK(ShowsMask(masked));
    }
  }
  CHECK(fixture.Text("p%40ss%2Fw%22ord%2B42%3Fx%5Cy") == "[REDACTED:credential]");
  CHECK(fixture.Text("p%40ss%2fw%22ord%2b42%3fx%5cy") == "[REDACTED:credential]");
  CHECK(fixture.Text(absl::BytesToHexString(kCredential)) == "[REDACTED:credential]");
}

TEST_CASE("a credential is found however it is cut up and turned", "[agent][mask]") {
  MaskFixture fixture({"email"});
  const std::string credential = "held-Credential_0a1b2c3d4e5f";
  fixture.SetCredentials({credential});
  const std::string mask = "[REDACTED:credential]";
  const std::string hex = absl::BytesToHexString(credential);
  const auto join = [](const std::string& text, std::size_t n, const std::string& by) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); i += n) out += (i == 0 ? "" : by) + text.substr(i, n);
    return out;
  };
  std::string codes;
  std::string references;
  for (const char c : credential) {
    codes += (codes.empty() ? "" : ", ") + std::to_string(c);
    references += "&#" + std::to_string(c) + ";";
  }
  for (const std::string& spelled : std::vector<std::string>{
           credential, absl::AsciiStrToUpper(credential), absl::AsciiStrToLower(credential),
           std::string(credential.rbegin(), credential.rend()), hex, absl::AsciiStrToUpper(hex),
           join(hex, 2, ":"), join(hex, 2, " "), join(credential, 1, " "),
           join(credential, 9, "\\n"), join(credential, 5, "\u200b"),
           join(credential, 4, "\\\" + \\\""), codes, references, "%68" + credential.substr(1),
           "\\u0068" + credential.substr(1), "\\\\u0068" + credential.substr(1),
           std::string("held\\\\u002d") + credential.substr(5),
           std::string("NBSWYZBNINZGKZDFNZ2GSYLML4YGCMLCGJRTGZBUMU2WM===")}) {
    INFO(spelled);
    const std::string masked = fixture.Text("v=(" + spelled + ").");
    CHECK(masked.find(mask) != std::string::npos);
    CHECK(masked.size() <= mask.size() + 10);
  }
  for (std::size_t before = 0; before < 3; ++before) {
    const std::string packed = absl::Base64Escape(std::string(before, '\x01') + credential);
    CHECK(fixture.Text("v=" + join(packed, 15, "\\n")).find(mask) != std::string::npos);
    // Twice: what comes out holds the mask, packed.
    std::string unpacked;
    const std::string twice = fixture.Text(absl::Base64Escape("v=" + packed + ","));
    REQUIRE(absl::Base64Unescape(twice, &unpacked));
    CHECK(ShowsMask(unpacked.substr(2, unpacked.size() - 3)));
  }
  CHECK(fixture.Text("held credential 0a1b2c3d4e5") == "held credential 0a1b2c3d4e5");
}

TEST_CASE("a credential over several values is masked in each, or blocks", "[agent][mask]") {
  MaskFixture fixture({"email"});
  fixture.SetCredentials({"held-credential-0a1b2c3d4e5f"});
  const auto result = [](const std::string& value) {
    return R"({"jsonrpc":"2.0","id":1,"result":{"structuredContent":)" + value + "}}";
  };
  CHECK(
      fixture.Mask(result(R"({"a":["held-","credential-","0a1b2c3d4e5f","x"]})")) ==
      result(
          R"({"a":["[REDACTED:credential]","[REDACTED:credential]","[REDACTED:credential]","x"]})"));
  CHECK(fixture.IsBlocked(result(R"({"held-":"credential-0a1b2c3d4e5f"})")));
  CHECK(fixture.IsBlocked(result(
      "{\"a\":[104,101,108,100,45,99,114,101,100,101,110,116,105,97,108,45,48,97,49,98,50,99,51,"
      "100,52,101,53,102]}")));
}

TEST_CASE("a credential is found inside JSON texts and wins over other findings", "[agent][mask]") {
  MaskFixture fixture({"secrets", "pii"});
  fixture.SetCredentials({kGithubToken, "a@example.com"});
  CHECK(fixture.Text(R"({\"t\":\")" + kGithubToken + R"(\"})") ==
        R"({\"t\":\"[REDACTED:credential]\"})");
  CHECK(fixture.Text("a@example.com") == "[REDACTED:credential]");
}

TEST_CASE("a credential where it cannot be masked blocks the message", "[agent][mask]") {
  MaskFixture fixture({"email"});
  fixture.SetCredentials({"hunter2hunter2", "7777"});
  CHECK(fixture.IsBlocked(R"({"jsonrpc":"2.0","id":1,"result":{"hunter2hunter2":1}})"));
  CHECK(fixture.IsBlocked(R"({"jsonrpc":"2.0","id":1,"result":{"nextCursor":"hunter2hunter2"}})"));
  CHECK(fixture.IsBlocked(R"({"jsonrpc":"2.0","id":"hunter2hunter2","result":{}})"));
  // In a number too short to be looked at by itself: the outgoing bytes are.
  CHECK(fixture.IsBlocked(R"({"jsonrpc":"2.0","id":1,"result":{"n":97777}})"));
  CHECK(fixture.IsBlocked(R"({"jsonrpc":"2.0","method":"x/hunter2hunter2"})"));
}

TEST_CASE("keep_last keeps nothing of a credential", "[agent][mask]") {
  types::v1::MaskProfileSpec profile;
  profile.add_detectors("card");
  (*profile.mutable_operators())["card"].set_keep_last(4);
  MaskFixture fixture({"p"}, {{"p", profile}});
  fixture.SetCredentials({kCard});
  CHECK(fixture.Text(kCard) == "[REDACTED:credential]");
}

TEST_CASE("a credential that is too short is refused", "[agent][mask]") {
  CHECK_FALSE(CredentialEcho::Create(std::vector<std::string>{"abc"}).ok());
  CHECK(CredentialEcho::Create({}).ok());
}

}  // namespace
}  // namespace sallyport::agent
