#include "common/log.h"

#include <catch2/catch.hpp>

#include "common/denial.h"
#include "sallyport/types/v1/grant.pb.h"

namespace sallyport {
namespace {

const absl::Time kTime = absl::FromUnixMillis(1'798'675'200'250);

TEST_CASE("a log line is one JSON object with its event first", "[common][log]") {
  CHECK(
      FormatLogLine(kTime, LogLevel::kInfo, "ready",
                    {LogField::Object("listen", {{"mcp", "127.0.0.1:8443"},
                                                 {"local", std::string("127.0.0.1:8480")}})}) ==
      R"({"event":"ready","time":"2026-12-31T00:00:00.250Z","level":"info","listen":{"mcp":"127.0.0.1:8443","local":"127.0.0.1:8480"}})"
      "\n");
}

TEST_CASE("fields keep their types", "[common][log]") {
  const std::string line = FormatLogLine(kTime, LogLevel::kWarning, "x",
                                         {{"n", 7},
                                          {"big", std::uint64_t{18'446'744'073'709'551'615u}},
                                          {"ok", false},
                                          {"t", absl::Seconds(2)},
                                          {"at", kTime}});
  CHECK(
      line.find(
          R"("level":"warning","n":7,"big":18446744073709551615,"ok":false,"t":"2s","at":"2026-12-31T00:00:00.250Z"})") !=
      std::string::npos);
}

TEST_CASE("nothing in a field can break the line or forge another", "[common][log]") {
  const std::string line = FormatLogLine(kTime, LogLevel::kError, "x",
                                         {{"who", "a\"}\n{\"event\":\"forged\"\x1b[2J\u2028"}});
  CHECK(line.find('\n') == line.size() - 1);
  CHECK(line.find('\x1b') == std::string::npos);
  CHECK(line.find(R"("who":"a\"}\n{\"event\":\"forged\"\u001b[2J\u2028"})") != std::string::npos);
}

TEST_CASE("a status brings its code and its reason", "[common][log]") {
  const std::string line =
      FormatLogLine(kTime, LogLevel::kError, "x",
                    {{"error", Denied(types::v1::DENIAL_REASON_LOCKED, "server wiki is locked")}});
  CHECK(
      line.find(
          R"("error":{"code":"PERMISSION_DENIED","message":"server wiki is locked","reason":"locked"})") !=
      std::string::npos);
}

TEST_CASE("a message in a log hides its secrets", "[common][log]") {
  types::v1::Grant grant;
  grant.set_token("eyJ.secret.token");
  const std::string line = FormatLogLine(kTime, LogLevel::kInfo, "x", {{"grant", grant}});
  CHECK(line.find(R"("grant":{"token":"<secret>"})") != std::string::npos);
}

}  // namespace
}  // namespace sallyport
