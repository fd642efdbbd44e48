#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "controlplane/model/agent.h"

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
    // The latest that the agent has said since the stream began. 0: nothing.
    uint64_t beat() const;

   private:
    ConnectedAgents& agents_;
    const std::string name_;
    uint64_t number_ = 0;
  };

  bool Has(std::string_view name) const;
  // Has, for whoever may not know this class. It outlives what is returned.
  IsConnected Asker() const {
    return [this](std::string_view name) { return Has(name); };
  }
  // Nothing where the agent has no stream.
  void NoteBeat(std::string_view name, uint64_t beat);
  // What the agent says of policies that it cannot understand; empty: nothing. Whether that is
  // news.
  bool NoteNotUnderstood(std::string_view name, std::string_view what);
  // Empty where the agent has no stream.
  std::string NotUnderstood(std::string_view name) const;
  std::size_t size() const;

 private:
  struct Latest {
    uint64_t number = 0;
    uint64_t beat = 0;
    std::string not_understood = {};
  };

  mutable absl::Mutex mutex_;
  uint64_t next_ ABSL_GUARDED_BY(mutex_) = 1;
  std::map<std::string, Latest, std::less<>> latest_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sallyport::controlplane
