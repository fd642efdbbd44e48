#include "controlplane/cli/replay.h"

#include <catch2/catch.hpp>
#include <string>

#include "absl/strings/str_replace.h"
#include "common/chain/chain.h"
#include "common/record_json.h"

namespace sallyport::controlplane {
namespace {

constexpr char kSession[] = "ses_aaaaaaaaaaaaaaaaaaaaaaaaaa";

types::v1::Record Append(chain::ChainHead& head, types::v1::RecordType type,
                         const std::string& body) {
  types::v1::RecordContent content;
  content.set_method("tools/call");
  content.set_body(body);
  types::v1::Record record;
  record.set_session_id(kSession);
  record.set_type(type);
  record.set_time_unix_nanos(1'790'000'000'123'456'789);
  record.set_salt(std::string(16, 's'));
  record.set_payload(content.SerializeAsString());
  const auto appended = head.Append(static_cast<std::uint32_t>(type), record.time_unix_nanos(),
                                    record.salt(), record.payload());
  record.set_n(appended.n);
  record.set_payload_digest(std::string(chain::View(appended.payload_digest)));
  record.set_hash(std::string(chain::View(appended.hash)));
  return record;
}

std::string Replay() {
  chain::ChainHead head(kSession);
  std::string out = "{\"items\": [\n";
  out += RecordJson(Append(head, types::v1::RECORD_TYPE_OPEN, "{}"));
  out += ",\n" + RecordJson(Append(head, types::v1::RECORD_TYPE_REQUEST, R"({"id":1})"));
  out += ",\n" + RecordJson(Append(head, types::v1::RECORD_TYPE_END, ""));
  return out + "\n]}";
}

TEST_CASE("a saved replay verifies without asking anybody", "[cli][replay]") {
  auto verdict = VerifyReplay(Replay());
  REQUIRE(verdict.ok());
  CHECK(verdict->valid());
  CHECK(verdict->records() == 3);
  CHECK(verdict->session_id() == kSession);
}

TEST_CASE("a replay that can be read in two ways is refused with its line", "[cli][replay]") {
  const std::string replay = Replay();
  const auto refused = [](const std::string& json) {
    return std::string(VerifyReplay(json).status().message());
  };
  const auto put = [&](std::string_view before, const std::string& what) {
    std::string changed = replay;
    return changed.insert(changed.find(before), what);
  };
  using Catch::Matchers::StartsWith;
  CHECK_THAT(refused(put("\"items\"", "\"items\": [],")),
             StartsWith("not a recording: line 1: repeated member name"));
  CHECK_THAT(refused(put("\"n\":2", "\"n\":7,")),
             StartsWith("not a recording: line 3: repeated member name"));
  CHECK_THAT(refused("\xef\xbb\xbf" + replay),
             StartsWith("not a recording: line 1: begins with a byte order mark"));
  CHECK_THAT(refused(replay + "\n" + std::string(1, '\0') + "[]"),
             StartsWith("not a recording: line 6: holds a NUL"));
  CHECK_THAT(refused(replay + "\n[]"), StartsWith("not a recording: line 6: "));
}

TEST_CASE("a replay survives programs whose numbers are doubles, and its older form verifies, too",
          "[cli][replay]") {
  const std::string replay = Replay();
  const std::string time = "\"timeUnixNanos\":\"1790000000123456789\"";
  REQUIRE(replay.find(time) != std::string::npos);
  const auto with_time = [&](const std::string& other) {
    return VerifyReplay(absl::StrReplaceAll(replay, {{time, "\"timeUnixNanos\":" + other}}));
  };
  CHECK(with_time("1790000000123456789")->valid());
  CHECK_FALSE(with_time("1790000000123456800")->valid());
  CHECK_FALSE(with_time("\"1790000000123456788\"")->valid());
  for (const char* none : {"1.790000000123457e18", "\"\"", "\"soon\"", "null", "[]"})
    CHECK(absl::IsInvalidArgument(with_time(none).status()));
}

TEST_CASE("a saved replay without its END record is open: what is there is proven, its tail is not",
          "[cli][replay]") {
  CHECK_FALSE(VerifyReplay(Replay())->is_open());
  std::string cut = Replay();
  cut = cut.substr(0, cut.rfind(",\n")) + "\n]}";
  const auto verdict = VerifyReplay(cut);
  REQUIRE(verdict.ok());
  CHECK(verdict->valid());
  CHECK(verdict->is_open());
  CHECK(verdict->records() == 2);
  CHECK(verdict->reason().find("whether more came after them is not") != std::string::npos);
}

TEST_CASE("a saved replay that was edited does not verify, and says where", "[cli][replay]") {
  const std::string replay = Replay();
  for (const auto& [from, to] : {std::pair{"\"n\": 2", "\"n\": 3"}, {"\"n\":2", "\"n\":3"}}) {
    const std::string edited = absl::StrReplaceAll(replay, {{from, to}});
    if (edited == replay) continue;
    auto verdict = VerifyReplay(edited);
    REQUIRE(verdict.ok());
    CHECK_FALSE(verdict->valid());
    CHECK(verdict->first_bad_record() == 2);
  }
  const std::size_t first = replay.find('\n') + 1, second = replay.find('\n', first) + 1;
  auto verdict = VerifyReplay(replay.substr(0, first) + replay.substr(second));
  REQUIRE(verdict.ok());
  CHECK_FALSE(verdict->valid());
  CHECK(verdict->first_bad_record() == 1);
}

TEST_CASE("a saved replay that shows something else than its payload says does not verify",
          "[cli][replay]") {
  const std::string replay = Replay();
  for (const auto& [from, to] :
       {std::pair{R"("body":"{\"id\":1}")", R"("body":"{\"id\":2}")"},
        {R"("body":"{\"id\":1}",)", ""},
        {R"({"method":"tools/call")", R"({"method":"tools/list")"},
        {R"({"method":"tools/call")", R"({"denialReason":"locked","method":"tools/call")"}}) {
    const std::string edited = absl::StrReplaceAll(replay, {{from, to}});
    REQUIRE(edited != replay);
    const auto verdict = VerifyReplay(edited);
    REQUIRE(verdict.ok());
    CHECK_FALSE(verdict->valid());
    CHECK(verdict->reason().find("not what its payload says") != std::string::npos);
  }
}

TEST_CASE("a file that is no replay is told apart from one that is wrong", "[cli][replay]") {
  for (const char* text :
       {"", "[]", "{}", R"({"items": []})", R"({"items": [1]})", R"({"items": [{"sessionId": 1}]})",
        R"({"items": [{"sessionId": "ses_x", "n": "1"}]})"}) {
    CHECK(absl::IsInvalidArgument(VerifyReplay(text).status()));
  }
}

TEST_CASE("a record tells what a policy that observes let through", "[cli][replay]") {
  types::v1::RecordContent content;
  content.set_target("drop-all");
  content.set_observed_reason(types::v1::DENIAL_REASON_POLICY_DENIED);
  content.set_observed_policy("trial");
  types::v1::Record record;
  record.set_payload(content.SerializeAsString());
  CHECK(RecordText(record).find("drop-all  observed=policy_denied  by=trial\n") !=
        std::string::npos);
}

TEST_CASE("a record's text is safe for a terminal", "[cli][replay]") {
  chain::ChainHead head(kSession);
  const std::string text =
      RecordText(Append(head, types::v1::RECORD_TYPE_RESULT, "\x1b]52;c;aGk=\x07 \u202E"));
  CHECK(text.find('\x1b') == text.npos);
  CHECK(text.find("\\u{1b}]52") != text.npos);
}

}  // namespace
}  // namespace sallyport::controlplane
