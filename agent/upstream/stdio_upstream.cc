#include "agent/upstream/stdio_upstream.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <cerrno>
#include <deque>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "agent/loop/signal.h"
#include "agent/upstream/line_splitter.h"
#include "agent/upstream/rpc_id.h"
#include "common/denial.h"
#include "common/log.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

using Descriptor = net::posix::basic_stream_descriptor<Executor>;
using MessageOr = absl::StatusOr<UpstreamMessage>;

constexpr std::size_t kReadBytes = std::size_t{64} << 10;
// A slow client: so many messages wait, or so few large ones, and the pipe is not read.
constexpr std::size_t kMaxQueued = 64;
constexpr std::size_t kMaxQueuedLarge = 2;
constexpr std::size_t kLargeBytes = std::size_t{256} << 10;
// Nobody may be there to take what belongs to no request, and responses come through the same pipe:
// the oldest go.
constexpr std::size_t kMaxUnrelated = 256;
constexpr std::size_t kMaxUnrelatedBytes = std::size_t{8} << 20;
// What waits for a child that does not read its stdin.
constexpr std::size_t kMaxUnsentBytes = std::size_t{4} << 20;

absl::Status Lost(std::string_view what) {
  return Denied(types::v1::DENIAL_REASON_UPSTREAM_LOST, what);
}
absl::Status Invalid(std::string_view what) {
  return WithReason(absl::InvalidArgumentError(ToAbsl(what)),
                    types::v1::DENIAL_REASON_UPSTREAM_INVALID);
}

bool IsBlank(std::string_view line) {
  return line.find_first_not_of(" \t") == std::string_view::npos;
}

// Line breaks are white space between JSON's tokens; inside its strings they cannot stand
// unescaped.
std::string AsLine(std::string_view bytes) {
  std::string line(bytes);
  for (char& c : line) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  line.push_back('\n');
  return line;
}

// One request in flight.
struct Pending {
  explicit Pending(Loop& loop) : messages(loop) {}
  Queue<MessageOr> messages;
  std::string id;
  std::string token;
};

}  // namespace

