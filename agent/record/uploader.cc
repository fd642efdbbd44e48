#include "agent/record/uploader.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <string>
#include <thread>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "agent/record/record_writer.h"
#include "common/backoff.h"
#include "common/grpc_status.h"
#include "common/log.h"
#include "common/record_run.h"
#include "common/refused_recording.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "common/turns.h"
#include "sallyport/agent/v1/recording_service.pb.h"

namespace sallyport::agent {
namespace {

using Steady = std::chrono::steady_clock;

constexpr char kMethod[] = "/sallyport.agent.v1.RecordingService/StreamRecords";
// Priority rises when the backlog passes the first and falls when it is below the second.
constexpr std::uint64_t kRaiseBytes = std::uint64_t{8} << 20;
constexpr std::uint64_t kLowerBytes = std::uint64_t{1} << 20;

// How often one and the same complaint is repeated.
constexpr absl::Duration kSayAgain = absl::Minutes(1);

// There is nobody, or we have hung up: the snapshot's stream says so already.
bool IsAway(const absl::Status& status) {
  return status.ok() || absl::IsUnavailable(status) || absl::IsCancelled(status);
}

std::int64_t Nanos(Steady::time_point time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

// A block as it grows: the spool's bytes as they are, for parsing them only to serialize them again
// would cost more than everything else here. Records of one chain stand together, so that the
// control plane can store them as they come.
class Block {
 public:
  void Add(const RecordId& id, std::string_view record) {
    auto [place, is_new] = run_of_chain_.try_emplace(ToAbsl(id.session_id), runs_.size());
    // What a recovery has written twice is a run of its own.
    if (!is_new && runs_[place->second].next_n != id.n) place->second = runs_.size();
    if (place->second == runs_.size()) runs_.emplace_back();
    Run& run = runs_[place->second];
    AppendRecord(run.bytes, record);
    run.next_n = id.n + 1;
    bytes_ += record.size();
    ++count_;
  }
  int count() const { return count_; }
  std::size_t bytes() const { return bytes_; }
  grpc::ByteBuffer Finish(std::uint64_t number, std::uint64_t backlog, RunPacker& packer) {
    agent::v1::StreamRecordsRequest request;
    request.set_block(number);
    request.set_backlog_bytes(backlog);
    for (const Run& run : runs_) request.add_runs(packer.Pack(run.bytes));
    const std::string serialized = request.SerializeAsString();
    grpc::Slice slice(serialized);
    return grpc::ByteBuffer(&slice, 1);
  }

 private:
  struct Run {
    std::string bytes;
    std::uint64_t next_n = 0;
  };
  std::vector<Run> runs_;
  absl::flat_hash_map<std::string, std::size_t> run_of_chain_;
  std::size_t bytes_ = 0;
  int count_ = 0;
};

}  // namespace

// One stream, from its start to its end. On the uploader's thread.
class Uploader::Stream {
 public:
  Stream(Uploader& up, const std::shared_ptr<grpc::Channel>& channel)
      : up_(up), stub_(channel), call_(stub_.PrepareCall(&context_, kMethod, &queue_)) {
    for (Spool* spool : up.spools_)
      lanes_.push_back({.reader = SpoolReader(*spool), .spool = spool});
    call_->StartCall(Tag(kStarted));
  }

  // Ends with the stream, or when the uploader is told to stop. What the control plane said.
  absl::Status Run() {
    while (!finished_) {
      if (!closing_ && ShouldStop()) Close();
      up_.AdjustPriority();
      const bool found = Send();
      pause_ = found ? up_.options_.poll : std::min(2 * pause_, up_.options_.idle_poll);
      void* tag = nullptr;
      bool ok = false;
      auto until = std::chrono::system_clock::now() + absl::ToChronoNanoseconds(pause_);
      if (queue_.AsyncNext(&tag, &ok, until) == grpc::CompletionQueue::GOT_EVENT) On(tag, ok);
    }
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
    return FromGrpcStatus(status_);
  }
  // Why it was ended here; OK where it was not.
  const absl::Status& failure() const { return failure_; }
  bool was_acknowledged() const { return was_acknowledged_; }

 private:
  enum Event : std::intptr_t { kStarted = 1, kRead, kWritten, kFinished };
  static void* Tag(Event event) { return reinterpret_cast<void*>(event); }
  struct Lane {
    SpoolReader reader;
    Spool* spool;
  };
  struct Sent {
    std::uint64_t number;
    int records;
    std::size_t bytes;
    std::vector<std::pair<SpoolPosition, std::uint64_t>> after;  // of each lane, with its bytes
  };

