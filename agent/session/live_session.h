#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "agent/loop/signal.h"
#include "common/clock.h"
#include "sallyport/types/v1/denial.pb.h"
#include "sallyport/types/v1/session.pb.h"

namespace sallyport::agent {

// What is settled when a session becomes active.
struct SessionFacts {
  std::string id;
  std::string server;
  types::v1::Principal principal;
  // The one address it serves. Empty: any.
  std::string client_address;
  types::v1::EffectiveTerms terms;
  // Why it was opened without its approval. Empty: it was not.
  std::string break_glass;
  // The approval that has opened it, and who gave it, realm:subject. Empty: none was needed.
  std::string approval_id;
  std::vector<std::string> approved_by;
  // The wall clock's end.
  absl::Time expires_at = absl::InfinitePast();
  // What was left of it when the grant came: CLOCK_BOOTTIME counts this down, so that a step of the
  // wall clock prolongs nothing.
  absl::Duration remaining = absl::ZeroDuration();
  // Counted calls it may make in all. 0: no limit.
  std::uint64_t call_budget = 0;
  // Counted calls so far, in this window.
  std::uint64_t calls = 0;
};

struct SessionEnd {
  types::v1::EndReason reason = types::v1::END_REASON_UNSPECIFIED;
  // A sentence for people.
  std::string detail;
  // The control plane has been silent for the session's lease.
  bool is_stale = false;

  // Of a call that the end refuses: SNAPSHOT_STALE or SESSION_ENDED.
  types::v1::DenialReason denial_reason() const {
    return is_stale ? types::v1::DENIAL_REASON_SNAPSHOT_STALE
                    : types::v1::DENIAL_REASON_SESSION_ENDED;
  }
  absl::Status Refusal() const;
};

// The life of one active session: its deadlines, its counters and its end. It decides when a
// session is over; cutting what hangs on it is the business of its owner, who calls End.
//
// Over by the earlier of the wall clock's `expires_at` and CLOCK_BOOTTIME counted from the grant's
// receipt; by `idle_timeout` with nothing in flight, no approval open (waiting for a person, or
// granted and waiting for its call) and nothing arrived; by `disconnect_grace` when a client that
// had a stream has closed its last one, with nothing in flight and nothing waiting. An open stream
// alone does not hold idleness off. Where its terms have a lease, by the control plane's silence
// for that long, whatever is going on; and from the moment on at which the policies in force would
// have it opened on stricter terms.
class LiveSession {
 public:
  // `clock` and `loop` outlive the session.
  LiveSession(Loop& loop, const Clock& clock, SessionFacts facts);

  const SessionFacts& facts() const { return facts_; }

  // Why it is over by now, if it is; the caller then calls End. `silence`: since the control
  // plane's last word. Cheap enough for each call.
  std::optional<SessionEnd> Due(absl::Duration silence) const;

  // By the policies in force it is over from `at` on, and `why` is a sentence; the last call
  // counts.
  void EndsByPolicy(absl::Time at, std::string why) { by_policy_ = {at, std::move(why)}; }

  // The first call wins; the later ones change nothing.
  void End(SessionEnd end);
  bool is_ended() const { return end_.has_value(); }
  // Only when ended.
  const SessionEnd& end() const { return *end_; }

  absl::Duration idle_timeout() const { return idle_timeout_; }

  // A message of the client arrived.
  void Touch();

  // A request is in flight, or its answer is being delivered, for as long as one of these lives.
  class InFlight {
   public:
    explicit InFlight(LiveSession& session) : session_(&session) { ++session.in_flight_; }
    InFlight(InFlight&& other) noexcept : session_(std::exchange(other.session_, nullptr)) {}
    InFlight& operator=(InFlight&&) = delete;
    ~InFlight() {
      if (session_ == nullptr) return;
      session_->Touch();
      --session_->in_flight_;
      session_->TellIfQuiet();
    }

   private:
    LiveSession* session_;
  };
  std::uint32_t in_flight() const { return in_flight_; }

  // A request that only listens is open, for as long as one of these lives: no work, which would
  // hold idleness off, but it has something to say when the session ends.
  class Listening {
   public:
    explicit Listening(LiveSession& session) : session_(session) { ++session.listening_; }
    ~Listening() {
      --session_.listening_;
      session_.TellIfQuiet();
    }
    Listening(const Listening&) = delete;
    Listening& operator=(const Listening&) = delete;

   private:
    LiveSession& session_;
  };

  // False when something was still in flight, or listening, after `timeout`.
  Task<bool> WaitUntilQuiet(absl::Duration timeout);

  // A call waits for a person, or may go out by an approval that it has not used yet, whether or
  // not its client still holds the connection.
  void ApprovalAsked() { ++approvals_waiting_; }
  void ApprovalSettled();

  // A stream by which its client hears of what it has not asked for is open, for as long as one of
  // these lives: the GET stream of one of its MCP sessions, or a listen.
  class Stream {
   public:
    explicit Stream(LiveSession& session) : session_(session) { ++session.open_streams_; }
    ~Stream() { session_.StreamClosed(has_been_); }
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;
    // It was refused: its client has had none.
    void Refused() { has_been_ = false; }

   private:
    LiveSession& session_;
    bool has_been_ = true;
  };

  // Counts one call of a counted method as it is forwarded. False when the budget is used up:
  // nothing is counted then.
  bool CountCall();
  // One call that was counted was not forwarded after all.
  void UncountCall();
  // The last counted call has been taken; the session ends once it is answered.
  bool is_used_up() const { return facts_.call_budget != 0 && calls_ >= facts_.call_budget; }
  std::uint64_t calls() const { return calls_; }

 private:
  void StreamClosed(bool has_been);
  bool is_quiet() const { return in_flight_ == 0 && listening_ == 0; }
  void TellIfQuiet() {
    if (is_quiet()) quiet_.Set();
  }

  const Clock& clock_;
  SessionFacts facts_;
  absl::Duration boot_deadline_;
  absl::Duration idle_timeout_;
  absl::Duration disconnect_grace_;
  absl::Duration lease_;  // infinite: the control plane may be silent to the end
  std::pair<absl::Time, std::string> by_policy_ = {absl::InfiniteFuture(), {}};
  std::optional<SessionEnd> end_;
  Signal quiet_;
  // CLOCK_BOOTTIME, so that a suspended machine does not keep a session alive.
  absl::Duration last_activity_;
  absl::Duration last_stream_closed_ = absl::ZeroDuration();
  bool had_stream_ = false;
  std::uint32_t in_flight_ = 0;
  std::uint32_t listening_ = 0;
  std::uint32_t approvals_waiting_ = 0;
  std::uint32_t open_streams_ = 0;
  std::uint64_t calls_;
};

}  // namespace sallyport::agent
