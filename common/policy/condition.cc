#include "common/policy/condition.h"

#include <re2/re2.h>

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/policy/json_reader.h"
#include "common/policy/regex.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport {

CompiledCondition::CompiledCondition() = default;
CompiledCondition::CompiledCondition(CompiledCondition&&) noexcept = default;
CompiledCondition& CompiledCondition::operator=(CompiledCondition&&) noexcept = default;
CompiledCondition::~CompiledCondition() = default;

std::optional<CompiledCondition::Number> CompiledCondition::Number::Parse(
    std::string_view literal) {
  const std::optional<Decimal> exact = Decimal::Parse(literal);
  if (!exact) return std::nullopt;
  return Number{.exact = *exact, .as_double = exact->AsDouble()};
}

absl::StatusOr<CompiledCondition::Value> CompiledCondition::ReadScalar(
    const types::v1::Scalar& scalar) {
  switch (scalar.value_case()) {
    case types::v1::Scalar::kText:
      return Value{.kind = Value::Kind::kText, .text = scalar.text()};
    case types::v1::Scalar::kNumber: {
      std::optional<Number> number = Number::Parse(scalar.number());
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

absl::StatusOr<std::optional<CompiledCondition::Number>> CompiledCondition::ReadBound(
    std::string_view key, bool is_set, const types::v1::Scalar& scalar) {
  if (!is_set) return std::nullopt;
  ASSIGN_OR_RETURN(Value value, ReadScalar(scalar));
  if (!value.number) return absl::InvalidArgumentError(absl::StrCat(ToAbsl(key), " is no number"));
  return std::move(value.number);
}

absl::StatusOr<CompiledCondition> CompiledCondition::Compile(
    const types::v1::Condition& condition) {
  CompiledCondition compiled;
  if (condition.path().empty()) return absl::InvalidArgumentError("path is missing");
  compiled.path_ = condition.path();
  ASSIGN_OR_RETURN(compiled.steps_, ParsePointer(condition.path()));
  RETURN_IF_ERROR(compiled.CompileTest(condition));
  return compiled;
}

absl::Status CompiledCondition::CompileTest(const types::v1::Condition& condition) {
  const int tests = (condition.in_size() > 0) + condition.has_equals() +
                    !condition.matches().empty() + condition.has_exists() +
                    (condition.has_min() || condition.has_max()) + condition.has_each();
  if (tests != 1) {
    return absl::InvalidArgumentError(
        "needs exactly one of in, equals, matches, exists, min or max, and each");
  }
  for (const types::v1::Scalar& scalar : condition.in()) {
    ASSIGN_OR_RETURN(any_of_.emplace_back(), ReadScalar(scalar));
  }
  if (condition.has_equals()) {
    ASSIGN_OR_RETURN(any_of_.emplace_back(), ReadScalar(condition.equals()));
  }
  if (!condition.matches().empty()) {
    ASSIGN_OR_RETURN(matches_, CompileRegex(condition.matches()));
  }
  if (condition.has_exists()) exists_ = condition.exists();
  ASSIGN_OR_RETURN(min_, ReadBound("min", condition.has_min(), condition.min()));
  ASSIGN_OR_RETURN(max_, ReadBound("max", condition.has_max(), condition.max()));
  if (min_ && max_ && min_->exact > max_->exact)
    return absl::InvalidArgumentError("min is above max");
  return condition.has_each() ? CompileEach(condition.each()) : absl::OkStatus();
}

absl::Status CompiledCondition::CompileEach(const types::v1::Condition& each) {
  each_.reset(new CompiledCondition);
  each_->path_ = each.path();
  ASSIGN_OR_RETURN(each_->steps_, ParsePointer(each.path()));
  if (each.path().empty() && each.has_exists()) {
    return absl::InvalidArgumentError("each: exists needs a path into the element");
  }
  const absl::Status status = each_->CompileTest(each);
  if (status.ok()) return status;
  return absl::InvalidArgumentError(absl::StrCat("each: ", status.message()));
}

CompiledCondition::Outcome CompiledCondition::Test(const Arguments& arguments) const {
  return TestFound(arguments.Find(steps_));
}

bool CompiledCondition::Reads(const ArgumentPlace& place) const {
  const std::size_t shared = std::min(steps_.size(), place.size());
  return std::equal(
      steps_.begin(), steps_.begin() + static_cast<std::ptrdiff_t>(shared), place.begin(),
      [](const std::string& step, const std::string& at) { return at == "*" || step == at; });
}

CompiledCondition::Outcome CompiledCondition::TestFound(const Argument& argument) const {
  if (argument.state == Argument::State::kAmbiguous) return Outcome::kAmbiguous;
  const bool is_there = argument.state == Argument::State::kFound;
  if (exists_) return is_there == *exists_ ? Outcome::kHolds : Outcome::kFails;
  if (!is_there) return Outcome::kFails;
  if (each_ != nullptr) return TestEach(argument.value);
  if (argument.value[0] == '{' || argument.value[0] == '[') return Outcome::kFails;
  if (argument.value[0] == '"' && argument.value.size() > kMaxReadBytes) {
    return matches_ == nullptr && IsBeyond(argument.value) ? Outcome::kFails : Outcome::kTooLong;
  }
  const std::optional<Value> value = ReadValue(argument.value);
  if (!value) return Outcome::kAmbiguous;
  return TestValue(*value);
}

// Every element is looked at: what can be read in two ways is so wherever it stands.
CompiledCondition::Outcome CompiledCondition::TestEach(std::string_view value) const {
  if (value[0] != '[') return Outcome::kFails;
  if (value.size() > kMaxReadBytes) return Outcome::kTooLong;
  Outcome outcome = Outcome::kHolds;
  const bool is_clear = JsonReader(value).Elements([&](std::string_view element) {
    const Outcome one = each_->TestFound(FindWithin(element, each_->steps_));
    outcome = std::min(outcome, one);
    return one != Outcome::kAmbiguous;
  });
  return is_clear ? outcome : Outcome::kAmbiguous;
}

// A character is six bytes of its literal at most.
bool CompiledCondition::IsBeyond(std::string_view literal) const {
  return std::all_of(any_of_.begin(), any_of_.end(), [&](const Value& value) {
    return literal.size() - 2 > 6 * value.text.size();
  });
}

std::optional<CompiledCondition::Value> CompiledCondition::ReadValue(std::string_view literal) {
  switch (literal[0]) {
    case '"': {
      std::optional<std::string> text = DecodeJsonString(literal);
      if (!text) return std::nullopt;
      return Value{.kind = Value::Kind::kText, .text = *std::move(text)};
    }
    case 't':
    case 'f':
      if (literal != "true" && literal != "false") return std::nullopt;
      return Value{.kind = Value::Kind::kFlag, .flag = literal == "true"};
    case 'n':
      if (literal != "null") return std::nullopt;
      return Value{.kind = Value::Kind::kNull};
    default: {
      std::optional<Number> number = Number::Parse(literal);
      if (!number) return std::nullopt;
      return Value{.kind = Value::Kind::kNumber, .number = std::move(number)};
    }
  }
}

CompiledCondition::Outcome CompiledCondition::TestValue(const Value& value) const {
  const bool holds = HoldsFor(value, &Number::exact);
  if (!value.number || holds == HoldsFor(value, &Number::as_double)) {
    return holds ? Outcome::kHolds : Outcome::kFails;
  }
  return Outcome::kHoldsForSome;
}

bool CompiledCondition::HoldsFor(const Value& value, Reading reading) const {
  if (matches_ != nullptr) {
    return value.kind == Value::Kind::kText && re2::RE2::FullMatch(value.text, *matches_);
  }
  if (min_ || max_) {
    if (!value.number) return false;
    const Decimal& number = (*value.number).*reading;
    return (!min_ || (*min_).*reading <= number) && (!max_ || number <= (*max_).*reading);
  }
  return std::any_of(any_of_.begin(), any_of_.end(), [&](const Value& one) {
    if (one.number && value.number) return (*one.number).*reading == (*value.number).*reading;
    return one.kind == value.kind && one.text == value.text && one.flag == value.flag;
  });
}

}  // namespace sallyport