  bool ShouldStop() const {
    std::int64_t at = up_.stop_at_.load(std::memory_order_acquire);
    return at != 0 && (up_.Drained() || Nanos(Steady::now()) >= at);
  }
  void Close() {
    closing_ = true;
    context_.TryCancel();
    Finish();
  }
  void Finish() {
    if (std::exchange(finishing_, true)) return;
    call_->Finish(&status_, Tag(kFinished));
  }

  void On(void* tag, bool ok) {
    switch (static_cast<Event>(reinterpret_cast<std::intptr_t>(tag))) {
      case kStarted:
        started_ = ok;
        if (!ok) return Finish();
        call_->Read(&answer_, Tag(kRead));
        return;
      case kWritten:
        writing_ = false;
        if (!ok) Finish();
        return;
      case kRead:
        if (!ok) return Finish();
        OnAnswer();
        call_->Read(&answer_, Tag(kRead));
        return;
      case kFinished:
        finished_ = true;
        return;
    }
  }

  void OnAnswer() {
    std::vector<grpc::Slice> slices;
    std::string bytes;
    if (!answer_.Dump(&slices).ok()) return;
    for (const grpc::Slice& slice : slices)
      bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    agent::v1::StreamRecordsResponse response;
    if (!response.ParseFromString(bytes)) return;
    while (!unacked_.empty() && unacked_.front().number <= response.block()) {
      const Sent& sent = unacked_.front();
      for (std::size_t i = 0; i < lanes_.size(); ++i) {
        lanes_[i].spool->Acknowledge(sent.after[i].first, sent.after[i].second);
      }
      up_.acked_blocks_.fetch_add(1, std::memory_order_relaxed);
      up_.acked_block_bytes_.fetch_add(sent.bytes, std::memory_order_relaxed);
      up_.acked_records_.fetch_add(static_cast<std::uint64_t>(sent.records),
                                   std::memory_order_relaxed);
      unacked_.pop_front();
      was_acknowledged_ = true;
    }
    up_.connected_.store(true, std::memory_order_relaxed);
    up_.held_up_.store(false, std::memory_order_relaxed);
  }

  void Fail(absl::Status why) {
    failure_ = std::move(why);
    Close();
  }

  // Takes what a block has room for into it, and sets aside what belongs there.
  absl::Status Fill() {
    for (Lane& lane : lanes_) {
      while (block_.count() < up_.options_.block_records &&
             block_.bytes() + up_.set_aside_.pending_bytes() < up_.options_.block_bytes) {
        auto record = lane.reader.Next();
        if (!record.ok()) {
          LogError("spool_unreadable", {{"status", record.status()}});
          up_.unreadable_.store(true, std::memory_order_relaxed);
          return record.status();
        }
        if (record->empty()) break;
        const RecordId id = ReadRecordId(*record);
        if (up_.set_aside_.Holds(id.session_id)) {
          RETURN_IF_ERROR(up_.set_aside_.Add(*record));
          has_set_aside_ = true;
          continue;
        }
        if (block_.count() == 0) since_ = Steady::now();
        block_.Add(id, *record);
      }
    }
    return up_.set_aside_.Write();
  }

  // What was set aside and has no block behind it, whose acknowledgement would free it, too.
  void FreeSetAside() {
    if (!has_set_aside_ || !unacked_.empty()) return;
    for (Lane& lane : lanes_)
      lane.spool->Acknowledge(lane.reader.position(), lane.reader.TakeBytes());
    has_set_aside_ = false;
    up_.held_up_.store(false, std::memory_order_relaxed);
  }

  // False: there was nothing to be sent.
  bool Send() {
    if (!started_ || writing_ || finishing_ ||
        unacked_.size() >= static_cast<std::size_t>(up_.options_.window))
      return true;
    if (absl::Status filled = Fill(); !filled.ok()) {
      Fail(std::move(filled));
      return false;
    }
    if (block_.count() == 0) {
      FreeSetAside();
      return false;
    }
    bool full =
        block_.count() >= up_.options_.block_records || block_.bytes() >= up_.options_.block_bytes;
    bool due = Steady::now() - since_ >= absl::ToChronoNanoseconds(up_.options_.max_delay);
    bool stopping = up_.stop_at_.load(std::memory_order_acquire) != 0;
    if (!full && !due && !stopping && !up_.Hurries()) return true;
    Sent sent{.number = ++number_, .records = block_.count()};
    for (Lane& lane : lanes_)
      sent.after.emplace_back(lane.reader.position(), lane.reader.TakeBytes());
    const grpc::ByteBuffer block = block_.Finish(number_, up_.Backlog(), packer_);
    sent.bytes = block.Length();
    unacked_.push_back(std::move(sent));
    call_->Write(block, Tag(kWritten));
    block_ = {};
    writing_ = true;
    return true;
  }

