#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "agent/call/session_table.h"
#include "agent/loop/signal.h"
#include "sallyport/types/v1/approval.pb.h"

namespace sallyport::agent {

// The approvals of this agent's sessions and of their calls as they were last told, and which calls
// wait for them. On the loop's thread.
class ApprovalDesk {
 public:
  // As the control plane sees it, from an answer or a push, which may overtake each other: what is
  // older than what is known already changes nothing. While one of a call is pending, or granted
  // and not used yet, its session is not idle: a client that was told to come back may.
  void Learn(const types::v1::Approval& approval, SessionTable& sessions);

  // Waits for decisions on one approval for as long as it lives.
  class Waiting {
   public:
    Waiting(ApprovalDesk& desk, std::string approval_id, Signal& changed);
    ~Waiting();
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

    // As last told.
    const types::v1::Approval& approval() const;

   private:
    ApprovalDesk& desk_;
    std::string id_;
    Signal& changed_;
  };

  // Whether a call waits for it.
  bool IsAwaited(std::string_view approval_id) const;

  // Those that somebody may still decide or use, as far as it is known here.
  std::vector<types::v1::Approval> Open() const;

  // Ends what has lapsed without a word of the control plane, some seconds later, for its last word
  // may be on its way; forgets what has been over for a while.
  void Sweep(absl::Time now, SessionTable& sessions);

 private:
  struct Entry {
    types::v1::Approval approval;
    std::vector<Signal*> waiters;
    // Its session has been told that it is open.
    bool is_counted = false;
    absl::Time forget_at = absl::InfiniteFuture();
  };
  // Tells its session whether it is still open.
  void Count(Entry& entry, SessionTable& sessions);

  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace sallyport::agent
