#include "agent/mask/mask_plan.h"

#include <algorithm>

#include "mask_fixture.h"

namespace sallyport::agent {
namespace {

using types::v1::MaskProfileSpec;

MaskProfileSpec Profile(std::vector<std::string> detectors = {}) {
  MaskProfileSpec profile;
  for (const std::string& detector : detectors) profile.add_detectors(detector);
  return profile;
}

void AddPattern(MaskProfileSpec& profile, const std::string& name, const std::string& re2) {
  auto* pattern = profile.add_patterns();
  pattern->set_name(name);
  pattern->set_re2(re2);
}

TEST_CASE("an unset mask means secrets", "[agent][mask]") {
  MaskFixture fixture(std::vector<std::string>{});
  CHECK(fixture.Text(kGithubToken + " a@example.com") == "[REDACTED:github] a@example.com");
}

TEST_CASE("a detector alone finds only its own", "[agent][mask]") {
  MaskFixture fixture({"email"});
  CHECK(fixture.Text(kGithubToken + " a@example.com") == kGithubToken + " [REDACTED:email]");
}

TEST_CASE("profiles add up and the stricter operator holds", "[agent][mask]") {
  MaskProfileSpec kept = Profile({"card", "email"});
  (*kept.mutable_operators())["card"].set_keep_last(4);
  (*kept.mutable_operators())["default"].set_name("drop");
  MaskFixture alone({"kept"}, {{"kept", kept}});
  CHECK(alone.Text(kCard + " a@example.com.") == "[REDACTED:card]1111 .");
  MaskFixture both({"kept", "pii"}, {{"kept", kept}});
  CHECK(both.Text(kCard + " a@example.com.") == "[REDACTED:card] .");
}

TEST_CASE("a token is the same for the same value and another under another key", "[agent][mask]") {
  MaskProfileSpec profile = Profile({"email"});
  (*profile.mutable_operators())["email"].set_name("token");
  MaskFixture fixture({"p"}, {{"p", profile}});
  const std::string one = fixture.Text("a@example.com");
  CHECK(one.substr(0, 10) == "tok_email_");
  CHECK(one.size() == 26);
  CHECK(fixture.Text("a@example.com") == one);
  CHECK(fixture.Text("b@example.com") != one);
  fixture.mask().token_key = std::string(32, 'x');
  CHECK(fixture.Text("a@example.com") != one);
  fixture.mask().token_key.clear();
  CHECK(fixture.Text("a@example.com") == "[REDACTED:email]");
}

TEST_CASE("block blocks", "[agent][mask]") {
  MaskProfileSpec profile = Profile({"email"});
  (*profile.mutable_operators())["email"].set_name("block");
  MaskFixture fixture({"p"}, {{"p", profile}});
  CHECK(fixture.IsBlocked(R"({"jsonrpc":"2.0","id":1,"result":{"x":"a@example.com"}})"));
  CHECK_FALSE(fixture.IsBlocked(R"({"jsonrpc":"2.0","id":1,"result":{"x":"a"}})"));
}

TEST_CASE("a short value keeps nothing", "[agent][mask]") {
  MaskProfileSpec profile;
  AddPattern(profile, "ticket", "TCK-[0-9]{2,8}");
  profile.mutable_patterns(0)->mutable_operator_()->set_keep_last(2);
  MaskFixture fixture({"p"}, {{"p", profile}});
  CHECK(fixture.Text("TCK-12345678") == "[REDACTED:ticket]78");
  CHECK(fixture.Text("TCK-12") == "[REDACTED:ticket]12");
  profile.mutable_patterns(0)->mutable_operator_()->set_keep_last(3);
  MaskFixture longer({"p"}, {{"p", profile}});
  CHECK(longer.Text("TCK-12") == "[REDACTED:ticket]");
}

TEST_CASE("a pattern sees one string at a time", "[agent][mask]") {
  MaskProfileSpec profile;
  AddPattern(profile, "whole", "^a[^x]*z$");
  MaskFixture fixture({"p"}, {{"p", profile}});
  CHECK(fixture.Mask(R"({"jsonrpc":"2.0","id":1,"result":{"p":["a..z","ba..z","a..","..z"]}})") ==
        R"({"jsonrpc":"2.0","id":1,"result":{"p":["[REDACTED:whole]","ba..z","a..","..z"]}})");
}

TEST_CASE("field rules mask by name, whatever the case, with all that is inside", "[agent][mask]") {
  MaskProfileSpec profile;
  auto* field = profile.add_fields();
  field->add_keys("ssn");
  field->add_keys("*_Password");
  MaskFixture fixture({"p"}, {{"p", profile}});
  CHECK(
      fixture.Mask(
          R"({"jsonrpc":"2.0","id":1,"result":{"structuredContent":{"SSN":"1","db_password":{"a":["x",7,true,null,""],"b":"y"},"ok":1}}})") ==
      R"({"jsonrpc":"2.0","id":1,"result":{"structuredContent":{"SSN":"[REDACTED:field]","db_password":{"a":["[REDACTED:field]",0,false,null,""],"b":"[REDACTED:field]"},"ok":1}}})");
  CHECK(fixture.Text(R"({\"ssn\":\"1\",\"x\":\"2\"})") ==
        R"({\"ssn\":\"[REDACTED:field]\",\"x\":\"2\"})");
  CHECK(fixture.Text(R"({\"ssn\":\"1\",\"ssn\":\"2\"})") ==
        R"({\"ssn\":\"[REDACTED:field]\",\"ssn\":\"[REDACTED:field]\"})");
}

TEST_CASE("a pointer names places in the result, in structured content and in JSON texts",
          "[agent][mask]") {
  MaskProfileSpec profile;
  auto* field = profile.add_fields();
  field->set_pointer("/rows/*/salary");
  field->mutable_operator_()->set_name("drop");
  profile.add_fields()->set_pointer("/a~1b/0");
  MaskFixture fixture({"p"}, {{"p", profile}});
  CHECK(
      fixture.Mask(
          R"({"jsonrpc":"2.0","id":1,"result":{"structuredContent":{"rows":[{"salary":5,"n":"x"},{"salary":"y"}],"a/b":["p","q"]},"rows":{"k":{"salary":1.5}}}})") ==
      R"({"jsonrpc":"2.0","id":1,"result":{"structuredContent":{"rows":[{"salary":0,"n":"x"},{"salary":""}],"a/b":["[REDACTED:field]","q"]},"rows":{"k":{"salary":0}}}})");
  CHECK(fixture.Text(R"({\"rows\":[{\"salary\":5}]})") == R"({\"rows\":[{\"salary\":0}]})");
}

TEST_CASE("a plan that means nothing is refused", "[agent][mask]") {
  const auto fails = [](const std::vector<std::string>& names, const MaskProfileSpec& profile) {
    return MaskPlan::Compile(Engine(), names, {{"p", profile}}).status().code() ==
           absl::StatusCode::kInvalidArgument;
  };
  CHECK(fails({"nothing"}, Profile()));
  CHECK(fails({"p"}, Profile({"nothing"})));
  MaskProfileSpec bad_pattern;
  AddPattern(bad_pattern, "x", "(");
  CHECK(fails({"p"}, bad_pattern));
  MaskProfileSpec empty_match;
  AddPattern(empty_match, "x", "a*");
  CHECK(fails({"p"}, empty_match));
  MaskProfileSpec operators = Profile({"card"});
  (*operators.mutable_operators())["cards"].set_name("replace");
  CHECK(fails({"p"}, operators));
  operators.clear_operators();
  (*operators.mutable_operators())["card"].set_name("encrypt");
  CHECK(fails({"p"}, operators));
  MaskProfileSpec fields;
  fields.add_fields();
  CHECK(fails({"p"}, fields));
  fields.mutable_fields(0)->set_pointer("rows");
  CHECK(fails({"p"}, fields));
  fields.mutable_fields(0)->set_pointer("/a~2");
  CHECK(fails({"p"}, fields));
}

}  // namespace
}  // namespace sallyport::agent
