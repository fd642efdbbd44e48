#include "agent/upstream/stdio_upstream.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>

#include "agent/loop/descriptor.h"
#include "agent/loop/signal.h"
#include "agent/mcp/dialect.h"
#include "agent/mcp/json_batch.h"
#include "agent/mcp/pipe_message.h"
#include "agent/upstream/line_splitter.h"
#include "agent/upstream/line_writer.h"
#include "agent/upstream/message_router.h"
#include "agent/upstream/upstream_error.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

constexpr std::size_t kReadBytes = std::size_t{64} << 10;
// A server behind a pipe answers many calls in one go. Were they all brought to their clients
// before those are heard again, it would have nothing to do meanwhile.
constexpr int kLinesInARow = 4;

bool IsBlank(std::string_view line) {
  return line.find_first_not_of(" \t") == std::string_view::npos;
}

}  // namespace

class StdioUpstream::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(Loop& loop, SpawnedChild child, StdioOptions options)
      : loop_(loop),
        options_(std::move(options)),
        in_(std::make_shared<LineWriter>(
            loop, NonBlocking(child.in.Release()),
            [this] { Lose(UpstreamLost("the server does not take requests any more")); })),
        out_(loop, NonBlocking(child.out.Release())),
        err_(loop, NonBlocking(child.err.Release())),
        exit_(loop, dup(child.pidfd.get())),
        child_(std::move(child)),
        router_(std::make_shared<MessageRouter>(loop)),
        gone_(loop) {}
  ~Core() { in_->Close(); }

  void Start() {
    loop_.Spawn(ReadOut(shared_from_this()));
    loop_.Spawn(DrainErr(shared_from_this()));
    loop_.Spawn(WaitExit(shared_from_this()));
  }

  MessageRouter& router() { return *router_; }
  std::uint64_t NextNumber() { return ++last_number_; }

  // The request that went out under `number` is of no use any more.
  void TellCancelled(std::uint64_t number) {
    if (!router_->is_lost()) loop_.Spawn(WriteCancelled(shared_from_this(), number));
  }

  // In the order of the calls. Returns when the line is on its way: it goes out with the others of
  // this turn, or behind those that the child has not read yet.
  Task<absl::Status> Write(std::string_view bytes) {
    if (!in_->is_full()) return Task<absl::Status>(Add(bytes));
    return WriteWhenThereIsRoom(shared_from_this(), std::string(bytes));
  }

  // Whoever waits is told, now; later calls get the same.
  void Lose(absl::Status status) {
    router_->Lose(std::move(status));
    in_->room().Set();
    if (options_.answers.room != nullptr) options_.answers.room->Wake();
  }

  void CloseIn() { in_->Close(); }
  // The kernel, or the supervisor, kills all that is left.
  void Cut() { child_.lifeline.Reset(); }

  Task<void> Close() {
    auto self = shared_from_this();
    Lose(UpstreamLost("the session has ended"));
    CloseIn();
    if (!co_await gone_.Wait(options_.grace)) {
      char order = kTerminate;
      if (child_.lifeline && write(child_.lifeline.get(), &order, 1) != 1) Cut();
      if (!co_await gone_.Wait(options_.grace)) {
        Cut();
        while (!co_await gone_.Wait(absl::Seconds(10)))
          LogError("server_not_gone", {{"server", options_.server}});
      }
    }
  }

 private:
  static Task<void> WriteCancelled(std::shared_ptr<Core> self, std::uint64_t number) {
    const std::string line = CancelledOnPipe(number);
    (co_await self->Write(line)).IgnoreError();
  }

  static Task<absl::Status> WriteWhenThereIsRoom(std::shared_ptr<Core> self, std::string bytes) {
    while (self->in_->is_full() && !self->router_->is_lost()) {
      self->in_->room().Reset();
      co_await self->in_->room().Wait();
    }
    co_return self->Add(bytes);
  }
  absl::Status Add(std::string_view bytes) {
    if (!router_->is_lost()) in_->Add(bytes);
    return router_->why();
  }

  static Task<void> ReadOut(std::shared_ptr<Core> self) {
    LineSplitter splitter(self->options_.limits.max_bytes);
    std::string buffer(kReadBytes, '\0');
    std::string line;
    for (;;) {
      const IoResult read = co_await ReadSome(self->out_, buffer.data(), buffer.size());
      if (read.n == 0) break;
      std::string_view bytes(buffer.data(), read.n);
      for (int lines = 1;; ++lines) {
        if (lines % kLinesInARow == 0) co_await GiveWay(self->loop_);
        auto event = splitter.Next(bytes, line);
        if (event == LineSplitter::Event::kNeedMore) break;
        AnswerPlace room = self->TakePlace(line.size());
        if (event == LineSplitter::Event::kTooLong) {
          self->Refuse(UpstreamInvalid("the server sent a line longer than the message limit"));
          continue;
        }
        auto routed = self->OnLine(std::move(line), std::move(room));
        line = {};
        if (!routed.is_full()) continue;
        const auto given_up = co_await MessageRouter::WaitForRoom(self->router_, std::move(routed));
        if (given_up != 0) self->TellCancelled(given_up);
      }
      if (self->options_.answers.NeedsPlace(splitter.pending_bytes(), self->place_)) {
        co_await AwaitPlace(self);
      }
    }
    if (splitter.pending_bytes() > 0) self->Drop("half_line");
    self->place_.reset();
    self->Lose(UpstreamLost("the server has closed its output"));
    // A server that cannot answer is of no use, whatever it still does.
    if (!self->gone_.is_set()) self->CloseIn();
    if (!co_await self->gone_.Wait(self->options_.grace)) self->Cut();
  }

  // The child waits meanwhile. Its end is the end of that, too.
  static Task<void> AwaitPlace(std::shared_ptr<Core> self) {
    const AnswerShare& answers = self->options_.answers;
    while (!self->router_->is_lost()) {
      if ((self->place_ = answers.Take(self->options_.limits.max_bytes)) != nullptr) break;
      co_await answers.room->WaitForMore(absl::InfiniteDuration());
    }
    self->place_until_ = self->loop_.now() + absl::ToChronoNanoseconds(self->options_.long_line);
    if (!std::exchange(self->is_watching_, true)) self->loop_.Spawn(WatchLine(self));
  }

  // Of the line that has been read.
  AnswerPlace TakePlace(std::size_t bytes) {
    if (place_ != nullptr) place_->Shrink(bytes);
    return std::exchange(place_, nullptr);
  }

  // As long as a line is long in coming.
  static Task<void> WatchLine(std::shared_ptr<Core> self) {
    while (self->place_ != nullptr && !self->gone_.is_set()) {
      const absl::Duration left = absl::FromChrono(self->place_until_ - self->loop_.now());
      if (left <= absl::ZeroDuration()) {
        self->Lose(UpstreamLost("the server does not end the line that it has begun"));
        self->Cut();
        break;
      }
      (void)co_await self->gone_.Wait(left);
    }
    self->is_watching_ = false;
  }

  static Task<void> DrainErr(std::shared_ptr<Core> self) {
    std::array<char, 4096> buffer;
    std::uint64_t bytes = 0;
    for (;;) {
      const IoResult read = co_await ReadSome(self->err_, buffer.data(), buffer.size());
      if (read.n == 0) break;
      bytes += read.n;
    }
    if (bytes > 0) LogInfo("server_stderr", {{"server", self->options_.server}, {"bytes", bytes}});
  }

  static Task<void> WaitExit(std::shared_ptr<Core> self) {
    co_await Readable(self->exit_);
    int status = ReapChild(self->child_);
    LogInfo("server_exited",
            {{"server", self->options_.server}, {"status", status}, {"dropped", self->dropped_}});
    self->gone_.Set();
    // What it wrote before it ended is still in the pipe, and the end of that is what ReadOut waits
    // for.
  }

  void Drop(std::string_view what) {
    if (options_.dropped_lines != nullptr) ++*options_.dropped_lines;
    constexpr std::uint64_t kLogged = 5;
    if (++dropped_ <= kLogged)
      LogWarning("server_output_dropped", {{"server", options_.server}, {"what", what}});
  }

  // It cannot be told whose answer it was.
  void Refuse(const absl::Status& status) {
    Drop("refused_message");
    router_->FailAll(status);
  }

  MessageRouter::Routed OnLine(std::string line, AnswerPlace room) {
    if (IsBlank(line)) return {};
    if (has_batches_ && IsBatch(line)) return OnBatch(line, room);
    if (line[line.find_first_not_of(" \t")] != '{') {
      Drop("no_message");
      return {};
    }
    UpstreamMessage message;
    message.bytes = std::move(line);
    if (absl::Status read = ReadUpstreamMessage(message, options_.limits); !read.ok()) {
      OnNoMessage(message.bytes, read);
      return {};
    }
    // The first answer of a legacy session is that to initialize.
    const bool is_answer = message.shape == Shape::kResponse && !message.answers_nobody();
    if (is_answer && !std::exchange(has_begun_, true)) has_batches_ = AgreesOnBatches(message);
    message.room = std::move(room);
    return Route(std::move(message));
  }

  void OnNoMessage(std::string_view line, const absl::Status& refusal) {
    if (IsUnreadNotification(line)) {
      Drop(router_->DropUnread());
    } else if (ClaimsToBeMessage(line, options_.limits)) {
      Refuse(UncleanMessage(ToStd(refusal.message())));
    } else {
      Drop("no_message");
    }
  }

  MessageRouter::Routed OnBatch(std::string_view line, const AnswerPlace& room) {
    auto messages = ScanBatchFromServer(line, options_.limits);
    if (!messages.ok()) {
      OnNoMessage(line, messages.status());
      return {};
    }
    MessageRouter::Routed fullest;
    for (UpstreamMessage& message : *messages) {
      message.room = room;
      auto routed = Route(std::move(message));
      if (routed.is_full()) fullest = std::move(routed);
    }
    return fullest;
  }

  MessageRouter::Routed Route(UpstreamMessage message) {
    auto routed = router_->Route(std::move(message));
    if (!routed.dropped.empty()) Drop(routed.dropped);
    return routed;
  }

  Loop& loop_;
  const StdioOptions options_;
  const std::shared_ptr<LineWriter> in_;
  Descriptor out_;
  Descriptor err_;
  Descriptor exit_;
  SpawnedChild child_;
  bool has_begun_ = false;
  bool has_batches_ = false;

  const std::shared_ptr<MessageRouter> router_;
  Signal gone_;
  // Of the line that is being read, and until when that must have come.
  AnswerPlace place_;
  Loop::Time place_until_;
  bool is_watching_ = false;

  std::uint64_t dropped_ = 0;
  std::uint64_t last_number_ = 0;
};

