#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "agent/control/agent_snapshot.h"
#include "agent/control/judge_snapshot.h"
#include "agent/control/kept_snapshot.h"
#include "agent/link/awaitable_rpc.h"
#include "agent/link/channel.h"
#include "agent/loop/signal.h"
#include "agent/loop/task.h"
#include "common/clock.h"
#include "common/ids.h"
#include "sallyport/agent/v1/snapshot_service.grpc.pb.h"

namespace sallyport::agent {

// What the control plane pushes, told on the loop, in the order of the stream; but what takes away,
// the end of a session or of an approval, waits for no snapshot that came before it and is still
// being judged. Any member may be empty.
struct ControlObserver {
  // A newer snapshot is in force.
  std::function<void(const std::shared_ptr<const AgentSnapshot>&)> on_snapshot;
  // A session of this agent as it is now; with the grant while it is active.
  std::function<void(const v1::SessionUpdate&)> on_session;
  // An approval of a session or a call of this agent as it is now.
  std::function<void(const types::v1::Approval&)> on_approval;
  // All that is live has been told since the stream began: a session that is not in `active` is no
  // longer one.
  std::function<void(const absl::flat_hash_set<std::string>& active)> on_resynced;
  // The control plane will not have this agent (any more), as the status says: it is banned, or
  // another has enrolled under its name.
  std::function<void(const absl::Status&)> on_refused;
};

// Keeps the agent's knowledge fresh: one stream from the control plane, reconnected with a jittered
// backoff for as long as it takes. A snapshot is put in force only when its signature leads to our
// CA through the control plane's own certificate, it was made for this agent, it does not go back
// in (epoch, version); else the last one stays, and counts as what it is, the word of a control
// plane that is lost (SilentFor). Of one that is put in force and cannot be understood, nothing is
// let through: the policy, or all where it is not a policy alone. Each beat tells the control plane
// of either, and why. The last one is kept on disk as it was signed and is judged again when it is
// read. On the loop's thread, which does not wait while a long snapshot is judged: that is done on
// another one.
class SnapshotWatch {
 public:
  // All outlive the watch, and the channel's loop does not run any more once it has gone.
  // `agent_name` and `ca` (PEM) are those of the enrollment.
  SnapshotWatch(ControlPlaneChannel& channel, const Clock& clock, const std::string& data_dir,
                std::string agent_name, std::string ca);
  ~SnapshotWatch();

  // Puts the kept snapshot in force; ok as well when there is none. An error says why the one on
  // disk cannot be used; the agent then has none until the control plane sends one.
  absl::Status LoadKept();

  // Before Start.
  void Observe(ControlObserver observer);
  // Runs on the loop until Drain.
  void Start();
  // Ends the stream and returns when nothing of it runs any more.
  Task<void> Drain();

  // Null: no snapshot, and nothing may be let through. Take it once for a call and keep it.
  std::shared_ptr<const AgentSnapshot> current() const { return current_; }

  // What of the policies in force cannot be understood, and why. Empty: nothing.
  const std::string& not_understood() const { return not_understood_; }
  // That is more than policies: nobody may do anything.
  bool is_shut() const { return is_shut_; }
  // Why the control plane's latest snapshot is not in force. Empty: it is.
  const std::string& not_taken() const { return not_taken_; }

  // The stream is up and has said all that is live.
  bool is_connected() const { return is_connected_; }
  // Why the control plane has refused the stream when it was asked for last; OK where it has not.
  const absl::Status& refusal() const { return refusal_; }
  // Which stream was asked for last. nullopt: it has not said yet all that is live. An answer of
  // the control plane that a session is active is doubtful where this was none or another one when
  // it was asked for: a stream that began meanwhile may have left the session out because it was
  // over.
  std::optional<std::uint64_t> heard_stream() const {
    const bool is_catching_up = stream_ != nullptr && !is_connected_;
    return is_catching_up ? std::nullopt : std::optional(streams_);
  }
  // Until a stream that is on its way has said all that is live, or `timeout` has passed.
  Task<void> CatchUp(absl::Duration timeout);
  // The control plane has just said, in answer to a call, that this session is active: the stream
  // may have listed the active ones before it was.
  void NoteActive(const std::string& session_id) { active_.insert(session_id); }
  // Nobody is served any more under this session, whose end the stream has told: the control plane
  // hears of it now.
  void ConfirmEnd(const std::string& session_id);

