#include "agent/control/join_string.h"

#include <catch2/catch.hpp>

#include "common/denial.h"

namespace sallyport::agent {
namespace {

const std::string kPin(64, 'a');

TEST_CASE("a join string tells where, whom and the secret", "[agent][control]") {
  const auto join =
      ParseJoinString("sallyport-join:1:sallyport.example.com:7443:" + kPin + ":s3cr3t_-x\n");
  REQUIRE(join.ok());
  CHECK(join->address == "sallyport.example.com:7443");
  CHECK(join->ca_pin == kPin);
  CHECK(join->secret == "s3cr3t_-x");
  CHECK(ParseJoinString("sallyport-join:1:[::1]:7443:" + kPin + ":x")->address == "[::1]:7443");
  CHECK(ParseJoinString("sallyport-join:1:127.0.0.1:1:" + kPin + ":x").ok());
}

TEST_CASE("what is no join string is refused without repeating it", "[agent][control]") {
  const std::string pins[] = {std::string(63, 'a'), std::string(65, 'a'), std::string(64, 'A'),
                              std::string(64, 'g'), ""};
  std::vector<std::string> texts = {"",
                                    "hunter2",
                                    "sallyport-join:2:a:1:" + kPin + ":hunter2",
                                    "sallyport-join:1:a:1:" + kPin + ":",
                                    "sallyport-join:1:a:1:" + kPin,
                                    "sallyport-join:1:a:" + kPin + ":hunter2",
                                    "sallyport-join:1::1:" + kPin + ":hunter2",
                                    "sallyport-join:1:a:0:" + kPin + ":hunter2",
                                    "sallyport-join:1:a:65536:" + kPin + ":hunter2",
                                    "sallyport-join:1:a b:1:" + kPin + ":hunter2",
                                    "sallyport-join:1:a/b:1:" + kPin + ":hunter2",
                                    "sallyport-join:1:unix:///x:1:" + kPin + ":hunter2",
                                    "sallyport-join:1:a:1:" + kPin + ":" + std::string(2000, 'x')};
  for (const std::string& pin : pins) texts.push_back("sallyport-join:1:a:1:" + pin + ":hunter2");
  for (const std::string& text : texts) {
    CAPTURE(text);
    const absl::Status status = ParseJoinString(text).status();
    CHECK(ReasonOf(status) == types::v1::DENIAL_REASON_JOIN_TOKEN_INVALID);
    CHECK(std::string(status.message()).find("hunter2") == std::string::npos);
  }
}

}  // namespace
}  // namespace sallyport::agent