// One of the requests that share the pipe.
class StdioUpstream::SharedAnswer final : public Exchange {
 public:
  SharedAnswer(std::shared_ptr<Core> core, std::unique_ptr<Exchange> inner, std::uint64_t number,
               const ClientMessage& request)
      : core_(std::move(core)),
        inner_(std::move(inner)),
        number_(number),
        id_(request.id),
        token_(request.progress_token),
        is_listen_(IsListening(request)) {}
  ~SharedAnswer() override {
    if (!is_over_) core_->TellCancelled(number_);
  }

  Task<absl::StatusOr<UpstreamMessage>> Next() override {
    auto message = co_await inner_->Next();
    // On a pipe a server ends a subscription by cancelling its request, over HTTP by an answer to
    // it.
    if (message.ok() && is_listen_ && !message->cancelled_id.empty()) {
      is_over_ = true;
      inner_->Cancel();
      co_return ListenEnded(id_);
    }
    if (message.ok()) message = FromPipe(*std::move(message), id_, token_);
    is_over_ = is_over_ || !message.ok() || message->shape == Shape::kResponse;
    co_return message;
  }

  void Cancel() override {
    inner_->Cancel();
    if (!std::exchange(is_over_, true)) core_->TellCancelled(number_);
  }

 private:
  std::shared_ptr<Core> core_;
  std::unique_ptr<Exchange> inner_;
  std::uint64_t number_;
  std::string id_;
  std::string token_;
  bool is_listen_;
  bool is_over_ = false;
};

