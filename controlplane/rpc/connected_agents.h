#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "controlplane/model/agent.h"

namespace sallyport::controlplane {

// Which agents have their update stream open: one each, the latest. Thread-safe.
class ConnectedAgents {
 public:
  ConnectedAgents() = default;
  ConnectedAgents(const ConnectedAgents&) = delete;
  ConnectedAgents& operator=(const ConnectedAgents&) = delete;

  // What holds an agent's key and asks for its stream.
  struct Process {
    std::string instance;  // what it calls itself from its start to its end; empty: nothing
    std::string address;   // where it connects from
  };

  // One stream, for as long as it lives; a later one of the same agent supersedes it.
  class Stream {
   public:
    Stream(ConnectedAgents& agents, std::string name, Process process, absl::Time now);
    ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    bool is_superseded() const;
    // The one that has taken the stream from this process, which is back: two of them run with the
    // agent's key, for one that is started anew is another one, and its forerunner never comes
    // back. nullopt: there is none, or it was told of within the hour.
    const std::optional<Process>& other() const { return other_; }
    // The latest that the agent has said since the stream began. 0: nothing.
    uint64_t beat() const;

   private:
    ConnectedAgents& agents_;
    const std::string name_;
    uint64_t number_ = 0;
    std::optional<Process> other_;
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
  // When two processes were last seen to take the agent's stream from each other. InfinitePast:
  // never since this program began.
  absl::Time CopySeenAt(std::string_view name) const;
  std::size_t size() const;

 private:
  struct Latest {
    uint64_t number = 0;
    uint64_t beat = 0;
    std::string not_understood = {};
  };
  // Whoever has had an agent's stream, the last few; the latest is the last.
  struct Processes {
    std::deque<Process> had_stream;
    absl::Time copy_seen_at = absl::InfinitePast();
    absl::Time told_at = absl::InfinitePast();
  };

  std::optional<Process> NoteProcess(Processes& known, Process process, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  uint64_t next_ ABSL_GUARDED_BY(mutex_) = 1;
  std::map<std::string, Latest, std::less<>> latest_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Processes, std::less<>> processes_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sallyport::controlplane
