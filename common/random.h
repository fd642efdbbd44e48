#pragma once

#include <cstddef>
#include <string>

namespace sallyport {

// `n` bytes from the kernel's random source. Ends the program if the kernel has none to give:
// nothing here may go on with bytes that can be guessed. Thread-safe.
std::string RandomBytes(std::size_t n);

// Uniform in [0, 1), for jitter.
double RandomFraction();

}  // namespace sallyport