class StdioUpstream::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(Loop& loop, SpawnedChild child, StdioOptions options)
      : loop_(loop),
        options_(std::move(options)),
        in_(loop.executor(), child.in.Release()),
        out_(loop.executor(), child.out.Release()),
        err_(loop.executor(), child.err.Release()),
        exit_(loop.executor(), dup(child.pidfd.get())),
        child_(std::move(child)),
        unrelated_(loop),
        gone_(loop),
        room_(loop) {}

  void Start() {
    loop_.Spawn(ReadOut(shared_from_this()));
    loop_.Spawn(DrainErr(shared_from_this()));
    loop_.Spawn(WaitExit(shared_from_this()));
  }

  bool is_lost() const { return is_lost_; }
  absl::Status lost_status() const { return lost_; }

  absl::StatusOr<std::shared_ptr<Pending>> Register(const ClientMessage& message) {
    auto pending = std::make_shared<Pending>(loop_);
    pending->id = CanonicalId(message.id);
    if (!message.progress_token.empty()) pending->token = CanonicalId(message.progress_token);
    if (!pending_.try_emplace(pending->id, pending).second) {
      return absl::FailedPreconditionError("a request of this id is in flight");
    }
    return pending;
  }
  void Unregister(const std::shared_ptr<Pending>& pending) {
    pending->messages.Close();
    auto at = pending_.find(pending->id);
    if (at != pending_.end() && at->second == pending) pending_.erase(at);
  }

  // In the order of the calls. Returns when the line is on its way: written, or behind others that
  // the child has not read yet.
  Task<absl::Status> Write(std::string_view bytes) {
    auto self = shared_from_this();
    std::string line = AsLine(bytes);
    while (unsent_bytes_ > kMaxUnsentBytes && !is_lost_) {
      room_.Reset();
      co_await room_.Wait();
    }
    if (is_lost_) co_return lost_;
    std::size_t sent = 0;
    if (unsent_.empty() && !writing_) {
      // Most lines fit into the pipe: no coroutine, no wake-up.
      ssize_t n = write(in_.native_handle(), line.data(), line.size());
      if (n < 0 && errno != EAGAIN && errno != EINTR) {
        Lose(Lost("the server does not take requests any more"));
        co_return lost_;
      }
      sent = n > 0 ? static_cast<std::size_t>(n) : 0;
      if (sent == line.size()) co_return absl::OkStatus();
    }
    line.erase(0, sent);
    unsent_bytes_ += line.size();
    unsent_.push_back(std::move(line));
    if (!std::exchange(writing_, true)) loop_.Spawn(WriteUnsent(self));
    co_return absl::OkStatus();
  }

  Task<MessageOr> NextUnrelated() {
    auto self = shared_from_this();
    auto message = co_await unrelated_.Pop();
    if (!message) co_return lost_;
    unrelated_bytes_ -= std::min(unrelated_bytes_, message->bytes.size());
    co_return *std::move(message);
  }

  // Whoever waits is told, now; later calls get the same.
  void Lose(absl::Status status) {
    if (std::exchange(is_lost_, true)) return;
    lost_ = std::move(status);
    for (auto& [id, pending] : std::exchange(pending_, {})) {
      pending->messages.Push(lost_);
      pending->messages.Close();
    }
    unrelated_.Close();
    room_.Set();
  }

  void CloseIn() {
    boost::system::error_code ignored;
    in_.close(ignored);
  }
  // The kernel, or the supervisor, kills all that is left.
  void Cut() { child_.lifeline.Reset(); }

  Task<void> Close() {
    auto self = shared_from_this();
    Lose(Lost("the session has ended"));
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
  static Task<void> WriteUnsent(std::shared_ptr<Core> self) {
    while (!self->unsent_.empty() && self->in_.is_open()) {
      // The deque's front stays where it is while others are added behind it.
      std::string_view line = self->unsent_.front();
      while (!line.empty()) {
        auto [error, n] =
            co_await self->in_.async_write_some(net::buffer(line.data(), line.size()), kAsTuple);
        if (error) {
          self->writing_ = false;
          self->Lose(Lost("the server does not take requests any more"));
          co_return;
        }
        line.remove_prefix(n);
      }
      self->unsent_bytes_ -= self->unsent_.front().size();
      self->unsent_.pop_front();
      if (self->unsent_bytes_ <= kMaxUnsentBytes) self->room_.Set();
    }
    self->writing_ = false;
  }

  static Task<void> ReadOut(std::shared_ptr<Core> self) {
    LineSplitter splitter(self->options_.limits.max_bytes);
    std::string buffer(kReadBytes, '\0');
    std::string line;
    for (;;) {
      auto [error, n] = co_await self->out_.async_read_some(net::buffer(buffer), kAsTuple);
      if (error) break;
      std::string_view bytes(buffer.data(), n);
      for (;;) {
        auto event = splitter.Next(bytes, line);
        if (event == LineSplitter::Event::kNeedMore) break;
        std::shared_ptr<Pending> pushed;
        if (event == LineSplitter::Event::kTooLong) {
          self->Refuse(Invalid("the server sent a line longer than the message limit"));
        } else {
          std::size_t size = line.size();
          pushed = self->OnLine(std::move(line));
          line = {};
          if (pushed)
            co_await pushed->messages.WaitForRoom(size > kLargeBytes ? kMaxQueuedLarge
                                                                     : kMaxQueued);
        }
      }
    }
    if (splitter.pending_bytes() > 0) self->Drop("half_line");
    self->Lose(Lost("the server has closed its output"));
    // A server that cannot answer is of no use, whatever it still does.
    if (!self->gone_.is_set()) self->CloseIn();
    if (!co_await self->gone_.Wait(self->options_.grace)) self->Cut();
  }

  static Task<void> DrainErr(std::shared_ptr<Core> self) {
    std::array<char, 4096> buffer;
    std::uint64_t bytes = 0;
    for (;;) {
      auto [error, n] = co_await self->err_.async_read_some(net::buffer(buffer), kAsTuple);
      if (error) break;
      bytes += n;
    }
    if (bytes > 0) LogInfo("server_stderr", {{"server", self->options_.server}, {"bytes", bytes}});
  }

  static Task<void> WaitExit(std::shared_ptr<Core> self) {
    co_await self->exit_.async_wait(Descriptor::wait_read, kAsTuple);
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
    for (auto& [id, pending] : std::exchange(pending_, {})) {
      pending->messages.Push(status);
      pending->messages.Close();
    }
  }

  // The request that got the line, if one did.
  std::shared_ptr<Pending> OnLine(std::string line) {
    if (IsBlank(line)) return nullptr;
    if (line[line.find_first_not_of(" \t")] != '{') {
      Drop("no_message");
      return nullptr;
    }
    bool claims = line.find("\"jsonrpc\"") != std::string::npos;
    MessageOr message = ScanUpstreamMessage(std::move(line), options_.limits);
    if (!message.ok()) {
      if (claims) {
        Refuse(Invalid(ToStd(message.status().message())));
      } else {
        Drop("no_message");
      }
      return nullptr;
    }
    return Route(*std::move(message));
  }

  std::shared_ptr<Pending> Route(UpstreamMessage message) {
    std::shared_ptr<Pending> to;
    if (message.shape == Shape::kResponse) {
      auto at = pending_.find(CanonicalId(message.id));
      if (at == pending_.end()) {
        Drop("answer_to_nothing");
        return nullptr;
      }
      to = at->second;
      pending_.erase(at);
    } else if (!message.progress_token.empty()) {
      std::string token = CanonicalId(message.progress_token);
      for (auto& [id, pending] : pending_) {
        if (pending->token == token) to = pending;
      }
      if (to == nullptr) {
        Drop("progress_of_nothing");
        return nullptr;
      }
    } else if (pending_.size() == 1) {
      to = pending_.begin()->second;
    } else {
      PushUnrelated(std::move(message));
      return nullptr;
    }
    to->messages.Push(std::move(message));
    return to;
  }

  void PushUnrelated(UpstreamMessage message) {
    // The queue has no front to drop from another coroutine's hand: what comes on top of a full one
    // goes instead.
    if (unrelated_.size() >= kMaxUnrelated ||
        unrelated_bytes_ + message.bytes.size() > kMaxUnrelatedBytes) {
      Drop("unrelated");
      return;
    }
    unrelated_bytes_ += message.bytes.size();
    unrelated_.Push(std::move(message));
  }

  Loop& loop_;
  const StdioOptions options_;
  Descriptor in_;
  Descriptor out_;
  Descriptor err_;
  Descriptor exit_;
  SpawnedChild child_;

  absl::flat_hash_map<std::string, std::shared_ptr<Pending>> pending_;
  Queue<UpstreamMessage> unrelated_;
  std::size_t unrelated_bytes_ = 0;
  Signal gone_;

  std::deque<std::string> unsent_;
  std::size_t unsent_bytes_ = 0;
  bool writing_ = false;
  Signal room_;

  bool is_lost_ = false;
  absl::Status lost_;
  std::uint64_t dropped_ = 0;
};

