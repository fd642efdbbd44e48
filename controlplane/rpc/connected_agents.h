#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace sallyport::controlplane {

// Which agents have their update stream open: one each, the latest. Thread-safe.
class ConnectedAgents {
 public:
  ConnectedAgents() = default;
  ConnectedAgents(const ConnectedAgents&) = delete;
  ConnectedAgents& operator=(const ConnectedAgents&) = delete;

  // One stream, for as long as it lives; a later one of the same agent supersedes it.
  class Stream {
   public:
    Stream(ConnectedAgents& agents, std::string name);
    ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    bool is_superseded() const;

   private:
    ConnectedAgents& agents_;
    const std::string name_;
    uint64_t number_ = 0;
  };

  bool Has(std::string_view name) const;
  std::size_t size() const;

 private:
  mutable absl::Mutex mutex_;
  uint64_t next_ ABSL_GUARDED_BY(mutex_) = 1;
  std::map<std::string, uint64_t, std::less<>> latest_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sallyport::controlplane