StdioUpstream::StdioUpstream(Loop& loop, SpawnedChild child, StdioOptions options)
    : core_(std::make_shared<Core>(loop, std::move(child), std::move(options))) {
  core_->Start();
}

StdioUpstream::~StdioUpstream() {
  core_->Lose(UpstreamLost("the session has ended"));
  core_->CloseIn();
  core_->Cut();
}

Task<absl::StatusOr<std::unique_ptr<Exchange>>> StdioUpstream::Call(const ClientMessage& request) {
  auto core = core_;
  if (request.era == Era::kModern) {
    const std::uint64_t number = core->NextNumber();
    CO_ASSIGN_OR_RETURN(auto exchange, core->router().Register(request, number));
    const std::string line = ToPipe(request, number);
    if (absl::Status written = co_await core->Write(line); !written.ok()) co_return written;
    co_return std::make_unique<SharedAnswer>(core, std::move(exchange), number, request);
  }
  CO_ASSIGN_OR_RETURN(auto exchange, core->router().Register(request));
  absl::Status written = co_await core->Write(request.bytes);
  if (!written.ok()) co_return written;
  co_return exchange;
}

Task<absl::Status> StdioUpstream::Tell(const ClientMessage& message) {
  auto core = core_;
  co_return co_await core->Write(message.bytes);
}

Task<absl::StatusOr<UpstreamMessage>> StdioUpstream::NextUnrelated() {
  return core_->router().NextUnrelated();
}
Task<void> StdioUpstream::Close() { return core_->Close(); }

}  // namespace sallyport::agent