  // For how long what the control plane has committed may be unknown here, by CLOCK_BOOTTIME:
  // counted from the moment at which we said what its last word answers, and not from that word's
  // arrival, for a stream may be held up on its way. Infinite before the first.
  absl::Duration SilentFor() const;

  // A control plane that is back answers calls before the stream is there again. After such an
  // answer: connects the stream now instead of at its next attempt, and waits until the silence is
  // shorter than `lease`. False when `timeout` passed first.
  Task<bool> HearAgain(absl::Duration lease, absl::Duration timeout);

  // False when `timeout` passed without a snapshot in force.
  Task<bool> WaitForSnapshot(absl::Duration timeout);
  // Until the snapshot of that version, or a later one, is in force. False when `timeout` passed
  // first.
  Task<bool> WaitForVersion(std::uint64_t epoch, std::uint64_t version, absl::Duration timeout);

  // Asks the control plane to fetch an issuer's keys again because a token names `key_id`, and
  // waits until the snapshot with it is here, 3 s at most. True when `current` has the key now.
  // Those who ask for one issuer at the same time share one request, and after an answer without
  // the key the issuer is not asked about again for 5 s: tokens of strangers ask too.
  Task<bool> RefreshKeys(std::string issuer_id, std::string key_id);

 private:
  using Stream = ServerStream<v1::SnapshotService, v1::WatchSnapshotRequest, v1::AgentUpdate>;
  struct KeyRequest;
  struct Judgement;

  Task<void> Run();
  // Says beats while the stream is there, until the stop; one now where ends are to be confirmed.
  Task<void> Beat();
  // An answer to what was said at `said_at` has come.
  void Heard(absl::Duration said_at);
  // Until the stream breaks.
  Task<absl::Status> Follow();
  void Take(v1::AgentUpdate update);
  // Tells what waits, up to the next snapshot, and has that one judged.
  void TellWaiting();
  void TellUpdate(const v1::AgentUpdate& update);
  SnapshotBasis Basis() const { return {agent_name_, ca_, newest_, current_}; }
  // At once where it is short, else on a thread of its own.
  void Judge(v1::SignedSnapshot signed_snapshot);
  void TakeAndKeep(const std::shared_ptr<Judgement>& judgement);
  void TakeJudged(absl::StatusOr<JudgedSnapshot> judged);
  void PutInForce(std::shared_ptr<const AgentSnapshot> snapshot);
  template <class Member, class Value>
  void Tell(Member member, const Value& value) const {
    for (const ControlObserver& observer : observers_) {
      if (observer.*member) (observer.*member)(value);
    }
  }
  bool HasKey(const std::string& issuer_id, const std::string& key_id) const;
  Task<void> AskForKeys(const std::string& issuer_id, const std::string& key_id);

  ControlPlaneChannel& channel_;
  const Clock& clock_;
  KeptSnapshot kept_;
  const std::string agent_name_;
  // Of this process, among all that ever have the agent's key.
  const std::string instance_ = NewRequestId();
  const std::string ca_;
  std::vector<ControlObserver> observers_;
  std::shared_ptr<const AgentSnapshot> current_;
  // Of the latest that the control plane has signed.
  SnapshotAge newest_ = {0, 0};
  // What of that one cannot be understood, and why. Empty: nothing.
  std::string not_understood_;
  bool is_shut_ = false;
  std::string not_taken_;
  bool is_judging_ = false;
  // What came after the snapshot that is being judged, in order.
  std::deque<v1::AgentUpdate> waiting_;
  absl::flat_hash_set<std::string> active_;
  bool is_connected_ = false;
  absl::Status refusal_;
  absl::Duration heard_of_ = -absl::InfiniteDuration();
  // When the stream that runs was asked for.
  absl::Duration asked_at_ = absl::ZeroDuration();
  Stream* stream_ = nullptr;
  std::uint64_t streams_ = 0;
  // Set, and reset, with each snapshot.
  Signal changed_;
  Signal stop_;
  Signal stopped_;
  // What was judged on another thread is done with.
  Signal judged_;
  // As is_connected_, for who waits.
  Signal connected_;
  // The next attempt is due now.
  Signal hurry_;
  Signal beats_stopped_;
  // The next beat is due now.
  Signal beat_now_;
  // Whose ends it confirms.
  std::vector<std::string> ended_;
  bool is_started_ = false;
  std::map<std::string, std::shared_ptr<KeyRequest>> key_requests_;
};

}  // namespace sallyport::agent
