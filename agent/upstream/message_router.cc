#include "agent/upstream/message_router.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/mcp/methods.h"
#include "agent/upstream/rpc_id.h"

namespace sallyport::agent {
namespace {

constexpr std::size_t kMaxQueued = 64;
constexpr std::size_t kMaxQueuedLarge = 2;
constexpr std::size_t kLargeBytes = std::size_t{256} << 10;
// Nobody may be there to take what belongs to no request, and responses come the same way: what
// comes on top of so much goes.
constexpr std::size_t kMaxUnrelated = 256;
constexpr std::size_t kMaxUnrelatedBytes = std::size_t{8} << 20;

bool IsOfSession(const UpstreamMessage& message) {
  const ServerMethod* method = FindServerMethod(message.method);
  return method != nullptr && method->is_of_session;
}

}  // namespace

using MessageOr = absl::StatusOr<UpstreamMessage>;

// One request in flight.
struct MessageRouter::Pending {
  explicit Pending(Loop& loop) : messages(loop) {}
  void Push(MessageOr message) { messages.Push(std::move(message)); }

  Queue<MessageOr> messages;
  std::string id;
  std::string token;
  // Not 0: it asked for log lines for itself, and is the older the smaller this is.
  std::uint64_t logs = 0;
};

class MessageRouter::Answer final : public Exchange {
 public:
  Answer(std::shared_ptr<MessageRouter> router, std::shared_ptr<Pending> pending)
      : router_(std::move(router)), pending_(std::move(pending)) {}
  ~Answer() override { router_->Unregister(pending_); }

  Task<MessageOr> Next() override {
    auto pending = pending_;
    if (!is_cancelled_ && !is_over_) {
      auto message = co_await pending->messages.Pop();
      if (message) {
        is_over_ = !message->ok() || (*message)->shape == Shape::kResponse;
        co_return *std::move(message);
      }
    }
    if (is_cancelled_) co_return absl::CancelledError("the request was cancelled");
    co_return absl::FailedPreconditionError("the exchange is over");
  }

  void Cancel() override {
    is_cancelled_ = true;
    router_->Unregister(pending_);
  }

 private:
  std::shared_ptr<MessageRouter> router_;
  std::shared_ptr<Pending> pending_;
  bool is_cancelled_ = false;
  bool is_over_ = false;
};

absl::StatusOr<std::unique_ptr<Exchange>> MessageRouter::Register(const ClientMessage& request,
                                                                  Ticket* ticket) {
  auto pending = std::make_shared<Pending>(loop_);
  pending->id = CanonicalId(request.id);
  if (!request.progress_token.empty()) pending->token = CanonicalId(request.progress_token);
  if (ticket != nullptr) *ticket = pending;
  return Add(std::move(pending));
}

absl::StatusOr<std::unique_ptr<Exchange>> MessageRouter::Register(const ClientMessage& request,
                                                                  std::uint64_t number) {
  auto pending = std::make_shared<Pending>(loop_);
  pending->id = absl::StrCat(number);
  if (!request.progress_token.empty()) pending->token = pending->id;
  if (request.modern.asks_for_logs) pending->logs = number;
  return Add(std::move(pending));
}

absl::StatusOr<std::unique_ptr<Exchange>> MessageRouter::Add(std::shared_ptr<Pending> pending) {
  if (is_lost()) return why_;
  if (!pending_.try_emplace(pending->id, pending).second) {
    return absl::FailedPreconditionError("a request of this id is in flight");
  }
  return std::make_unique<Answer>(shared_from_this(), std::move(pending));
}

void MessageRouter::Unregister(const std::shared_ptr<Pending>& pending) {
  pending->messages.Close();
  auto at = pending_.find(pending->id);
  if (at != pending_.end() && at->second == pending) pending_.erase(at);
}

MessageRouter::Routed MessageRouter::Route(UpstreamMessage message) {
  Routed routed{.limit = message.bytes.size() > kLargeBytes ? kMaxQueuedLarge : kMaxQueued};
  if (auto to = Find(message, routed.dropped)) {
    if (message.shape == Shape::kResponse) pending_.erase(to->id);
    to->Push(std::move(message));
    routed.to = {to, &to->messages};
  } else if (routed.dropped.empty() && !PushUnrelated(std::move(message))) {
    routed.dropped = "unrelated";
  }
  return routed;
}

std::shared_ptr<MessageRouter::Pending> MessageRouter::Find(const UpstreamMessage& message,
                                                            std::string_view& dropped) {
  if (message.shape == Shape::kResponse) {
    auto at = pending_.find(CanonicalId(message.id));
    if (at != pending_.end()) return at->second;
    dropped = "answer_to_nothing";
  } else if (!message.progress_token.empty()) {
    const std::string token = CanonicalId(message.progress_token);
    for (auto& [id, pending] : pending_) {
      if (pending->token == token) return pending;
    }
    dropped = "progress_of_nothing";
  } else if (!message.subscription_id.empty()) {
    auto at = pending_.find(CanonicalId(message.subscription_id));
    if (at != pending_.end()) return at->second;
    dropped = "news_of_no_subscription";
  } else if (auto asked = OldestThatAskedForLogs();
             asked != nullptr && message.method == "notifications/message") {
    return asked;
  } else if (pending_.size() == 1 && !IsOfSession(message)) {
    return pending_.begin()->second;
  }
  return nullptr;
}

std::shared_ptr<MessageRouter::Pending> MessageRouter::OldestThatAskedForLogs() const {
  std::shared_ptr<Pending> oldest;
  for (const auto& [id, pending] : pending_) {
    if (pending->logs != 0 && (oldest == nullptr || pending->logs < oldest->logs)) oldest = pending;
  }
  return oldest;
}

bool MessageRouter::PushUnrelated(UpstreamMessage message) {
  if (unrelated_.size() >= kMaxUnrelated ||
      unrelated_bytes_ + message.bytes.size() > kMaxUnrelatedBytes) {
    return false;
  }
  unrelated_bytes_ += message.bytes.size();
  unrelated_.Push(std::move(message));
  return true;
}

void MessageRouter::Fail(const Ticket& ticket, const absl::Status& why) {
  auto pending = ticket.lock();
  if (pending == nullptr) return;
  auto at = pending_.find(pending->id);
  if (at == pending_.end() || at->second != pending) return;
  pending_.erase(at);
  pending->Push(why);
  pending->messages.Close();
}

void MessageRouter::FailAll(const absl::Status& why) {
  for (auto& [id, pending] : std::exchange(pending_, {})) {
    pending->Push(why);
    pending->messages.Close();
  }
}

void MessageRouter::Lose(absl::Status why) {
  if (is_lost()) return;
  why_ = std::move(why);
  FailAll(why_);
  unrelated_.Close();
}

Task<MessageOr> MessageRouter::NextUnrelated() {
  auto self = shared_from_this();
  auto message = co_await unrelated_.Pop();
  if (!message) co_return why_;
  unrelated_bytes_ -= std::min(unrelated_bytes_, message->bytes.size());
  co_return *std::move(message);
}

}  // namespace sallyport::agent
