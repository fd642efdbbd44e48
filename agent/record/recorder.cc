#include "agent/record/recorder.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "agent/mcp/json_rpc.h"
#include "agent/record/chain_table.h"
#include "agent/record/record_writer.h"
#include "agent/record/spool.h"
#include "common/chain/chain.h"
#include "common/denial.h"
#include "common/file.h"
#include "common/log.h"
#include "common/random.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::agent {

struct RecordPass {};

namespace {

using types::v1::RecordContent;
using types::v1::RecordType;

// What an END and an OUTCOME record need at most; what they say is cut to fit.
constexpr std::uint64_t kEndBytes = 2048;
constexpr std::uint64_t kOutcomeBytes = 1024;
constexpr std::size_t kReservedDetailBytes = 256;

// The agent's own chain: what refusals can use at most of the disk.
constexpr std::uint64_t kDenialSpoolBytes = std::uint64_t{16} << 20;
constexpr int kDenialsPerSecond = 10;
constexpr std::size_t kMaxDenialSources = 1024;

constexpr std::size_t kSaltBytes = 16;
constexpr std::size_t kSaltStock = 256;

absl::Status Unavailable(const absl::Status& status) {
  return WithReason(status, types::v1::DENIAL_REASON_RECORDER_UNAVAILABLE);
}

absl::StatusOr<std::set<std::string>> ReadLines(const std::string& path) {
  absl::StatusOr<std::string> text = ReadFile(path);
  if (absl::IsNotFound(text.status())) return std::set<std::string>();
  if (!text.ok()) return text.status();
  return std::set<std::string>(absl::StrSplit(*text, '\n', absl::SkipEmpty()));
}

// One spool and the chains in it.
struct Journal final : SpoolClient {
  bool OnEntry(EntryKind kind, std::string_view payload) override {
    if (kind == EntryKind::kRecord) return found.OnRecord(payload);
    if (kind == EntryKind::kChains) found.OnChains(payload);
    return true;
  }
  void OnDamage() override { found.OnDamage(); }
  std::string Checkpoint() override {
    return SerializeChains(spool != nullptr ? chains() : found.open());
  }

  std::function<absl::flat_hash_map<std::string, ChainState>()> chains;
  ChainTable found;
  std::unique_ptr<Spool> spool;
};

}  // namespace

class Recorder::Impl final : public RecordingChainOwner {
 public:
  using Handler = Resume<bool>;
  using Steady = std::chrono::steady_clock;

  Impl(Loop& loop, const Clock& clock, RecorderOptions options)
      : loop_(loop), clock_(clock), options_(std::move(options)) {}
  ~Impl();

  absl::Status Open();

  std::unique_ptr<RecordingChain> StartChain(std::string session_id);
  std::vector<std::unique_ptr<RecordingChain>> TakeOpenChains() {
    return std::exchange(recovered_, {});
  }
  void Forget(RecordingChain& chain) override;

  absl::Status AppendContent(RecordingChain& chain, RecordType type, Spool::Room room);
  absl::Status AppendRequest(RecordingChain& chain, const RequestFacts& facts,
                             const MaskedRequest& request);
  absl::Status AppendMessage(RecordingChain& chain, const MessageFacts& facts,
                             const MaskedMessage& message);
  absl::Status AppendEvent(RecordingChain& chain, const EventFacts& facts);
  void AppendDenial(const DenialFacts& facts);

  // Suspends until what has been appended is durable. False: it never will be.
  auto Durable() {
    return SuspendFor<bool>([this](Handler handler) {
      waiting_.push_back({std::move(handler), Steady::now()});
    });
  }

  absl::Status status() const {
    absl::Status failed = sessions_.spool->status();
    if (failed.ok()) failed = refused_;
    return failed.ok() ? failed : Unavailable(failed);
  }
  bool refuses() const { return !refused_.ok() || !sessions_.spool->status().ok(); }
  absl::Status Flush();

