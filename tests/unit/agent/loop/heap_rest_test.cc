#include "agent/loop/heap_rest.h"

#include <catch2/catch.hpp>

namespace sallyport::agent {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

TEST_CASE("memory is given back when little goes on, once", "[agent][loop]") {
  HeapRest rest;
  CHECK(rest.IsDue(10, 50 * kMiB));
  CHECK_FALSE(rest.IsDue(20, 50 * kMiB));
  CHECK_FALSE(rest.IsDue(30, 51 * kMiB));
  CHECK(rest.IsDue(40, 60 * kMiB));
}

TEST_CASE("memory is not given back while calls are many", "[agent][loop]") {
  HeapRest rest;
  CHECK_FALSE(rest.IsDue(100'000, 50 * kMiB));
  CHECK_FALSE(rest.IsDue(200'000, 90 * kMiB));
  CHECK(rest.IsDue(200'010, 90 * kMiB));
}

TEST_CASE("what was in use again is given back again", "[agent][loop]") {
  HeapRest rest;
  CHECK(rest.IsDue(0, 50 * kMiB));
  CHECK_FALSE(rest.IsDue(0, 10 * kMiB));
  CHECK(rest.IsDue(0, 50 * kMiB));
}

}  // namespace
}  // namespace sallyport::agent
