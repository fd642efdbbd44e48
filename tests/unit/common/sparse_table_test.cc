#include "common/sparse_table.h"

#include <catch2/catch.hpp>

namespace sallyport {
namespace {

TEST_CASE("a table that a load has filled gives its room back, and keeps what is not over",
          "[common]") {
  absl::flat_hash_map<int, int> table;
  for (int i = 0; i < 10'000; ++i) table.emplace(i, -i);
  const std::size_t full = table.capacity();
  EraseAndShrink(table, [](const auto& entry) { return entry.first % 2 == 0; });
  CHECK(table.size() == 5'000);
  CHECK(table.capacity() == full);  // in use: not to be grown again at once
  EraseAndShrink(table, [](const auto& entry) { return entry.first % 1000 != 1; });
  CHECK(table.size() == 10);
  CHECK(table.capacity() < 64);
  CHECK(table.at(9001) == -9001);
  EraseAndShrink(table, [](const auto&) { return true; });
  CHECK(table.empty());
}

}  // namespace
}  // namespace sallyport