  RecorderTimings timings_;
  Journal sessions_;
  Journal denials_;
  std::vector<std::string> damaged_;
  // Sessions whose END record is written and not known to the control plane, as far as we know.
  absl::flat_hash_set<std::string> ended_;

 private:
  struct Waiting {
    Handler handler;
    Steady::time_point since;
  };
  struct Source {
    int in_second = 0;
    std::uint64_t suppressed = 0;
  };

  absl::Status OpenJournal(Journal& journal, const std::string& name, std::uint64_t bytes,
                           std::uint64_t segment, bool sync);
  absl::flat_hash_map<std::string, ChainState> OpenChains(bool denials) const;
  std::unique_ptr<RecordingChain> NewChain(std::string session_id, ChainState state);
  absl::Status AppendUnknownOutcomes(RecordingChain& chain);
  void Answered(RecordingChain& chain, std::uint64_t request_n);
  void EndTurn();
  void HandOver();
  void Release(std::vector<Waiting> waiting, bool durable);
  void CountCommit(const SpoolBatch& batch, Steady::duration took);
  void Committed(bool durable, Steady::duration took);
  void RunCommitter();
  std::string_view NextSalt();
  std::string DenialChainId() const;
  void WriteDenial(const DenialFacts& facts, std::string_view detail);
  void SummarizeDenials();

  Loop& loop_;
  const Clock& clock_;
  const RecorderOptions options_;

  std::vector<RecordingChain*> chains_;
  // Let go of without an END record.
  absl::flat_hash_map<std::string, ChainState> abandoned_;
  std::vector<std::unique_ptr<RecordingChain>> recovered_;
  std::unique_ptr<RecordingChain> denial_chain_;
  // Why the last append was refused; OK after one that was not.
  absl::Status refused_;
  bool failure_logged_ = false;

  std::vector<Waiting> waiting_;
  SpoolBatch reuse_;
  SpoolBatch denial_reuse_;

  std::string payload_;
  std::string record_;
  std::string salts_;
  std::size_t next_salt_ = 0;

  absl::flat_hash_map<std::string, Source> sources_;
  std::uint64_t lost_denials_ = 0;

  // With kPower: one batch at a time is with the committer, until the loop has heard of its end,
  // and these wait for it.
  bool is_committing_ = false;
  std::vector<Waiting> committing_;
  std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable idle_;
  SpoolBatch batch_;
  bool has_batch_ = false;
  bool stop_ = false;
  std::thread committer_;

