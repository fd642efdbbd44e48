#pragma once

#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace sallyport::bench {

// CLOCK_MONOTONIC, which all processes of one machine share.
inline std::int64_t MicrosNow() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1'000;
}

// The percentiles that every program here prints, for tables and plots alike.
constexpr double kPercentiles[] = {1, 5, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.95, 99.99, 100};

// Microseconds, all of them kept.
class Latencies {
 public:
  void Reserve(std::size_t count) { samples_.reserve(count); }
  void Add(std::int64_t micros) {
    samples_.push_back(static_cast<std::uint32_t>(std::clamp<std::int64_t>(micros, 0, UINT32_MAX)));
  }
  void Add(const Latencies& others) {
    samples_.insert(samples_.end(), others.samples_.begin(), others.samples_.end());
  }
  std::size_t count() const { return samples_.size(); }

  // [[percentile, microseconds], ...]; [] when there is none.
  std::string Json() {
    std::sort(samples_.begin(), samples_.end());
    std::string out = "[";
    for (double percentile : kPercentiles) {
      if (samples_.empty()) break;
      auto place = static_cast<std::size_t>(percentile / 100 * static_cast<double>(count()));
      char pair[64];
      std::snprintf(pair, sizeof pair, "%s[%g,%u]", out.size() > 1 ? "," : "", percentile,
                    samples_[std::min(place, count() - 1)]);
      out += pair;
    }
    return out + "]";
  }

 private:
  std::vector<std::uint32_t> samples_;
};

}  // namespace sallyport::bench
