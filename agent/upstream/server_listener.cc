#include "agent/upstream/server_listener.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/backoff.h"
#include "common/json_string.h"
#include "common/log.h"

namespace sallyport::agent {
namespace {

constexpr std::size_t kMaxHeard = 64;

}  // namespace

ServerListener::ServerListener(Loop& loop, Transport& transport, std::string server,
                               std::shared_ptr<Queue<UpstreamMessage>> heard)
    : loop_(loop),
      transport_(transport),
      server_(std::move(server)),
      heard_(std::move(heard)),
      stopped_(loop) {}

void ServerListener::Listen(BridgedClient client, Announced announced,
                            std::vector<std::string> uris) {
  decided_ = std::make_shared<Signal>(loop_);
  is_listening_ = false;
  client.log_level.clear();
  const Wish wish{++last_, std::move(client), announced, std::move(uris), decided_};
  if (wish.announced.any() || !wish.uris.empty()) {
    loop_.Spawn(Keep(shared_from_this(), wish));
  } else {
    TakeOver(nullptr);
    decided_->Set();
  }
}

Task<void> ServerListener::Tell(UpstreamMessage notification) {
  auto self = shared_from_this();
  auto told = FromModern(std::move(notification));
  if (!told || stopped_.is_set()) co_return;
  co_await heard_->WaitForRoom(kMaxHeard);
  if (!stopped_.is_set()) heard_->Push(*std::move(told));
}

void ServerListener::Stop() {
  stopped_.Set();
  TakeOver(nullptr);
}

void ServerListener::TakeOver(Exchange* exchange) {
  if (Exchange* last = std::exchange(current_, exchange)) last->Cancel();
}

Task<void> ServerListener::Keep(std::shared_ptr<ServerListener> self, Wish wish) {
  Backoff backoff(absl::Seconds(1), absl::Seconds(30));
  while (self->IsCurrent(wish) && co_await self->ListenOnce(wish)) {
    if (!self->IsCurrent(wish) || co_await self->stopped_.Wait(backoff.Next())) break;
  }
  wish.decided->Set();
}

Task<bool> ServerListener::ListenOnce(const Wish& wish) {
  auto request = ToListen(JsonString(absl::StrCat("sallyport-listen-", wish.number)), wish.client,
                          wish.announced, wish.uris);
  if (!request.ok()) co_return false;
  auto opened = co_await transport_.Call(*request);
  if (!opened.ok()) co_return true;
  const std::unique_ptr<Exchange> exchange = *std::move(opened);
  bool will_tell = true;
  while (IsCurrent(wish) || current_ == exchange.get()) {
    auto message = co_await exchange->Next();
    if (!message.ok()) break;
    if (message->shape == Shape::kResponse) {
      will_tell = !message->is_error;
      if (!will_tell) LogWarning("server_refuses_subscriptions", {{"server", server_}});
      break;
    }
    if (message->method == "notifications/subscriptions/acknowledged" && IsCurrent(wish)) {
      TakeOver(exchange.get());
      is_listening_ = true;
      wish.decided->Set();
    }
    co_await Tell(*std::move(message));
  }
  if (current_ == exchange.get()) current_ = nullptr;
  co_return will_tell;
}

}  // namespace sallyport::agent
