#include "agent/upstream/message_router.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/mcp/dialect.h"
#include "agent/mcp/methods.h"
#include "agent/upstream/rpc_id.h"
#include "common/denial.h"

namespace sallyport::agent {
namespace {

constexpr std::size_t kMaxQueued = 64;
constexpr std::size_t kMaxQueuedLarge = 2;
constexpr std::size_t kLargeBytes = std::size_t{256} << 10;
// Nobody may be there to take what belongs to no request, and responses come the same way: what
// comes on top of so much goes.
constexpr std::size_t kMaxUnrelated = 256;
constexpr std::size_t kMaxUnrelatedBytes = std::size_t{8} << 20;
constexpr std::size_t kMaxStrays = 16;
// Of a method's name, which is all that is kept of what is dropped.
constexpr std::size_t kMaxStrayName = 256;
// How long a client that does not read may keep others waiting, and how it earns that again: at
// a thousand messages or four megabytes a second it keeps nobody.
constexpr absl::Duration kPatience = absl::Seconds(1);
constexpr absl::Duration kEarnedByMessage = absl::Milliseconds(1);
constexpr absl::Duration kEarnedByKibibyte = absl::Microseconds(250);

// What is dropped is logged by its name, and told of in words.
struct Dropped {
  std::string_view name;
  std::string_view words;
};
constexpr Dropped kDropped[] = {
    {"answer_to_nothing", "the server answers no request that waits for an answer"},
    {"progress_of_nothing", "the server tells of the progress of no request that is in flight"},
    {"news_of_no_subscription", "the server tells of a subscription that there is not"},
    {"cancels_no_subscription", "the server cancels no subscription that is in flight"},
    {"unrelated", "the server says more than its client takes"},
    {"unread_notification", "the server says what is no clean message"},
};

std::string_view WordsFor(std::string_view dropped) {
  for (const Dropped& known : kDropped) {
    if (known.name == dropped) return known.words;
  }
  return dropped;
}

bool IsOfSession(const UpstreamMessage& message) {
  const ServerMethod* method = FindServerMethod(message.method);
  return method != nullptr && method->is_of_session;
}

}  // namespace

using MessageOr = absl::StatusOr<UpstreamMessage>;

// One request in flight.
struct MessageRouter::Pending {
  explicit Pending(Loop& loop) : messages(loop) {}
  // Ends it at once, whatever still waits for its client.
  void GiveUp(absl::Status status) {
    why = std::move(status);
    messages.Close();
  }

  Queue<MessageOr> messages;
  std::string id;
  std::string token;
  // The number that it went out under; 0: under its own id.
  std::uint64_t number = 0;
  bool is_listen = false;
  // How much longer others may be kept waiting for its client.
  absl::Duration patience = kPatience;
  // Not ok: it was given up.
  absl::Status why;
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
    if (!is_cancelled_ && !is_over_ && pending->why.ok()) {
      auto message = co_await pending->messages.Pop();
      if (message && pending->why.ok()) {
        is_over_ = !message->ok() || (*message)->shape == Shape::kResponse;
        if (message->ok()) Took(*pending, (*message)->bytes.size());
        co_return *std::move(message);
      }
    }
    if (!pending->why.ok()) co_return pending->why;
    if (is_cancelled_) co_return absl::CancelledError("the request was cancelled");
    co_return absl::FailedPreconditionError("the exchange is over");
  }

  void Cancel() override {
    is_cancelled_ = true;
    router_->Unregister(pending_);
  }

 private:
  void Took(Pending& pending, std::size_t bytes) {
    const auto kibibytes = static_cast<double>(bytes) / 1024;
    pending.patience =
        std::min(kPatience, pending.patience + kEarnedByMessage + kEarnedByKibibyte * kibibytes);
    router_->moved_.Set();
  }

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
  goes_by_numbers_ = true;
  auto pending = std::make_shared<Pending>(loop_);
  pending->id = absl::StrCat(number);
  pending->number = number;
  pending->is_listen = IsListening(request);
  if (!request.progress_token.empty()) pending->token = pending->id;
  if (request.modern.asks_for_logs) pending->logs = number;
  return Add(std::move(pending));
}

