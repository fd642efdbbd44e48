#include "agent/control/snapshot_watch.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/backoff.h"
#include "common/log.h"
#include "common/status_macros.h"

namespace sallyport::agent {
namespace {

using Rpc = v1::SnapshotService::StubInterface::async_interface;

constexpr absl::Duration kBeat = absl::Seconds(2);
// Beats that were not said back: the stream is given up, with time for another one within the
// shortest default lease (10 s).
constexpr absl::Duration kSilence = absl::Seconds(7);
constexpr absl::Duration kRefreshTimeout = absl::Seconds(3);
constexpr absl::Duration kRefreshPause = absl::Seconds(5);
constexpr std::size_t kMaxWhyBytes = 1000;
// So small a snapshot is judged on the loop, sooner than a thread of its own has begun.
constexpr std::size_t kShortBytes = std::size_t{16} << 10;
// That one beat confirms.
constexpr std::ptrdiff_t kMaxEnds = 1000;

// Without a broken character at its end.
std::string FirstBytes(const std::string& text, std::size_t bytes) {
  while (bytes < text.size() && (static_cast<unsigned char>(text[bytes]) & 0xc0) == 0x80) --bytes;
  return text.substr(0, bytes);
}

// It takes something from somebody, so that it must not wait behind what gives.
bool TakesAway(const v1::AgentUpdate& update) {
  switch (update.update_case()) {
    case v1::AgentUpdate::kSession:
      return update.session().session().state() == types::v1::SESSION_STATE_ENDED ||
             update.session().session().state() == types::v1::SESSION_STATE_DENIED;
    case v1::AgentUpdate::kApproval:
      return update.approval().state() > types::v1::APPROVAL_STATE_APPROVED;
    default:
      return false;
  }
}

bool IsOfTheSame(const v1::AgentUpdate& one, const v1::AgentUpdate& other) {
  if (one.update_case() != other.update_case()) return false;
  return one.has_session() ? one.session().session().id() == other.session().session().id()
                           : one.approval().id() == other.approval().id();
}

}  // namespace

// One question to the control plane about an issuer's keys, and for a while the memory of it.
struct SnapshotWatch::KeyRequest {
  explicit KeyRequest(Loop& loop) : done(loop) {}
  Signal done;
  // CLOCK_BOOTTIME, once done.
  absl::Duration ended_at = absl::ZeroDuration();
};

SnapshotWatch::SnapshotWatch(ControlPlaneChannel& channel, const Clock& clock,
                             const std::string& data_dir, std::string agent_name, std::string ca)
    : channel_(channel),
      clock_(clock),
      kept_(channel.loop(), data_dir),
      agent_name_(std::move(agent_name)),
      ca_(std::move(ca)),
      changed_(channel.loop()),
      stop_(channel.loop()),
      stopped_(channel.loop()),
      judged_(channel.loop()),
      connected_(channel.loop()),
      hurry_(channel.loop()),
      beats_stopped_(channel.loop()),
      beat_now_(channel.loop()) {}

SnapshotWatch::~SnapshotWatch() = default;

absl::Status SnapshotWatch::LoadKept() {
  ASSIGN_OR_RETURN(const std::optional<v1::SignedSnapshot> kept, kept_.Load());
  if (!kept.has_value()) return absl::OkStatus();
  ASSIGN_OR_RETURN(JudgedSnapshot judged, JudgeSnapshot(*kept, Basis(), clock_.Now()));
  TakeJudged(std::move(judged));
  return current_ != nullptr ? absl::OkStatus() : absl::InvalidArgumentError(not_understood_);
}

void SnapshotWatch::Observe(ControlObserver observer) { observers_.push_back(std::move(observer)); }

void SnapshotWatch::Start() {
  is_started_ = true;
  channel_.loop().Spawn(Run());
  channel_.loop().Spawn(Beat());
}

Task<void> SnapshotWatch::Drain() {
  stop_.Set();
  beat_now_.Set();
  hurry_.Set();
  connected_.Set();
  if (stream_ != nullptr) stream_->Cancel();
  if (!is_started_) co_return;
  co_await stopped_.Wait();
  co_await beats_stopped_.Wait();
  while (is_judging_) {
    judged_.Reset();
    co_await judged_.Wait();
  }
  co_await kept_.Drain();
}

absl::Duration SnapshotWatch::SilentFor() const { return clock_.SinceBoot() - heard_of_; }

void SnapshotWatch::Heard(absl::Duration said_at) {
  // By what it says now nothing here is decided.
  if (!not_taken_.empty()) return;
  if (said_at <= clock_.SinceBoot()) heard_of_ = std::max(heard_of_, said_at);
}

Task<void> SnapshotWatch::Beat() {
  for (;;) {
    co_await beat_now_.Wait(kBeat);
    if (stop_.is_set()) break;
    beat_now_.Reset();
    if (!is_connected_) continue;
    v1::BeatRequest request;
    const auto confirmed = ended_.begin() + std::min<std::ptrdiff_t>(ended_.size(), kMaxEnds);
    *request.mutable_ended_sessions() = {ended_.begin(), confirmed};
    ended_.erase(ended_.begin(), confirmed);
    if (!ended_.empty()) beat_now_.Set();
    request.set_beat(static_cast<std::uint64_t>(absl::ToInt64Nanoseconds(clock_.SinceBoot())));
    request.set_not_understood(
        FirstBytes(not_taken_.empty() ? not_understood_ : not_taken_, kMaxWhyBytes));
    // What counts is the stream's word; a beat that is lost is followed by another.
    (void)co_await CallOnce<v1::SnapshotService>(channel_, &Rpc::Beat, std::move(request), kBeat);
  }
  beats_stopped_.Set();
}

void SnapshotWatch::ConfirmEnd(const std::string& session_id) {
  ended_.push_back(session_id);
  beat_now_.Set();
}

Task<bool> SnapshotWatch::HearAgain(absl::Duration lease, absl::Duration timeout) {
  if (SilentFor() < lease) co_return true;
  hurry_.Set();
  co_await connected_.Wait(std::max(timeout, absl::ZeroDuration()));
  co_return SilentFor() < lease;
}

Task<void> SnapshotWatch::CatchUp(absl::Duration timeout) {
  if (!heard_stream()) co_await connected_.Wait(timeout);
}

Task<bool> SnapshotWatch::WaitForSnapshot(absl::Duration timeout) {
  if (current_ == nullptr) co_await changed_.Wait(timeout);
  co_return current_ != nullptr;
}

Task<bool> SnapshotWatch::WaitForVersion(std::uint64_t epoch, std::uint64_t version,
                                         absl::Duration timeout) {
  const auto is_there = [&] {
    return current_ != nullptr &&
           std::pair(current_->epoch(), current_->version()) >= std::pair(epoch, version);
  };
  const absl::Duration deadline = clock_.SinceBoot() + timeout;
  while (!is_there()) {
    const absl::Duration left = deadline - clock_.SinceBoot();
    if (left <= absl::ZeroDuration() || !co_await changed_.Wait(left)) co_return false;
  }
  co_return true;
}

Task<void> SnapshotWatch::Run() {
  // What an operator ends while the stream is away goes on until it is back.
  Backoff backoff(absl::Milliseconds(200), absl::Seconds(2));
  while (!stop_.is_set()) {
    const absl::Status status = co_await Follow();
    if (std::exchange(is_connected_, false)) backoff.Reset();
    connected_.Reset();
    if (stop_.is_set()) break;
    if (absl::IsPermissionDenied(status) || absl::IsUnauthenticated(status)) {
      refusal_ = status;
      Tell(&ControlObserver::on_refused, status);
    }
    // More came than can be taken, and will come again.
    if (absl::IsResourceExhausted(status)) not_taken_ = std::string(status.message());
    const absl::Duration wait = backoff.Next();
    LogWarning("control_plane_lost", {{"error", status}, {"retry_in", wait}});
    // What hurries an attempt that is under way, and fails, hurries the next one.
    co_await hurry_.Wait(wait);
    hurry_.Reset();
  }
  stopped_.Set();
}

Task<absl::Status> SnapshotWatch::Follow() {
  v1::WatchSnapshotRequest request;
  request.set_instance(instance_);
  if (current_ != nullptr) {
    request.set_epoch(current_->epoch());
    request.set_version(current_->version());
  }
  asked_at_ = clock_.SinceBoot();
  Stream stream(channel_, &Rpc::WatchSnapshot, std::move(request));
  stream_ = &stream;
  ++streams_;
  active_.clear();
  while (true) {
    absl::StatusOr<v1::AgentUpdate> update = co_await stream.Next(kSilence);
    if (!update.ok() || stop_.is_set()) {
      stream_ = nullptr;
      // The next stream tells the rest anew.
      std::erase_if(waiting_, [](const auto& waiting) { return !waiting.has_snapshot(); });
      co_return update.status();
    }
    Take(*std::move(update));
  }
}

void SnapshotWatch::Take(v1::AgentUpdate update) {
  if (TakesAway(update)) {
    // Not to be told of again as it was before.
    std::erase_if(waiting_, [&](const auto& other) { return IsOfTheSame(other, update); });
    TellUpdate(update);
    return;
  }
  // Of two that wait only the later counts, and what came in between can wait for it, too.
  const auto older = std::ranges::find_if(waiting_, &v1::AgentUpdate::has_snapshot);
  if (update.has_snapshot() && older != waiting_.end()) {
    *older = std::move(update);
  } else {
    waiting_.push_back(std::move(update));
  }
  TellWaiting();
}

void SnapshotWatch::TellWaiting() {
  while (!is_judging_ && !waiting_.empty()) {
    v1::AgentUpdate next = std::move(waiting_.front());
    waiting_.pop_front();
    if (next.has_snapshot()) {
      Judge(std::move(*next.mutable_snapshot()));
    } else {
      TellUpdate(next);
    }
  }
}

void SnapshotWatch::TellUpdate(const v1::AgentUpdate& update) {
  switch (update.update_case()) {
    case v1::AgentUpdate::kSession: {
      const types::v1::Session& session = update.session().session();
      if (session.state() == types::v1::SESSION_STATE_ACTIVE) {
        active_.insert(session.id());
      } else {
        active_.erase(session.id());
      }
      Tell(&ControlObserver::on_session, update.session());
      return;
    }
    case v1::AgentUpdate::kApproval:
      Tell(&ControlObserver::on_approval, update.approval());
      return;
    case v1::AgentUpdate::kResynced:
      is_connected_ = true;
      refusal_ = absl::OkStatus();
      Heard(asked_at_);
      connected_.Set();
      hurry_.Reset();
      LogInfo("control_plane_connected", {{"active_sessions", active_.size()}});
      Tell(&ControlObserver::on_resynced, active_);
      return;
    case v1::AgentUpdate::kHeartbeat:
      if (update.heartbeat().beat() != 0) {
        Heard(absl::Nanoseconds(static_cast<std::int64_t>(update.heartbeat().beat())));
      }
      return;
    case v1::AgentUpdate::kSnapshot:
    case v1::AgentUpdate::UPDATE_NOT_SET:
      return;
  }
}

struct SnapshotWatch::Judgement {
  const v1::SignedSnapshot signed_snapshot;
  const SnapshotBasis basis;
  const absl::Time now;
  absl::StatusOr<JudgedSnapshot> judged = absl::UnknownError("not judged yet");

