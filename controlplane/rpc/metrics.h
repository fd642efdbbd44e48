#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace sallyport::controlplane {

// What the program has counted, in Prometheus' text format. A label's value is of a small fixed
// set: never a principal, a session or anything a client can choose. Thread-safe.
class Metrics {
 public:
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  Metrics() = default;
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // Adds one. The name ends in `_total`.
  void Count(std::string_view name, Labels labels = {});

  // Asked for each time the metrics are read.
  void Gauge(std::string name, std::function<double()> read);

  std::string Text() const;

 private:
  mutable absl::Mutex mutex_;
  // By name, then by the labels as they are printed.
  std::map<std::string, std::map<std::string, uint64_t>, std::less<>> counters_
      ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::function<double()>> gauges_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sallyport::controlplane
