#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace sallyport::agent {

class Recorder;
class RecordingChain;

// Who moves chains on, and hears of their end.
class RecordingChainOwner {
 public:
  virtual void Forget(RecordingChain& chain) = 0;

 protected:
  ~RecordingChainOwner() = default;
};

// The head of one session's chain. The session owns it and hands it to the recorder, which alone
// moves it on; one chain lives on one thread, the loop's. While it is not closed, the spool keeps
// room for its END record and for the OUTCOME record of each request that has no answer yet, so
// that these always fit.
//
// Destroying a chain that is not closed leaves it open on disk: the next start hands it out again.
class RecordingChain {
 public:
  ~RecordingChain();
  RecordingChain(const RecordingChain&) = delete;
  RecordingChain& operator=(const RecordingChain&) = delete;

  const std::string& session_id() const { return session_id_; }
  // The n of the last record; 0 before the first.
  std::uint64_t n() const { return n_; }
  // An END record has been appended; nothing can follow it.
  bool is_closed() const { return closed_; }
  // The requests whose records say that they count against max_calls, and whose outcomes do not
  // take that back, also those of earlier runs of the agent.
  std::uint64_t calls() const { return calls_; }
  // The records of forwarded requests that have neither a result nor an outcome.
  const std::vector<std::uint64_t>& unanswered() const { return unanswered_; }

 private:
  friend class Recorder;
  RecordingChain(RecordingChainOwner& owner, std::string session_id)
      : owner_(&owner), session_id_(std::move(session_id)) {}

  RecordingChainOwner* owner_;  // null once the recorder is gone
  std::string session_id_;
  std::uint64_t n_ = 0;
  std::array<unsigned char, 32> head_{};
  std::uint64_t calls_ = 0;
  std::vector<std::uint64_t> unanswered_;
  bool closed_ = false;
};

}  // namespace sallyport::agent