  // What is posted to the loop may run after we are gone.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// --- start

absl::Status Recorder::Impl::OpenJournal(Journal& journal, const std::string& name,
                                         std::uint64_t bytes, std::uint64_t segment, bool sync) {
  SpoolOptions spool{
      .dir = options_.dir + "/" + name, .max_bytes = bytes, .segment_bytes = segment, .sync = sync};
  journal.chains = [this, denials = &journal == &denials_] { return OpenChains(denials); };
  ASSIGN_OR_RETURN(auto opened, Spool::Open(std::move(spool), journal));
  const SpoolRecovery& recovery = opened->recovery();
  LogInfo("spool_opened",
          {{"spool", name}, {"records", recovery.records}, {"cut_bytes", recovery.cut_bytes}});
  for (const std::string& file : recovery.quarantined) {
    LogError("spool_damaged", {{"spool", name}, {"quarantined", file}});
  }
  std::string list = options_.dir + "/" + name + ".damaged";
  ASSIGN_OR_RETURN(std::set<std::string> damaged, ReadLines(list));
  std::size_t known = damaged.size();
  for (const std::string& session : journal.found.Damaged()) {
    LogError("recording_damaged", {{"spool", name}, {"session", session}});
    damaged.insert(session);
  }
  // What is whole of such a chain is still shipped, and must not look as if it could go on next
  // time.
  if (damaged.size() > known)
    RETURN_IF_ERROR(WriteFileAtomically(list, absl::StrJoin(damaged, "\n")));
  damaged_.assign(damaged.begin(), damaged.end());
  ended_ = journal.found.TakeClosed();
  for (auto& [id, state] : journal.found.TakeOpen()) {
    if (!damaged.contains(id)) recovered_.push_back(NewChain(id, std::move(state)));
  }
  journal.spool = std::move(opened);
  return absl::OkStatus();
}

absl::Status Recorder::Impl::Open() {
  if (mkdir(options_.dir.c_str(), 0700) != 0 && errno != EEXIST) {
    return absl::UnavailableError(
        absl::StrCat("recorder: cannot make ", options_.dir, ": ", strerror(errno)));
  }
  // The agent's own chain first: what is recovered of it is no session's.
  RETURN_IF_ERROR(
      OpenJournal(denials_, "denials", kDenialSpoolBytes, kDenialSpoolBytes / 4, false));
  std::string prefix = absl::StrCat("agent:", options_.agent_name, ":");
  for (auto& chain : std::exchange(recovered_, {})) {
    if (chain->session_id().starts_with(prefix)) {
      denial_chain_ = std::move(chain);
    } else {
      chain->closed_ = true;  // of an agent of another name
    }
  }
  if (denial_chain_ == nullptr) denial_chain_ = NewChain(prefix + ToHex(RandomBytes(8)), {});

  std::uint64_t segment = std::max(options_.segment_bytes, options_.message_bytes * 2);
  RETURN_IF_ERROR(OpenJournal(sessions_, "sessions", options_.spool_max_bytes, segment,
                              options_.durability == Durability::kPower));
  for (auto& chain : recovered_) RETURN_IF_ERROR(AppendUnknownOutcomes(*chain));
  RETURN_IF_ERROR(Flush());

  if (options_.durability == Durability::kPower)
    committer_ = std::thread([this] { RunCommitter(); });
  std::weak_ptr<bool> alive = alive_;
  loop_.OnTurnEnd([this, alive] {
    if (!alive.expired()) EndTurn();
  });
  loop_.Every(absl::Seconds(1), [this, alive] {
    if (!alive.expired()) SummarizeDenials();
  });
  return absl::OkStatus();
}

absl::Status Recorder::Impl::AppendUnknownOutcomes(RecordingChain& chain) {
  sessions_.spool->Reserve(kEndBytes + chain.unanswered_.size() * kOutcomeBytes);
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
  Flush().IgnoreError();
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  work_.notify_one();
  if (committer_.joinable()) committer_.join();
  for (RecordingChain* chain : chains_) chain->owner_ = nullptr;
}

// --- chains

std::unique_ptr<RecordingChain> Recorder::Impl::NewChain(std::string session_id, ChainState state) {
  std::unique_ptr<RecordingChain> chain(new RecordingChain(*this, std::move(session_id)));
  chain->n_ = state.n;
  chain->head_ = state.n == 0 ? chain::FirstHash(chain->session_id_) : state.head;
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
  sessions_.spool->Reserve(kEndBytes);
  return NewChain(std::move(session_id), {});
}

void Recorder::Impl::Forget(RecordingChain& chain) {
  std::erase(chains_, &chain);
  if (chain.closed_ || chain.n_ == 0) {
    if (!chain.closed_) sessions_.spool->Release(kEndBytes);
    return;
  }
  abandoned_[chain.session_id_] = {chain.n_, chain.head_, std::move(chain.unanswered_)};
}

absl::flat_hash_map<std::string, ChainState> Recorder::Impl::OpenChains(bool denials) const {
  absl::flat_hash_map<std::string, ChainState> open;
  if (!denials) open = abandoned_;
  for (const RecordingChain* chain : chains_) {
    if (chain->closed_ || chain->n_ == 0 || (chain == denial_chain_.get()) != denials) continue;
    open[chain->session_id_] = {chain->n_, chain->head_, chain->unanswered_};
  }
  return open;
}

// --- appending

std::string_view Recorder::Impl::NextSalt() {
  if (next_salt_ == salts_.size()) {
    salts_ = RandomBytes(kSaltBytes * kSaltStock);
    next_salt_ = 0;
  }
  std::string_view salt = std::string_view(salts_).substr(next_salt_, kSaltBytes);
  next_salt_ += kSaltBytes;
  return salt;
}

// The record of payload_, as the chain's next link.
absl::Status Recorder::Impl::AppendContent(RecordingChain& chain, RecordType type,
                                           Spool::Room room) {
  if (chain.closed_) {
    refused_ = absl::FailedPreconditionError("the recording is closed");
    return Unavailable(refused_);
  }
  std::string_view salt = NextSalt();
  chain::Link link{.n = chain.n_ + 1,
                   .type = static_cast<std::uint32_t>(type),
                   .time_unix_nanos = absl::ToUnixNanos(clock_.Now()),
                   .payload_length = payload_.size(),
                   .payload_digest = chain::PayloadDigest(salt, payload_)};
  chain::Digest hash = chain::LinkHash(chain.session_id_, chain.head_, link);
  WriteRecord(record_, {.session_id = chain.session_id_,
                        .n = link.n,
                        .type = type,
                        .time_unix_nanos = link.time_unix_nanos,
                        .salt = salt,
                        .payload = payload_,
                        .payload_digest = chain::View(link.payload_digest),
                        .hash = chain::View(hash)});
  Spool& spool = &chain == denial_chain_.get() ? *denials_.spool : *sessions_.spool;
  absl::Status appended = spool.Append(EntryKind::kRecord, room, record_);
  if (&spool == sessions_.spool.get()) refused_ = appended;
  if (!appended.ok()) return Unavailable(appended);
  chain.n_ = link.n;
  chain.head_ = hash;
  return absl::OkStatus();
}

void Recorder::Impl::Answered(RecordingChain& chain, std::uint64_t request_n) {
  if (request_n != 0 && std::erase(chain.unanswered_, request_n) > 0)
    sessions_.spool->Release(kOutcomeBytes);
}

absl::Status Recorder::Impl::AppendRequest(RecordingChain& chain, const RequestFacts& facts,
                                           const MaskedRequest& request) {
  const ClientMessage& message = request.message();
  RecordType type = message.shape == Shape::kRequest        ? RecordType::RECORD_TYPE_REQUEST
                    : message.shape == Shape::kNotification ? RecordType::RECORD_TYPE_NOTIFICATION
                                                            : RecordType::RECORD_TYPE_ANSWER;
  WriteContent(payload_, facts,
               {.method = request.method(),
                .target = request.target(),
                .rpc_id = request.rpc_id(),
                .body = request.bytes(),
                .original_bytes = message.bytes.size(),
                .findings = request.findings()});
  bool is_request = type == RecordType::RECORD_TYPE_REQUEST;
  // Room for its outcome is taken first, so that there is never a request whose outcome does not
  // fit.
  if (is_request) sessions_.spool->Reserve(kOutcomeBytes);
  absl::Status appended = AppendContent(chain, type, Spool::Room::kOrdinary);
  if (!is_request) return appended;
  if (appended.ok()) {
    chain.unanswered_.push_back(chain.n_);
  } else {
    sessions_.spool->Release(kOutcomeBytes);
  }
  return appended;
}

absl::Status Recorder::Impl::AppendMessage(RecordingChain& chain, const MessageFacts& facts,
                                           const MaskedMessage& message) {
  const UpstreamMessage& m = message.message();
  bool is_response = m.shape == Shape::kResponse;
  RecordType type = facts.type;
  if (type == RecordType::RECORD_TYPE_UNSPECIFIED) {
    type = is_response ? RecordType::RECORD_TYPE_RESULT : RecordType::RECORD_TYPE_MESSAGE;
  }
  std::string_view outcome = facts.outcome;
  if (outcome.empty() && type == RecordType::RECORD_TYPE_RESULT)
    outcome = m.is_error ? "error" : "delivered";
  const ShownRequest* const answers = is_response ? facts.answers : nullptr;
  if (is_response && answers == nullptr)
    return absl::InternalError("a response that answers no request");
  const bool hides_id = is_response && answers->hides_id();
  const std::string with_shown_id = hides_id ? WithId(m.bytes, answers->rpc_id()) : std::string();
  WriteContent(payload_, facts,
               {.method = is_response ? answers->method() : m.method,
                .target = is_response ? answers->target() : std::string_view(),
                .rpc_id = is_response ? answers->rpc_id() : m.id,
                .body = hides_id ? with_shown_id : m.bytes,
                .original_bytes = message.original_bytes(),
                .findings = message.findings(),
                .denial_reason = facts.denial_reason,
                .outcome = outcome,
                .request_n = facts.request_n,
                .detail = facts.detail.view()});
  RETURN_IF_ERROR(AppendContent(chain, type, Spool::Room::kOrdinary));
  if (is_response) Answered(chain, facts.request_n);
  return absl::OkStatus();
}

namespace {

RecordContent ContentOf(const EventFacts& facts) {
  RecordContent content;
  if (facts.request != nullptr) {
    content.set_method(std::string(facts.request->method()));
    content.set_target(std::string(facts.request->target()));
    content.set_rpc_id(std::string(facts.request->rpc_id()));
  } else {
    content.set_method(std::string(facts.method.view()));
  }
  content.set_denial_reason(facts.denial_reason);
  content.set_approval_id(std::string(facts.approval_id));
  content.set_policy_epoch(facts.policy_epoch);
  content.set_policy_version(facts.policy_version);
  content.set_policy(std::string(facts.policy));
  content.set_outcome(std::string(facts.outcome));
  content.set_request_n(facts.request_n);
  content.set_detail(std::string(facts.detail.view()));
  if (facts.principal != nullptr) *content.mutable_principal() = *facts.principal;
  content.set_server(std::string(facts.server));
  content.set_agent(std::string(facts.agent));
  content.set_break_glass(std::string(facts.break_glass));
  content.set_end_reason(std::string(facts.end_reason));
  content.set_calls(facts.calls);
  content.set_client_address(std::string(facts.client_address));
  content.set_mcp_session(std::string(facts.mcp_session));
  content.set_token_id(std::string(facts.token_id));
  return content;
}

}  // namespace

absl::Status Recorder::Impl::AppendEvent(RecordingChain& chain, const EventFacts& facts) {
  const RecordType type = facts.type;
  bool is_end = type == RecordType::RECORD_TYPE_END;
  bool is_reserved = is_end || type == RecordType::RECORD_TYPE_OUTCOME;
  RecordContent content = ContentOf(facts);
  if (is_reserved && content.detail().size() > kReservedDetailBytes)
    content.mutable_detail()->resize(kReservedDetailBytes);
  payload_.clear();
  content.AppendToString(&payload_);
  bool fits = payload_.size() < (is_end ? kEndBytes : kOutcomeBytes) / 2;
  RETURN_IF_ERROR(AppendContent(
      chain, type, is_reserved && fits ? Spool::Room::kReserved : Spool::Room::kOrdinary));
  Answered(chain, content.request_n());
  if (is_end) {
    chain.closed_ = true;
    ended_.insert(chain.session_id_);
    sessions_.spool->Release(kEndBytes + chain.unanswered_.size() * kOutcomeBytes);
    chain.unanswered_.clear();
  }
  return absl::OkStatus();
}

// --- refusals without a session

void Recorder::Impl::WriteDenial(const DenialFacts& facts, std::string_view detail) {
  RecordFacts about{.token_id = facts.token_id, .client_address = facts.client_address};
  WriteContent(payload_, about,
               {.method = facts.method.view(),
                .denial_reason = facts.reason,
                .detail = detail,
                .server = facts.server.view()});
  if (AppendContent(*denial_chain_, RecordType::RECORD_TYPE_DENIAL, Spool::Room::kOrdinary).ok()) {
    lost_denials_ = 0;
  } else {
    ++lost_denials_;
  }
}

void Recorder::Impl::AppendDenial(const DenialFacts& facts) {
  std::string key(facts.client_address);
  if (sources_.size() >= kMaxDenialSources && !sources_.contains(key)) key.clear();
  Source& source = sources_[key];
  if (++source.in_second > kDenialsPerSecond) {
    ++source.suppressed;
    return;
  }
  std::string detail(facts.detail.view());
  if (lost_denials_ > 0)
    absl::StrAppend(&detail, " (", lost_denials_, " refusals before this one have no record)");
  WriteDenial(facts, detail);
}

void Recorder::Impl::SummarizeDenials() {
  for (auto& [address, source] : sources_) {
    if (source.suppressed == 0) continue;
    WriteDenial({.client_address = address},
                absl::StrCat(source.suppressed, " more refusals of this source in one second"));
  }
  sources_.clear();
}

// --- durability

void Recorder::Impl::Release(std::vector<Waiting> waiting, bool durable) {
  const Steady::time_point now = Steady::now();
  for (const Waiting& one : waiting) timings_.wait.Add(now - one.since);
  for (Waiting& one : waiting) std::move(one.handler)(durable);
}

void Recorder::Impl::CountCommit(const SpoolBatch& batch, Steady::duration took) {
  timings_.commit.Add(took);
  timings_.commit_bytes += batch.bytes();
}

void Recorder::Impl::EndTurn() {
  // What goes on here may append again, and nothing else may be ready: no turn would end for it.
  constexpr int kRounds = 16;
  for (int round = 0; round < kRounds; ++round) {
    if (denials_.spool->has_pending()) {
      denial_reuse_ = denials_.spool->TakePending(std::move(denial_reuse_));
      absl::Status written = denials_.spool->Write(denial_reuse_);
      if (!written.ok() && !std::exchange(failure_logged_, true))
        LogError("denials_not_recorded", {{"status", written}});
    }
    if (!sessions_.spool->has_pending() && waiting_.empty()) return;
    if (committer_.joinable()) {
      HandOver();
      return;
    }
    reuse_ = sessions_.spool->TakePending(std::move(reuse_));
    const Steady::time_point began = Steady::now();
    absl::Status written = sessions_.spool->Write(reuse_);
    CountCommit(reuse_, Steady::now() - began);
    if (!written.ok() && !std::exchange(failure_logged_, true))
      LogError("recorder_failed", {{"status", written}});
    Release(std::exchange(waiting_, {}), written.ok());
  }
  loop_.Post([] {});
}

// Gives the committer what is pending, unless it has something: its end calls this again.
void Recorder::Impl::HandOver() {
  if (is_committing_ || (!sessions_.spool->has_pending() && waiting_.empty())) return;
  is_committing_ = true;
  committing_ = std::exchange(waiting_, {});
  {
    std::lock_guard lock(mutex_);
    batch_ = sessions_.spool->TakePending(std::move(batch_));
    has_batch_ = true;
  }
  work_.notify_one();
}

void Recorder::Impl::RunCommitter() {
  std::unique_lock lock(mutex_);
  for (;;) {
    work_.wait(lock, [this] { return stop_ || has_batch_; });
    if (!has_batch_) return;
    lock.unlock();
    const Steady::time_point began = Steady::now();
    absl::Status written = sessions_.spool->Write(batch_);
    const Steady::duration took = Steady::now() - began;
    lock.lock();
    has_batch_ = false;
    idle_.notify_all();
    loop_.Post([this, alive = std::weak_ptr<bool>(alive_), ok = written.ok(), took] {
      if (!alive.expired()) Committed(ok, took);
    });
  }
}

void Recorder::Impl::Committed(bool durable, Steady::duration took) {
  // Until the next batch the loop's thread alone has it.
  CountCommit(batch_, took);
  if (!durable && !std::exchange(failure_logged_, true))
    LogError("recorder_failed", {{"status", sessions_.spool->status()}});
  // The disk first: it works on while the loop does what these go on with.
  std::vector<Waiting> durable_now = std::exchange(committing_, {});
  is_committing_ = false;
  HandOver();
  Release(std::move(durable_now), durable);
}

absl::Status Recorder::Impl::Flush() {
  if (denials_.spool == nullptr || sessions_.spool == nullptr) return absl::OkStatus();
  denials_.spool->Write(denials_.spool->TakePending()).IgnoreError();
  if (committer_.joinable()) {
    // The batch that the committer holds was appended first.
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return !has_batch_; });
  }
  return sessions_.spool->Write(sessions_.spool->TakePending());
}

