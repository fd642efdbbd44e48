#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/policy/argument.h"
#include "common/policy/decimal.h"
#include "common/policy/decision.h"
#include "sallyport/types/v1/policy.pb.h"

namespace re2 {
class RE2;
}

namespace sallyport {

// A test of one argument, compiled. Types count: the string "1000" is not the number 1000. Numbers
// are held against each other twice, to the last digit and as doubles, for servers read them in
// either way.
class CompiledCondition {
 public:
  enum class Outcome : std::uint8_t {
    // Also for a value that is missing, unless the test is `exists: false`.
    kFails,
    // For the number as it is written or for the double that it is, and not for both.
    kHoldsForSome,
    kHolds,
    // The arguments can be read in two ways: the call must not pass.
    kAmbiguous,
    // `matches` and `each` read so much and no more: the call must not pass.
    kTooLong,
  };
  static constexpr std::size_t kMaxReadBytes = std::size_t{256} << 10;

  // kInvalidArgument unless there is a pointer and exactly one test that means something.
  static absl::StatusOr<CompiledCondition> Compile(const types::v1::Condition& condition);

  // The pointer as it was written.
  const std::string& path() const { return path_; }

  CompiledCondition(CompiledCondition&&) noexcept;
  CompiledCondition& operator=(CompiledCondition&&) noexcept;
  ~CompiledCondition();

  Outcome Test(const Arguments& arguments) const;

  // What is at the place, or in it, could decide the test.
  bool Reads(const ArgumentPlace& place) const;

 private:
  struct Number {
    static std::optional<Number> Parse(std::string_view literal);
    bool operator==(const Number&) const = default;

    Decimal exact;
    Decimal as_double;
  };
  using Reading = Decimal Number::*;

  struct Value {
    enum class Kind : std::uint8_t { kText, kNumber, kFlag, kNull };
    Kind kind = Kind::kNull;
    std::string text = {};
    std::optional<Number> number = {};
    bool flag = false;
  };

  CompiledCondition();
  static absl::StatusOr<Value> ReadScalar(const types::v1::Scalar& scalar);
  static absl::StatusOr<std::optional<Number>> ReadBound(std::string_view key, bool is_set,
                                                         const types::v1::Scalar& scalar);
  // nullopt: it cannot be read. `literal` is no array and no object.
  static std::optional<Value> ReadValue(std::string_view literal);
  // No value of the condition's can be as long as this string is.
  bool IsBeyond(std::string_view literal) const;
  absl::Status CompileTest(const types::v1::Condition& condition);
  absl::Status CompileEach(const types::v1::Condition& each);

  Outcome TestFound(const Argument& argument) const;
  Outcome TestEach(std::string_view value) const;
  Outcome TestValue(const Value& value) const;
  bool HoldsFor(const Value& value, Reading reading) const;

  std::string path_;
  std::vector<std::string> steps_;
  std::vector<Value> any_of_;
  std::unique_ptr<re2::RE2> matches_;
  std::optional<bool> exists_;
  std::optional<Number> min_;
  std::optional<Number> max_;
  std::unique_ptr<CompiledCondition> each_;
};

}  // namespace sallyport
