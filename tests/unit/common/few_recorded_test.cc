#include "common/few_recorded.h"

#include <catch2/catch.hpp>

namespace sallyport {
namespace {

TEST_CASE("ten are recorded at once, and one more in ten seconds, with how many were not",
          "[common]") {
  FewRecorded few;
  const absl::Duration start = absl::Hours(1);
  for (int i = 0; i < 10; ++i) CHECK(few.Note(start) == 0);
  for (int i = 0; i < 7; ++i) CHECK_FALSE(few.Note(start + absl::Seconds(9)));
  CHECK(few.unrecorded() == 7);
  CHECK(few.Note(start + absl::Seconds(10)) == 7);
  CHECK(few.unrecorded() == 0);
  CHECK_FALSE(few.Note(start + absl::Seconds(11)));
  // After a long pause there are ten at once again.
  for (int i = 0; i < 10; ++i) CHECK(few.Note(start + absl::Hours(1)).has_value());
  CHECK_FALSE(few.Note(start + absl::Hours(1)));
}

}  // namespace
}  // namespace sallyport
