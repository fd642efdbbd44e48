#include "agent/mask/credential_echo.h"

#include "absl/strings/escaping.h"
#include "mask_fixture.h"

namespace sallyport::agent {
namespace {

const std::string kCredential = "p@ss/w\"ord+42?x\\y";

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
      CHECK(masked.find("[REDACTED:credential]") != std::string::npos);
      CHECK(masked.size() < 21 + 12);
      encoded = absl::WebSafeBase64Escape(whole);
      masked = fixture.Text(encoded);
      CHECK(masked.find("[REDACTED:credential]") != std::string::npos);
    }
  }
  CHECK(fixture.Text("p%40ss%2Fw%22ord%2B42%3Fx%5Cy") == "[REDACTED:credential]");
  CHECK(fixture.Text("p%40ss%2fw%22ord%2b42%3fx%5cy") == "[REDACTED:credential]");
  CHECK(fixture.Text(absl::BytesToHexString(kCredential)) == "[REDACTED:credential]");
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