  Uploader& up_;
  grpc::CompletionQueue queue_;
  grpc::ClientContext context_;
  grpc::GenericStub stub_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  grpc::ByteBuffer answer_;
  grpc::Status status_;
  bool started_ = false, writing_ = false, closing_ = false, finishing_ = false, finished_ = false;
  bool was_acknowledged_ = false;
  bool has_set_aside_ = false;
  absl::Status failure_;

  std::vector<Lane> lanes_;
  std::deque<Sent> unacked_;
  Block block_;
  RunPacker packer_;
  absl::Duration pause_ = up_.options_.poll;
  Steady::time_point since_;
  std::uint64_t number_ = 0;
};

Uploader::Uploader(std::vector<Spool*> spools, ChannelSource channels, UploaderOptions options)
    : spools_(std::move(spools)),
      channels_(std::move(channels)),
      options_(std::move(options)),
      set_aside_(options_.set_aside),
      thread_([this] { Run(); }) {}

Uploader::~Uploader() { Stop(absl::ZeroDuration()); }

void Uploader::Stop(absl::Duration drain) {
  auto at = Steady::now() + absl::ToChronoNanoseconds(drain);
  stop_at_.store(Nanos(at), std::memory_order_release);
  if (thread_.joinable()) thread_.join();
}

bool Uploader::Drained() const { return Backlog() == 0; }

std::uint64_t Uploader::Backlog() const {
  std::uint64_t bytes = 0;
  for (const Spool* spool : spools_) bytes += spool->backlog_bytes();
  return bytes;
}

void Uploader::Hurry(absl::Duration time) {
  hurry_until_.store(Nanos(Steady::now() + absl::ToChronoNanoseconds(time)),
                     std::memory_order_release);
  // From here: at idle priority it might not come to do so itself for a long time.
  if (const pid_t tid = tid_.load(std::memory_order_acquire); tid != 0) TakeOrdinaryTurns(tid);
}

bool Uploader::Hurries() const {
  return Nanos(Steady::now()) < hurry_until_.load(std::memory_order_acquire);
}

void Uploader::AdjustPriority() {
  if (!may_yield_) return;
  const bool is_urgent = Hurries() || Backlog() >= (raised_ ? kLowerBytes : kRaiseBytes);
  if (is_urgent != raised_) SetPriority(is_urgent);
}

void Uploader::SetPriority(bool raised) {
  raised_ = raised;
  raised ? TakeOrdinaryTurns() : TakeIdleTurns();
}

bool Uploader::BeginsSetAside(const absl::Status& status) {
  const std::string recording = RefusedRecordingIn(status);
  if (!set_aside_.Begin(recording)) return false;
  LogError("recording_set_aside",
           {{"recording", recording},
            {"error", status},
            {"file", set_aside_.FileOf(recording)},
            {"meaning",
             "the control plane refuses this recording for good: what of it was not shipped is "
             "kept in the file, its session takes no call any more, and all else is shipped"}});
  options_.on_refused(recording);
  return true;
}

void Uploader::NoteNotTaken(const absl::Status& status) {
  held_up_.store(true, std::memory_order_relaxed);
  const auto now = Steady::now();
  if (ToStd(status.message()) == not_taken_ && now < say_again_at_) return;
  not_taken_ = std::string(status.message());
  say_again_at_ = now + absl::ToChronoNanoseconds(kSayAgain);
  // The message names the record and its recording.
  LogError("records_not_taken", {{"error", status}, {"backlog_bytes", Backlog()}});
}

void Uploader::Run() {
  tid_.store(gettid(), std::memory_order_release);
  may_yield_ = MayLeaveIdleTurns();
  if (may_yield_) SetPriority(false);
  Backoff backoff(options_.backoff_min, options_.backoff_max);
  auto stopped = [this] {
    std::int64_t at = stop_at_.load(std::memory_order_acquire);
    return at != 0 && (Drained() || Nanos(Steady::now()) >= at);
  };
  while (!stopped()) {
    if (std::shared_ptr<grpc::Channel> channel = channels_()) {
      Stream stream(*this, channel);
      const absl::Status status = stream.Run();
      connected_.store(false, std::memory_order_relaxed);
      if (unreadable_.load(std::memory_order_relaxed)) return;
      if (stream.was_acknowledged()) backoff.Reset();
      if (BeginsSetAside(status)) continue;
      if (!stream.failure().ok()) {
        NoteNotTaken(stream.failure());
      } else if (!IsAway(status)) {
        NoteNotTaken(status);
      }
    }
    auto until = Steady::now() + absl::ToChronoNanoseconds(backoff.Next());
    while (!stopped() && Steady::now() < until) {
      std::this_thread::sleep_for(absl::ToChronoNanoseconds(options_.poll));
    }
  }
}

}  // namespace sallyport::agent
