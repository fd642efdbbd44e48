#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace sallyport::agent {

// How long things took: a histogram for /metrics. Two buckets for each doubling, from 16 us to 8 s,
// so that a quantile is told within a fifth. Counting costs a few nanoseconds. On one thread.
class Durations {
 public:
  static constexpr std::size_t kBounds = 39;

  // The upper bound of a bucket; what is longer than the last one is in `counts().back()`.
  static double BoundSeconds(std::size_t bucket) { return Bounds()[bucket]; }

  void Add(std::chrono::nanoseconds took) {
    const double seconds = std::chrono::duration<double>(took).count();
    sum_seconds_ += seconds;
    std::size_t bucket = 0;
    const auto units = static_cast<std::uint64_t>(took.count()) / 16'000;
    if (took.count() > 0 && units > 0) {
      bucket = std::min(2 * static_cast<std::size_t>(std::bit_width(units) - 1), kBounds);
    }
    const std::array<double, kBounds>& bounds = Bounds();
    while (bucket < kBounds && seconds > bounds[bucket]) ++bucket;
    ++counts_[bucket];
  }

  // Of each bucket alone.
  const std::array<std::uint64_t, kBounds + 1>& counts() const { return counts_; }
  double sum_seconds() const { return sum_seconds_; }

 private:
  static const std::array<double, kBounds>& Bounds() {
    static const std::array<double, kBounds> bounds = [] {
      std::array<double, kBounds> made;
      for (std::size_t i = 0; i < kBounds; ++i)
        made[i] = 16e-6 * std::exp2(static_cast<double>(i) / 2);
      return made;
    }();
    return bounds;
  }

  std::array<std::uint64_t, kBounds + 1> counts_ = {};
  double sum_seconds_ = 0;
};

}  // namespace sallyport::agent