// --- the public face

RecordingChain::~RecordingChain() {
  if (owner_ != nullptr) owner_->Forget(*this);
}

Recorder::Recorder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Recorder::~Recorder() = default;

absl::StatusOr<std::unique_ptr<Recorder>> Recorder::Create(Loop& loop, const Clock& clock,
                                                           RecorderOptions options) {
  auto impl = std::make_unique<Impl>(loop, clock, std::move(options));
  RETURN_IF_ERROR(impl->Open());
  return std::unique_ptr<Recorder>(new Recorder(std::move(impl)));
}

std::unique_ptr<RecordingChain> Recorder::StartChain(std::string session_id) {
  return impl_->StartChain(std::move(session_id));
}
std::vector<std::unique_ptr<RecordingChain>> Recorder::TakeOpenChains() {
  return impl_->TakeOpenChains();
}
void Recorder::ForgetEnds(const std::function<bool(const std::string&)>& is_over) {
  absl::erase_if(impl_->ended_, is_over);
}
const std::vector<std::string>& Recorder::damaged_sessions() const { return impl_->damaged_; }

namespace {
absl::Status NotDurable() {
  return Denied(types::v1::DENIAL_REASON_RECORDER_UNAVAILABLE,
                "the record could not be made durable");
}
}  // namespace

