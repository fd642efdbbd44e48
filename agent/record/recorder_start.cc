#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/record/recorder_impl.h"
#include "common/chain/chain.h"
#include "common/log.h"
#include "common/random.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

// The agent's own chain: what refusals can use at most of the disk.
constexpr std::uint64_t kDenialSpoolBytes = std::uint64_t{16} << 20;

constexpr std::string_view kDenialPrefix = "agent:";

std::string DenialChainsOf(const std::string& agent) {
  return absl::StrCat(ToAbsl(kDenialPrefix), agent, ":");
}

}  // namespace

// --- start

void Recorder::Impl::TakeFound(Journal& journal) {
  ended_ = journal.found().TakeClosed();
  for (auto& [id, state] : journal.found().TakeOpen()) {
    if (!journal.damaged().contains(id)) recovered_.push_back(NewChain(id, std::move(state)));
  }
}

absl::Status Recorder::Impl::OpenDenials() {
  RETURN_IF_ERROR(denials_.Open({.dir = options_.dir,
                                 .name = "denials",
                                 .max_bytes = kDenialSpoolBytes,
                                 .segment_bytes = kDenialSpoolBytes / 4,
                                 .chains = [this] { return OpenChains(true); }}));
  TakeFound(denials_);
  const std::string prefix = DenialChainsOf(options_.agent_name);
  for (auto& chain : std::exchange(recovered_, {})) {
    if (chain->session_id().starts_with(prefix)) {
      denial_chain_ = std::move(chain);
    } else {
      chain->closed_ = true;  // of an agent of another name
    }
  }
  if (denial_chain_ == nullptr) BeginDenialChain();
  return absl::OkStatus();
}

absl::Status Recorder::Impl::OpenSessions() {
  RETURN_IF_ERROR(
      sessions_.Open({.dir = options_.dir,
                      .name = "sessions",
                      .max_bytes = options_.spool_max_bytes,
                      .segment_bytes = std::max(options_.segment_bytes, options_.message_bytes * 2),
                      .sync = options_.durability == Durability::kPower,
                      .chains = [this] { return OpenChains(false); }}));
  damaged_.assign(sessions_.damaged().begin(), sessions_.damaged().end());
  TakeFound(sessions_);
  for (auto& chain : recovered_) RETURN_IF_ERROR(AppendUnknownOutcomes(*chain));
  return absl::OkStatus();
}

absl::Status Recorder::Impl::Open() {
  if (mkdir(options_.dir.c_str(), 0700) != 0 && errno != EEXIST) {
    return absl::UnavailableError(
        absl::StrCat("recorder: cannot make ", options_.dir, ": ", strerror(errno)));
  }
  // The agent's own chain first: what is recovered of it is no session's.
  RETURN_IF_ERROR(OpenDenials());
  RETURN_IF_ERROR(OpenSessions());
  commit_.emplace(loop_, sessions_.spool(), denials_.spool());
  RETURN_IF_ERROR(commit_->Flush());
  if (options_.durability == Durability::kPower) commit_->StartCommitter();
  std::weak_ptr<bool> alive = alive_;
  loop_.OnTurnEnd([this, alive] {
    if (!alive.expired()) commit_->EndTurn();
  });
  loop_.Every(absl::Seconds(1), [this, alive] {
    if (!alive.expired()) SummarizeDenials();
  });
  return absl::OkStatus();
}

absl::Status Recorder::Impl::AppendUnknownOutcomes(RecordingChain& chain) {
  sessions_.spool().Reserve(kEndBytes + chain.unanswered_.size() * kOutcomeBytes);
  for (std::uint64_t n : std::vector<std::uint64_t>(chain.unanswered_)) {
    EventFacts facts;
    facts.type = RecordType::RECORD_TYPE_OUTCOME;
    facts.outcome = "unknown";
    facts.request_n = n;
    facts.detail = "the agent ended before the answer came"_words;
    RETURN_IF_ERROR(AppendEvent(chain, facts));
  }
  return absl::OkStatus();
}

Recorder::Impl::~Impl() {
  alive_.reset();
  commit_.reset();
  for (RecordingChain* chain : chains_) chain->owner_ = nullptr;
}

// --- chains

std::unique_ptr<RecordingChain> Recorder::Impl::NewChain(std::string session_id, ChainState state) {
  std::unique_ptr<RecordingChain> chain(new RecordingChain(*this, std::move(session_id)));
  chain->n_ = state.n;
  chain->head_ = state.n == 0 ? chain::FirstHash(chain->session_id_) : state.head;
  chain->calls_ = state.calls;
  chain->unanswered_ = std::move(state.unanswered);
  chains_.push_back(chain.get());
  return chain;
}

std::unique_ptr<RecordingChain> Recorder::Impl::StartChain(std::string session_id) {
  if (std::binary_search(damaged_.begin(), damaged_.end(), session_id) ||
      ended_.contains(session_id)) {
    auto chain = NewChain(std::move(session_id), {});
    chain->closed_ = true;
    return chain;
  }
  if (auto left = abandoned_.find(session_id); left != abandoned_.end()) {
    ChainState state = std::move(left->second);
    abandoned_.erase(left);
    return NewChain(std::move(session_id), std::move(state));
  }
  sessions_.spool().Reserve(kEndBytes);
  return NewChain(std::move(session_id), {});
}

void Recorder::Impl::Forget(RecordingChain& chain) {
  std::erase(chains_, &chain);
  if (chain.closed_ || chain.n_ == 0) {
    if (!chain.closed_) sessions_.spool().Release(kEndBytes);
    return;
  }
  abandoned_[chain.session_id_] = {chain.n_, chain.head_, chain.calls_,
                                   std::move(chain.unanswered_)};
}

void Recorder::Impl::BeginDenialChain() {
  denial_chain_ = NewChain(DenialChainsOf(options_.agent_name) + ToHex(RandomBytes(8)), {});
}

void Recorder::Impl::Close(RecordingChain& chain) {
  chain.closed_ = true;
  sessions_.spool().Release(kEndBytes + chain.unanswered_.size() * kOutcomeBytes);
  chain.unanswered_.clear();
}

bool Recorder::Impl::GiveUp(const std::string& recording) {
  const bool is_own = recording.starts_with(kDenialPrefix);
  if (absl::Status added = (is_own ? denials_ : sessions_).AddDamaged(recording); !added.ok()) {
    LogError("recording_not_given_up", {{"recording", recording}, {"error", added}});
  }
  if (is_own) {
    if (denial_chain_->session_id_ != recording) return false;
    denial_chain_->closed_ = true;
    BeginDenialChain();
    LogWarning("denials_begun_anew",
               {{"recording", denial_chain_->session_id_}, {"instead_of", recording}});
    return false;
  }
  damaged_.assign(sessions_.damaged().begin(), sessions_.damaged().end());
  for (RecordingChain* chain : chains_) {
    if (chain->session_id_ == recording && !chain->closed_) Close(*chain);
  }
  if (auto left = abandoned_.extract(recording)) {
    Close(*NewChain(recording, std::move(left.mapped())));
  }
  return true;
}

absl::flat_hash_map<std::string, ChainState> Recorder::Impl::OpenChains(bool denials) const {
  absl::flat_hash_map<std::string, ChainState> open;
  if (!denials) open = abandoned_;
  for (const RecordingChain* chain : chains_) {
    if (chain->closed_ || chain->n_ == 0 || (chain == denial_chain_.get()) != denials) continue;
    open[chain->session_id_] = {chain->n_, chain->head_, chain->calls_, chain->unanswered_};
  }
  return open;
}

}  // namespace sallyport::agent
