#pragma once

#include <cstddef>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"

namespace sallyport {

// absl::erase_if for a table that grew with a load: what it grew to is given back once most of it
// is empty, which erasing alone does not do. References into the table are void after it.
template <class Table, class IsOver>
void EraseAndShrink(Table& table, const IsOver& is_over) {
  constexpr std::size_t kSmall = 64, kSparse = 8;
  absl::erase_if(table, is_over);
  if (table.capacity() > kSmall && table.size() < table.capacity() / kSparse) table.rehash(0);
}

}  // namespace sallyport
