#pragma once

#include <cstddef>
#include <vector>

namespace sallyport::agent {

// Empties what a message filled; the memory stays for the next one, unless this one took a lot.
template <class T>
void ClearAndShrink(std::vector<T>& values) {
  constexpr std::size_t kKept = 4096;
  if (values.capacity() > kKept) {
    std::vector<T>().swap(values);
  } else {
    values.clear();
  }
}

}  // namespace sallyport::agent
