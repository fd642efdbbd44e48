#include <catch2/catch.hpp>

#include "common/json_string.h"
#include "common/time_text.h"
#include "common/utf8.h"

namespace sallyport {
namespace {

TEST_CASE("durations are read as people write them", "[common][time]") {
  CHECK(*ParseDuration("15m") == absl::Minutes(15));
  CHECK(*ParseDuration("1h30m") == absl::Minutes(90));
  CHECK(*ParseDuration("90d") == absl::Hours(90 * 24));
  CHECK(*ParseDuration("500ms") == absl::Milliseconds(500));
  CHECK(*ParseDuration("1d2h3m4s5ms") ==
        absl::Hours(26) + absl::Minutes(3) + absl::Seconds(4) + absl::Milliseconds(5));
  CHECK(*ParseDuration("0s") == absl::ZeroDuration());
}

TEST_CASE("what is no duration is refused", "[common][time]") {
  for (const char* text : {"", "15", "m", "-5m", "1.5h", "5m1h", "1m1m", "15M", "1 h", "15m ", "1w",
                           "999999999999999999999d", "40000d", "0x5m"}) {
    CAPTURE(text);
    CHECK_FALSE(ParseDuration(text).ok());
  }
}

TEST_CASE("a duration beyond a hundred years is too long, and says so", "[common][time]") {
  CHECK(*ParseDuration("36500d") == kLongestDuration);
  for (const char* text : {"36501d", "99999999h", "36500d1ms", "999999999999999999999ms"}) {
    CAPTURE(text);
    const absl::Status status = ParseDuration(text).status();
    CHECK(absl::IsOutOfRange(status));
    CHECK(std::string(status.message()) ==
          "\"" + std::string(text) + "\" is too long: at most 36500d can be written");
  }
}

TEST_CASE("durations are printed so that they can be read again", "[common][time]") {
  for (const char* text : {"15m", "1h30m", "90d", "500ms", "1d2h3m4s5ms", "0s"}) {
    CHECK(DurationText(*ParseDuration(text)) == text);
  }
  CHECK(DurationText(-absl::Minutes(1)) == "-1m");
  CHECK(DurationText(absl::Nanoseconds(1)) == "0s");
}

TEST_CASE("times are RFC 3339 both ways", "[common][time]") {
  CHECK(TimeText(absl::FromUnixSeconds(0)) == "1970-01-01T00:00:00Z");
  CHECK(TimeText(absl::FromUnixMillis(1'798'675'200'250)) == "2026-12-31T00:00:00.250Z");
  CHECK(*ParseTime("2026-12-31T00:00:00Z") == absl::FromUnixSeconds(1'798'675'200));
  CHECK(*ParseTime("2026-12-31T01:00:00.25+01:00") == absl::FromUnixMillis(1'798'675'200'250));
  for (const char* text :
       {"", "2026-12-31", "infinite-future", "2026-12-31 00:00:00Z", "2026-13-31T00:00:00Z",
        "2026-12-31T00:00:00", "2026-12-31T00:00:00Z "}) {
    CAPTURE(text);
    CHECK_FALSE(ParseTime(text).ok());
  }
}

TEST_CASE("JSON strings escape what could mislead their reader", "[common][json]") {
  CHECK(JsonString("plain \"x\" \\ /") == R"("plain \"x\" \\ /")");
  CHECK(JsonString("a\nb\tc\x01\x7f") == R"("a\nb\tc\u0001\u007f")");
  CHECK(JsonString("\u2028\u2029\u202e\ufeff") == R"("\u2028\u2029\u202e\ufeff")");
  CHECK(JsonString("gr\u00fc\u00df \U0001F512") == "\"gr\u00fc\u00df \U0001F512\"");
  CHECK(JsonString("\xff\xc0\xaf.\xed\xa0\x80") == "\"\uFFFD\uFFFD\uFFFD.\uFFFD\uFFFD\uFFFD\"");
}

TEST_CASE("only well-formed UTF-8 passes for it", "[common][utf8]") {
  CHECK(IsUtf8(""));
  CHECK(IsUtf8("a\u00e9\u20ac\U0010FFFF"));
  for (const char* text : {"\x80", "\xc3", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80",
                           "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80"}) {
    CHECK_FALSE(IsUtf8(text));
  }
}

}  // namespace
}  // namespace sallyport