class StdioUpstream::Answer final : public Exchange {
 public:
  Answer(std::shared_ptr<Core> core, std::shared_ptr<Pending> pending)
      : core_(std::move(core)), pending_(std::move(pending)) {}
  ~Answer() override { core_->Unregister(pending_); }

  Task<absl::StatusOr<UpstreamMessage>> Next() override {
    auto pending = pending_;
    if (!cancelled_ && !is_over_) {
      auto message = co_await pending->messages.Pop();
      if (message) {
        is_over_ = !message->ok() || (*message)->shape == Shape::kResponse;
        co_return *std::move(message);
      }
    }
    if (cancelled_) co_return absl::CancelledError("the request was cancelled");
    co_return absl::FailedPreconditionError("the exchange is over");
  }

  void Cancel() override {
    cancelled_ = true;
    core_->Unregister(pending_);
  }

 private:
  std::shared_ptr<Core> core_;
  std::shared_ptr<Pending> pending_;
  bool cancelled_ = false;
  bool is_over_ = false;
};

StdioUpstream::StdioUpstream(Loop& loop, SpawnedChild child, StdioOptions options)
    : core_(std::make_shared<Core>(loop, std::move(child), std::move(options))) {
  core_->Start();
}

StdioUpstream::~StdioUpstream() {
  core_->Lose(Lost("the session has ended"));
  core_->CloseIn();
  core_->Cut();
}

Task<absl::StatusOr<std::unique_ptr<Exchange>>> StdioUpstream::Forward(
    const OutboundMessage& request) {
  auto core = core_;
  if (core->is_lost()) co_return core->lost_status();
  auto pending = core->Register(request.message());
  if (!pending.ok()) co_return pending.status();
  auto exchange = std::make_unique<Answer>(core, *pending);
  absl::Status written = co_await core->Write(request.bytes());
  if (!written.ok()) co_return written;
  co_return exchange;
}

Task<absl::Status> StdioUpstream::Send(const OutboundMessage& message) {
  auto core = core_;
  if (core->is_lost()) co_return core->lost_status();
  co_return co_await core->Write(message.bytes());
}

Task<absl::StatusOr<UpstreamMessage>> StdioUpstream::NextUnrelated() {
  return core_->NextUnrelated();
}
Task<void> StdioUpstream::Close() { return core_->Close(); }

}  // namespace sallyport::agent
