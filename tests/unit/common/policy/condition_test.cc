#include "common/policy/condition.h"

#include <catch2/catch.hpp>

#include "tests/unit/common/policy/support.h"

namespace sallyport {
namespace {

using Outcome = CompiledCondition::Outcome;

// `test` as a policy writes it, such as `equals: 1000`.
Outcome Test(const std::string& test, const std::string& value) {
  const auto documents =
      Parsed(BotPolicy("  rules: [{allow: {tools: [t], when: [{path: /v, " + test + "}]}}]"));
  auto condition = CompiledCondition::Compile(documents[0].policy().rules(0).allow().when(0));
  REQUIRE(condition.ok());
  const std::string json = value.empty() ? "{}" : "{\"v\":" + value + "}";
  return condition->Test(Arguments(json));
}

TEST_CASE("a condition compares values with their types, and numbers in both readings",
          "[policy]") {
  struct Row {
    const char* test;
    const char* value;
    Outcome outcome;
  };
  const Row row = GENERATE(
      Row{"equals: 1000", "1000", Outcome::kHolds}, Row{"equals: 1000", "1e3", Outcome::kHolds},
      Row{"equals: 1000", "1000.0", Outcome::kHolds},
      Row{"equals: 1000", "\"1000\"", Outcome::kFails},
      Row{"equals: \"1000\"", "1000", Outcome::kFails},
      Row{"equals: \"1000\"", "\"1000\"", Outcome::kHolds},
      Row{"equals: 9007199254740993", "9007199254740992", Outcome::kHoldsForSome},
      Row{"equals: 9007199254740993", "9007199254740990", Outcome::kFails},
      Row{"in: [7, 8]", "7.00000000000000000001", Outcome::kHoldsForSome},
      Row{"in: [7, 8]", "7.000000000000001", Outcome::kFails},
      Row{"equals: 0.1", "0.1", Outcome::kHolds},
      Row{"min: 0.1, max: 0.1", "0.10", Outcome::kHolds},
      Row{"equals: 1e400", "2e400", Outcome::kHoldsForSome},
      Row{"equals: 0", "-0", Outcome::kHolds}, Row{"equals: true", "true", Outcome::kHolds},
      Row{"equals: true", "\"true\"", Outcome::kFails},
      Row{"equals: true", "false", Outcome::kFails}, Row{"equals: null", "null", Outcome::kHolds},
      Row{"equals: null", "0", Outcome::kFails}, Row{"equals: no", "\"no\"", Outcome::kHolds},
      Row{"equals: no", "false", Outcome::kFails},
      Row{"in: [staging, dev]", "\"dev\"", Outcome::kHolds},
      Row{"in: [staging, dev]", "\"production\"", Outcome::kFails},
      Row{"in: [staging, dev]", "[\"dev\"]", Outcome::kFails},
      Row{"in: [staging, dev]", "{\"dev\":1}", Outcome::kFails},
      Row{"in: [staging, dev]", "\"\\u0064ev\"", Outcome::kHolds},
      Row{"matches: \"[a-z]+\"", "\"abc\"", Outcome::kHolds},
      Row{"matches: \"[a-z]+\"", "\"abc1\"", Outcome::kFails},
      Row{"matches: \"^ok$\"", "\"ok\\nbad\"", Outcome::kFails},
      Row{"matches: \"1+\"", "11", Outcome::kFails}, Row{"exists: true", "null", Outcome::kHolds},
      Row{"exists: true", "", Outcome::kFails}, Row{"exists: false", "", Outcome::kHolds},
      Row{"exists: false", "1", Outcome::kFails}, Row{"equals: 1", "", Outcome::kFails},
      Row{"equals: null", "", Outcome::kFails}, Row{"matches: \".*\"", "", Outcome::kFails},
      Row{"equals: 1", "1e99999999999999999999", Outcome::kAmbiguous},
      Row{"equals: 1", "01", Outcome::kAmbiguous}, Row{"equals: 1", "truE", Outcome::kAmbiguous},
      Row{"in: [a]", "\"\\ud800\"", Outcome::kAmbiguous},
      Row{"equals: 1", "1,\"v\":1", Outcome::kAmbiguous},
      Row{"exists: false", "1,\"\\u0076\":1", Outcome::kAmbiguous},
      Row{"min: 1, max: 100", "1", Outcome::kHolds},
      Row{"min: 1, max: 100", "1e2", Outcome::kHolds},
      Row{"min: 1, max: 100", "100.00000000000000000001", Outcome::kHoldsForSome},
      Row{"min: 1, max: 100", "0.99999999999999999999", Outcome::kHoldsForSome},
      Row{"min: 1, max: 100", "100.0000000000001", Outcome::kFails},
      Row{"min: 100", "99.99999999999999999999999", Outcome::kHoldsForSome},
      Row{"min: 100", "1e400", Outcome::kHolds}, Row{"min: 1, max: 100", "\"50\"", Outcome::kFails},
      Row{"min: 1, max: 100", "[50]", Outcome::kFails},
      Row{"min: 1, max: 100", "", Outcome::kFails},
      Row{"min: 1, max: 100", "5e99999999999999999999", Outcome::kAmbiguous},
      Row{"max: 9007199254740992", "9007199254740993", Outcome::kHoldsForSome},
      Row{"min: -2.5", "-2.50", Outcome::kHolds}, Row{"min: -2.5", "-2.51", Outcome::kFails},
      Row{"max: -1", "-1e400", Outcome::kHolds}, Row{"max: 0", "-0.0", Outcome::kHolds},
      Row{"max: 0", "1e-400", Outcome::kHoldsForSome},
      Row{"each: {in: [a, b]}", "[\"a\",\"b\",\"a\"]", Outcome::kHolds},
      Row{"each: {in: [a, b]}", "[\"a\",\"c\"]", Outcome::kFails},
      Row{"each: {in: [a, b]}", "[]", Outcome::kHolds},
      Row{"each: {in: [a, b]}", "\"a\"", Outcome::kFails},
      Row{"each: {in: [a, b]}", "", Outcome::kFails},
      Row{"each: {in: [a, b]}", "[[\"a\"]]", Outcome::kFails},
      Row{"each: {in: [a, b]}", "[\"a\",\"\\ud800\"]", Outcome::kAmbiguous},
      Row{"each: {path: /id, max: 5}", "[{\"id\":5},{\"id\":-1}]", Outcome::kHolds},
      Row{"each: {path: /id, max: 5}", "[{\"id\":5},{\"no\":1}]", Outcome::kFails},
      Row{"each: {path: /id, max: 5}", "[5]", Outcome::kFails},
      Row{"each: {max: 5}", "[1,5.00000000000000000001]", Outcome::kHoldsForSome},
      Row{"each: {max: 5}", "[6,5.00000000000000000001]", Outcome::kFails},
      Row{"each: {path: /id, exists: false}", "[{},{\"x\":1}]", Outcome::kHolds},
      Row{"each: {path: /id, max: 5}", "[{\"id\":9},{\"id\":1,\"id\":1}]", Outcome::kAmbiguous},
      Row{"each: {each: {equals: 1}}", "[[1,1],[],[1.0]]", Outcome::kHolds},
      Row{"each: {each: {equals: 1}}", "[[1,1],[2]]", Outcome::kFails});
  INFO(row.test << " against " << row.value);
  CHECK(Test(row.test, row.value) == row.outcome);
}

TEST_CASE("a text or a list that is longer than conditions read passes none that would have to",
          "[policy]") {
  const std::string text = "\"" + std::string(CompiledCondition::kMaxReadBytes, 'x') + "\"";
  CHECK(Test("matches: \"x*\"", text) == Outcome::kTooLong);
  CHECK(Test("matches: \"x*\"", "\"xx\"") == Outcome::kHolds);
  CHECK(Test("equals: x", text) == Outcome::kFails);
  CHECK(Test("in: [1, x]", text) == Outcome::kFails);
  CHECK(Test("max: 1", text) == Outcome::kFails);
  CHECK(Test("exists: true", text) == Outcome::kHolds);
  std::string list = "[1";
  while (list.size() < CompiledCondition::kMaxReadBytes) list += ",1";
  CHECK(Test("each: {equals: 1}", list + "]") == Outcome::kTooLong);
  CHECK(Test("each: {equals: 1}", "[1,1]") == Outcome::kHolds);
}

TEST_CASE("arguments that are missing hold nothing", "[policy]") {
  types::v1::Condition condition;
  condition.set_path("/v");
  condition.set_exists(true);
  CHECK(CompiledCondition::Compile(condition)->Test(Arguments()) == Outcome::kFails);
  condition.set_exists(false);
  CHECK(CompiledCondition::Compile(condition)->Test(Arguments()) == Outcome::kHolds);
}

}  // namespace
}  // namespace sallyport