absl::StatusOr<std::unique_ptr<Exchange>> MessageRouter::Add(std::shared_ptr<Pending> pending) {
  if (is_lost()) return why_;
  if (!pending_.try_emplace(pending->id, pending).second) {
    return absl::FailedPreconditionError("a request of this id is in flight");
  }
  moved_.Set();
  return std::make_unique<Answer>(shared_from_this(), std::move(pending));
}

void MessageRouter::Unregister(const std::shared_ptr<Pending>& pending) {
  pending->messages.Close();
  auto at = pending_.find(pending->id);
  if (at != pending_.end() && at->second == pending) pending_.erase(at);
  moved_.Set();
}

bool MessageRouter::OthersWait(const Pending& one) const {
  return std::any_of(pending_.begin(), pending_.end(), [&](const auto& entry) {
    return entry.second.get() != &one && !entry.second->is_listen;
  });
}

bool MessageRouter::Routed::is_full() const {
  return limit_ != 0 && to_ != nullptr && to_->messages.size() >= limit_ &&
         !to_->messages.is_closed();
}

Task<std::uint64_t> MessageRouter::WaitForRoom(std::shared_ptr<MessageRouter> self, Routed routed) {
  Pending& slow = *routed.to_;
  while (routed.is_full()) {
    const bool others_wait = self->OthersWait(slow);
    self->moved_.Reset();
    const auto since = std::chrono::steady_clock::now();
    co_await self->moved_.Wait(others_wait ? slow.patience : absl::InfiniteDuration());
    if (others_wait) {
      slow.patience -= absl::FromChrono(std::chrono::steady_clock::now() - since);
    }
    if (slow.patience > absl::ZeroDuration() || !routed.is_full()) continue;
    const auto at = self->pending_.find(slow.id);
    if (at != self->pending_.end() && at->second == routed.to_) self->pending_.erase(at);
    slow.GiveUp(Denied(types::v1::DENIAL_REASON_LIMIT_EXCEEDED,
                       "the client did not read its stream while other calls waited"));
    co_return slow.number;
  }
  co_return 0;
}

MessageRouter::Routed MessageRouter::Route(UpstreamMessage message) {
  Routed routed;
  // Nothing comes after a response, so nothing has to wait.
  if (message.shape != Shape::kResponse)
    routed.limit_ = message.bytes.size() > kLargeBytes ? kMaxQueuedLarge : kMaxQueued;
  if (auto to = Find(message, routed.dropped)) {
    if (message.shape == Shape::kResponse) pending_.erase(to->id);
    to->messages.Push(std::move(message));
    routed.to_ = std::move(to);
    return routed;
  }
  std::string method = message.method;
  if (routed.dropped.empty() && !PushUnrelated(std::move(message))) routed.dropped = "unrelated";
  if (!routed.dropped.empty()) PushStray(std::move(method), routed.dropped);
  return routed;
}

std::string_view MessageRouter::DropUnread() {
  constexpr std::string_view kDroppedAs = "unread_notification";
  PushStray({}, kDroppedAs);
  return kDroppedAs;
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
  } else if (goes_by_numbers_ && message.method == "notifications/cancelled") {
    auto listen = pending_.find(CanonicalId(message.cancelled_id));
    if (listen != pending_.end() && listen->second->is_listen) return listen->second;
    dropped = "cancels_no_subscription";
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

void MessageRouter::PushStray(std::string method, std::string_view dropped) {
  if (strays_ >= kMaxStrays) return;
  ++strays_;
  if (method.size() > kMaxStrayName) method.clear();
  unrelated_.Push(UpstreamMessage{
      .shape = Shape::kNotification, .method = std::move(method), .stray = WordsFor(dropped)});
}

bool MessageRouter::PushUnrelated(UpstreamMessage message) {
  if (unrelated_.size() >= kMaxUnrelated + strays_ ||
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
  pending->messages.Push(why);
  pending->messages.Close();
  moved_.Set();
}

void MessageRouter::FailAll(const absl::Status& why) {
  for (auto& [id, pending] : std::exchange(pending_, {})) {
    pending->messages.Push(why);
    pending->messages.Close();
  }
  moved_.Set();
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
  if (!message->stray.empty()) --strays_;
  co_return *std::move(message);
}

}  // namespace sallyport::agent
