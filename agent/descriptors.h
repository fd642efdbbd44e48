#pragma once

#include <cstddef>

namespace sallyport::agent {

// Raises this process's limit of open descriptors to what it may have at most, and gives that: each
// client's connection is one, and the one to its server another.
std::size_t TakeDescriptors();

// How many connections of clients so many descriptors are enough for.
std::size_t ConnectionsFor(std::size_t descriptors);

}  // namespace sallyport::agent
