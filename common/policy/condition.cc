#include "common/policy/condition.h"

#include <re2/re2.h>

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/policy/argument.h"
#include "common/policy/regex.h"
#include "common/status_macros.h"

namespace sallyport {

CompiledCondition::CompiledCondition() = default;
CompiledCondition::CompiledCondition(CompiledCondition&&) noexcept = default;
CompiledCondition& CompiledCondition::operator=(CompiledCondition&&) noexcept = default;
CompiledCondition::~CompiledCondition() = default;

absl::StatusOr<CompiledCondition::Value> CompiledCondition::ReadScalar(
    const types::v1::Scalar& scalar) {
  switch (scalar.value_case()) {
    case types::v1::Scalar::kText:
      return Value{.kind = Value::Kind::kText, .text = scalar.text()};
    case types::v1::Scalar::kNumber: {
      std::optional<Decimal> number = Decimal::Parse(scalar.number());
      if (!number) {
        return absl::InvalidArgumentError(
            absl::StrCat(scalar.number(), " is no number that JSON can hold"));
      }
      return Value{.kind = Value::Kind::kNumber, .number = std::move(number)};
    }
    case types::v1::Scalar::kFlag:
      return Value{.kind = Value::Kind::kFlag, .flag = scalar.flag()};
    case types::v1::Scalar::kNull:
      return Value{.kind = Value::Kind::kNull};
    case types::v1::Scalar::VALUE_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("a value is missing");
}

absl::StatusOr<CompiledCondition> CompiledCondition::Compile(
    const types::v1::Condition& condition) {
  CompiledCondition compiled;
  if (condition.path().empty()) return absl::InvalidArgumentError("path is missing");
  ASSIGN_OR_RETURN(compiled.steps_, ParsePointer(condition.path()));
  const int tests = (condition.in_size() > 0) + condition.has_equals() +
                    !condition.matches().empty() + condition.has_exists();
  if (tests != 1) {
    return absl::InvalidArgumentError("needs exactly one of in, equals, matches and exists");
  }
  for (const types::v1::Scalar& scalar : condition.in()) {
    ASSIGN_OR_RETURN(compiled.any_of_.emplace_back(), ReadScalar(scalar));
  }
  if (condition.has_equals()) {
    ASSIGN_OR_RETURN(compiled.any_of_.emplace_back(), ReadScalar(condition.equals()));
  }
  if (!condition.matches().empty()) {
    ASSIGN_OR_RETURN(compiled.matches_, CompileRegex(condition.matches()));
  }
  if (condition.has_exists()) compiled.exists_ = condition.exists();
  return compiled;
}

CompiledCondition::Outcome CompiledCondition::Test(std::string_view arguments) const {
  const Argument argument = FindArgument(arguments, steps_);
  if (argument.state == Argument::State::kAmbiguous) return Outcome::kAmbiguous;
  const bool is_there = argument.state == Argument::State::kFound;
  if (exists_) return is_there == *exists_ ? Outcome::kHolds : Outcome::kFails;
  if (!is_there) return Outcome::kFails;

  Value value;
  switch (argument.value[0]) {
    case '{':
    case '[':
      return Outcome::kFails;
    case '"': {
      std::optional<std::string> text = DecodeJsonString(argument.value);
      if (!text) return Outcome::kAmbiguous;
      value = {.kind = Value::Kind::kText, .text = *std::move(text)};
      break;
    }
    case 't':
    case 'f':
      if (argument.value != "true" && argument.value != "false") return Outcome::kAmbiguous;
      value = {.kind = Value::Kind::kFlag, .flag = argument.value == "true"};
      break;
    case 'n':
      if (argument.value != "null") return Outcome::kAmbiguous;
      break;
    default:
      value = {.kind = Value::Kind::kNumber, .number = Decimal::Parse(argument.value)};
      if (!value.number) return Outcome::kAmbiguous;
  }
  bool holds;
  if (matches_ != nullptr) {
    holds = value.kind == Value::Kind::kText && re2::RE2::FullMatch(value.text, *matches_);
  } else {
    holds = std::find(any_of_.begin(), any_of_.end(), value) != any_of_.end();
  }
  return holds ? Outcome::kHolds : Outcome::kFails;
}

}  // namespace sallyport
