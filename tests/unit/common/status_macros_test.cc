#include "common/status_macros.h"

#include <catch2/catch.hpp>
#include <memory>
#include <string>

namespace sallyport {
namespace {

absl::StatusOr<std::unique_ptr<int>> Half(int value) {
  if (value % 2 != 0) return absl::InvalidArgumentError("odd");
  return std::make_unique<int>(value / 2);
}

absl::StatusOr<int> Quarter(int value) {
  ASSIGN_OR_RETURN(const std::unique_ptr<int> half, Half(value));
  ASSIGN_OR_RETURN(std::unique_ptr<int> quarter, Half(*half));
  return *quarter;
}

absl::Status Check(int value, int* reached) {
  RETURN_IF_ERROR(Half(value).status());
  *reached = value;
  return absl::OkStatus();
}

TEST_CASE("the macros hand values on and return errors early", "[common]") {
  CHECK(*Quarter(8) == 2);
  CHECK(Quarter(6).status().message() == "odd");
  int reached = 0;
  CHECK(Check(2, &reached).ok());
  CHECK(reached == 2);
  CHECK_FALSE(Check(3, &reached).ok());
  CHECK(reached == 2);
}

}  // namespace
}  // namespace sallyport