Task<absl::StatusOr<OutboundMessage>> Recorder::RecordRequest(RecordingChain& chain,
                                                              RequestFacts facts,
                                                              MaskedRequest request) {
  CO_RETURN_IF_ERROR(impl_->AppendRequest(chain, facts, request));
  std::uint64_t n = chain.n();
  if (!co_await impl_->Durable()) co_return NotDurable();
  co_return OutboundMessage(RecordPass{}, std::move(request), n);
}

Task<absl::StatusOr<RecordedMessage>> Recorder::RecordMessage(RecordingChain& chain,
                                                              MessageFacts facts,
                                                              MaskedMessage message) {
  CO_RETURN_IF_ERROR(impl_->AppendMessage(chain, facts, message));
  if (!co_await impl_->Durable()) co_return NotDurable();
  co_return RecordedMessage(RecordPass{}, std::move(message).TakeMessage().bytes);
}

Task<absl::Status> Recorder::RecordEvent(RecordingChain& chain, EventFacts facts) {
  CO_RETURN_IF_ERROR(impl_->AppendEvent(chain, facts));
  if (!co_await impl_->Durable()) co_return NotDurable();
  co_return absl::OkStatus();
}

void Recorder::RecordDenial(const DenialFacts& facts) { impl_->AppendDenial(facts); }

absl::StatusOr<RecordedMessage> Recorder::RefuseUnrecorded(UpstreamMessage refusal) {
  if (!impl_->refuses())
    return absl::FailedPreconditionError("the recorder works: record the refusal");
  return RecordedMessage(RecordPass{}, std::move(refusal.bytes));
}

absl::Status Recorder::status() const { return impl_->status(); }
std::vector<Spool*> Recorder::spools() {
  return {impl_->sessions_.spool.get(), impl_->denials_.spool.get()};
}
std::uint64_t Recorder::backlog_bytes() const {
  return impl_->sessions_.spool->backlog_bytes() + impl_->denials_.spool->backlog_bytes();
}
std::uint64_t Recorder::capacity_bytes() const { return impl_->sessions_.spool->capacity_bytes(); }
const RecorderTimings& Recorder::timings() const { return impl_->timings_; }
absl::Status Recorder::Flush() { return impl_->Flush(); }

}  // namespace sallyport::agent