  void Judge() { judged = JudgeSnapshot(signed_snapshot, basis, now); }
};

void SnapshotWatch::Judge(v1::SignedSnapshot signed_snapshot) {
  const std::shared_ptr<Judgement> judgement(
      new Judgement{std::move(signed_snapshot), Basis(), clock_.Now()});
  if (judgement->signed_snapshot.snapshot().size() <= kShortBytes) {
    judgement->Judge();
    TakeAndKeep(judgement);
    return;
  }
  is_judging_ = true;
  channel_.loop().RunElsewhere([judgement] { judgement->Judge(); },
                               [this, judgement] {
                                 is_judging_ = false;
                                 judged_.Set();
                                 if (stop_.is_set()) return;
                                 TakeAndKeep(judgement);
                                 TellWaiting();
                               });
}

// It is in force before it is on disk, and where it cannot be kept: what is known now must not wait
// for the disk.
void SnapshotWatch::TakeAndKeep(const std::shared_ptr<Judgement>& judgement) {
  const bool is_news =
      judgement->judged.ok() && judgement->judged->snapshot != judgement->basis.in_force;
  TakeJudged(std::move(judgement->judged));
  if (!is_news) return;
  kept_.Keep({judgement, &judgement->signed_snapshot});
}

void SnapshotWatch::TakeJudged(absl::StatusOr<JudgedSnapshot> judged) {
  if (!judged.ok()) {
    LogError("snapshot_refused", {{"error", judged.status()}});
    not_taken_ = std::string(judged.status().message());
    return;
  }
  not_taken_.clear();
  if (current_ != nullptr && judged->snapshot == current_) return;
  newest_ = judged->age;
  not_understood_ = std::move(judged->not_understood);
  is_shut_ = judged->is_shut;
  if (!not_understood_.empty()) {
    LogError("snapshot_not_understood",
             {{"epoch", newest_.first}, {"version", newest_.second}, {"why", not_understood_}});
  }
  if (judged->snapshot != nullptr) PutInForce(std::move(judged->snapshot));
}

void SnapshotWatch::PutInForce(std::shared_ptr<const AgentSnapshot> snapshot) {
  current_ = std::move(snapshot);
  LogInfo("snapshot_in_force", {{"epoch", current_->epoch()}, {"version", current_->version()}});
  Tell(&ControlObserver::on_snapshot, current_);
  changed_.Set();
  changed_.Reset();
}

bool SnapshotWatch::HasKey(const std::string& issuer_id, const std::string& key_id) const {
  if (current_ == nullptr) return false;
  const KnownKeys known = current_->KeysOf(issuer_id);
  return known.keys != nullptr && known.keys->Find(key_id) != nullptr;
}

Task<bool> SnapshotWatch::RefreshKeys(std::string issuer_id, std::string key_id) {
  if (HasKey(issuer_id, key_id)) co_return true;
  if (const auto found = key_requests_.find(issuer_id); found != key_requests_.end()) {
    const std::shared_ptr<KeyRequest> other = found->second;
    if (!other->done.is_set()) {
      co_await other->done.Wait();
      co_return HasKey(issuer_id, key_id);
    }
    if (clock_.SinceBoot() - other->ended_at < kRefreshPause) co_return false;
  }
  const auto mine = std::make_shared<KeyRequest>(channel_.loop());
  key_requests_[issuer_id] = mine;
  co_await AskForKeys(issuer_id, key_id);
  mine->ended_at = clock_.SinceBoot();
  mine->done.Set();
  co_return HasKey(issuer_id, key_id);
}

Task<void> SnapshotWatch::AskForKeys(const std::string& issuer_id, const std::string& key_id) {
  v1::RefreshKeysRequest request;
  request.set_issuer_id(issuer_id);
  request.set_key_id(key_id);
  const absl::Duration deadline = clock_.SinceBoot() + kRefreshTimeout;
  const auto response = co_await CallIdempotent<v1::SnapshotService>(
      channel_, &Rpc::RefreshKeys, std::move(request), kRefreshTimeout);
  if (!response.ok()) {
    LogWarning("keys_not_refreshed", {{"issuer", issuer_id}, {"error", response.status()}});
    co_return;
  }
  // The answer and the snapshot come on two streams, in any order.
  while (response->found() && !HasKey(issuer_id, key_id)) {
    const absl::Duration left = deadline - clock_.SinceBoot();
    if (left <= absl::ZeroDuration() || !co_await changed_.Wait(left)) co_return;
  }
}

}  // namespace sallyport::agent
