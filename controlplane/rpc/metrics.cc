#include "controlplane/rpc/metrics.h"

#include "absl/strings/str_cat.h"
#include "common/strings.h"

namespace sallyport::controlplane {

void Metrics::Count(std::string_view name, Labels labels) {
  std::string printed;
  for (const auto& [key, value] : labels) {
    absl::StrAppend(&printed, printed.empty() ? "{" : ",", ToAbsl(key), "=\"", ToAbsl(value), "\"");
  }
  if (!printed.empty()) printed += "}";
  const absl::MutexLock lock(&mutex_);
  auto counter = counters_.find(name);
  if (counter == counters_.end()) {
    counter = counters_.try_emplace(std::string(name)).first;
  }
  ++counter->second[printed];
}

void Metrics::Gauge(std::string name, std::function<double()> read) {
  const absl::MutexLock lock(&mutex_);
  gauges_.insert_or_assign(std::move(name), std::move(read));
}

std::string Metrics::Text() const {
  std::string text;
  std::map<std::string, std::function<double()>> gauges;
  {
    const absl::MutexLock lock(&mutex_);
    gauges = gauges_;
    for (const auto& [name, values] : counters_) {
      absl::StrAppend(&text, "# TYPE ", name, " counter\n");
      for (const auto& [labels, value] : values) {
        absl::StrAppend(&text, name, labels, " ", value, "\n");
      }
    }
  }
  // Outside the lock, for they may count in turn.
  for (const auto& [name, read] : gauges) {
    absl::StrAppend(&text, "# TYPE ", name, " gauge\n", name, " ", read(), "\n");
  }
  return text;
}

}  // namespace sallyport::controlplane
