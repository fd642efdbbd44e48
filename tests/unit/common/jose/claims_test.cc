#include "common/jose/claims.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "common/jose/base64url.h"
#include "common/jose/strict_json.h"

namespace sallyport::jose {
namespace {

using nlohmann::json;

constexpr std::int64_t kNowSeconds = 1'800'000'000;
const absl::Time kNow = absl::FromUnixSeconds(kNowSeconds);

json Times(const std::string& exp, const std::string& rest = R"(,"iat":1799999900)") {
  return json::parse("{\"exp\":" + exp + rest + "}");
}

TEST_CASE("exp is a finite number in the future", "[jose]") {
  for (const char* exp : {"1800000100", "1800000100.5", "1.8000001e9"}) {
    INFO(exp);
    CHECK(CheckTimes(Times(exp), {}, kNow).ok());
  }
  for (const char* exp :
       {"-1", "-1000", "9223372036854775808", "18446744073709551615", "18446744073709551616",
        "1e300", "\"1800000100\"", "true", "null", "[1800000100]", "{}", "253402300800"}) {
    INFO(exp);
    CHECK(absl::IsInvalidArgument(CheckTimes(Times(exp), {}, kNow).status()));
  }
  CHECK(absl::IsInvalidArgument(CheckTimes({{"iat", kNowSeconds}}, {}, kNow).status()));
  CHECK(absl::IsInvalidArgument(CheckTimes({{"exp", kNowSeconds + 9}}, {}, kNow).status()));
  CHECK(absl::IsInvalidArgument(CheckTimes(Times("0"), {}, kNow).status()) == false);
}

TEST_CASE("the clock skew moves each edge by exactly itself", "[jose]") {
  const TimeRules rules{.clock_skew = absl::Seconds(30)};
  CHECK(CheckTimes(Times(std::to_string(kNowSeconds - 29)), rules, kNow).ok());
  CHECK(absl::IsDeadlineExceeded(
      CheckTimes(Times(std::to_string(kNowSeconds - 30)), rules, kNow).status()));
  const auto not_before = [&](std::int64_t at) {
    return CheckTimes(Times("1800000100", R"(,"iat":1799999900,"nbf":)" + std::to_string(at)),
                      rules, kNow)
        .status();
  };
  CHECK(not_before(0).ok());
  CHECK(not_before(kNowSeconds + 30).ok());
  CHECK(absl::IsInvalidArgument(not_before(kNowSeconds + 31)));
  const auto issued = [&](std::int64_t at) {
    return CheckTimes(Times("1800000100", ",\"iat\":" + std::to_string(at)), rules, kNow).status();
  };
  CHECK(issued(kNowSeconds + 30).ok());
  CHECK(absl::IsInvalidArgument(issued(kNowSeconds + 31)));
}

TEST_CASE("a token that lives longer than allowed is refused", "[jose]") {
  const TimeRules rules{.max_lifetime = absl::Hours(1)};
  CHECK(CheckTimes({{"iat", kNowSeconds}, {"exp", kNowSeconds + 3600}}, rules, kNow).ok());
  CHECK_FALSE(CheckTimes({{"iat", kNowSeconds}, {"exp", kNowSeconds + 3601}}, rules, kNow).ok());
}

TEST_CASE("aud is a string or a list of strings", "[jose]") {
  CHECK(Audiences({{"aud", "a"}}).value() == std::vector<std::string>{"a"});
  CHECK(Audiences({{"aud", {"a", "b"}}}).value() == std::vector<std::string>{"a", "b"});
  for (const char* aud : {"1", "null", "[]", "[1]", R"([["a"]])", R"(["a",null])", R"({"a":1})"}) {
    INFO(aud);
    CHECK_FALSE(Audiences(json::parse(std::string("{\"aud\":") + aud + "}")).ok());
  }
  CHECK_FALSE(Audiences(json::object()).ok());
}

TEST_CASE("a name has no control characters", "[jose]") {
  CHECK(IsCleanText("0oa1deploy"));
  CHECK(
      IsCleanText("gr\xc3\xbc\xc3\x9f"
                  "e \xf0\x9f\x94\x91"));
  CHECK(IsCleanText(std::string(1024, 'a')));
  for (const std::string& text :
       {std::string(), std::string(1025, 'a'), std::string("a\nb"), std::string("a\0b", 3),
        std::string("a\x7f"), std::string("a\xc2\x85")}) {
    CHECK_FALSE(IsCleanText(text));
  }
}

TEST_CASE("base64url has one text for each byte string", "[jose]") {
  std::string bytes;
  for (int i = 0; i < 256; ++i) {
    CHECK(Base64UrlDecode(Base64UrlEncode(bytes)) == bytes);
    bytes += static_cast<char>(i * 7);
  }
  CHECK(Base64UrlEncode("\xfb\xff") == "-_8");
  for (const char* text :
       {"A", "AB", "ABC", "-_9", "AA==", "AA=", "A A", "+/8", "AAAAA", "\xff\xff\xff\xff"}) {
    INFO(text);
    CHECK_FALSE(Base64UrlDecode(text).has_value());
  }
}

TEST_CASE("a million brackets are refused without a stack", "[jose]") {
  CHECK_FALSE(ParseStrictJson(std::string(1'000'000, '['), 32).ok());
  CHECK_FALSE(ParseStrictJson(std::string(1'000'000, '['), 2'000'000).ok());
  CHECK(ParseStrictJson(R"([[{"a":[]}]])", 4).ok());
  CHECK_FALSE(ParseStrictJson(R"([[{"a":[]}]])", 3).ok());
}

}  // namespace
}  // namespace sallyport::jose
