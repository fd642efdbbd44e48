#include "agent/upstream/first_contact.h"

#include <utility>

#include "agent/upstream/upstream_error.h"

namespace sallyport::agent {
namespace {

using MessageOr = absl::StatusOr<UpstreamMessage>;
using ExchangeOr = absl::StatusOr<std::unique_ptr<Exchange>>;

// The statuses of a server that does not know streamable HTTP.
bool IsOlder(const absl::Status& status) {
  const int http = HttpStatusOf(status);
  return http == 400 || http == 404 || http == 405;
}

}  // namespace

class FirstContact::Core {
 public:
  Core(Opener streamable, Opener sse, std::shared_ptr<ServerProtocol> found)
      : sse_(std::move(sse)),
        found_(std::move(found)),
        current_(*found_ == ServerProtocol::kSse ? sse_() : streamable()) {}

  Transport& current() { return *current_; }
  ServerProtocol found() const { return *found_; }
  void SetFound(ServerProtocol protocol) { *found_ = protocol; }

  // From now on by HTTP+SSE.
  void TurnToSse() { current_ = sse_(); }

 private:
  const Opener sse_;
  const std::shared_ptr<ServerProtocol> found_;
  std::unique_ptr<Transport> current_;
};

// The exchange of an initialize, whose answer says what the server speaks.
class FirstContact::Opening final : public Exchange {
 public:
  Opening(std::shared_ptr<Core> core, ClientMessage initialize, std::unique_ptr<Exchange> exchange)
      : core_(std::move(core)),
        initialize_(std::move(initialize)),
        exchange_(std::move(exchange)) {}

  Task<MessageOr> Next() override {
    MessageOr message = co_await exchange_->Next();
    if (message.ok() || is_cancelled_) co_return message;
    if (core_->found() == ServerProtocol::kSse || !IsOlder(message.status())) co_return message;
    core_->TurnToSse();
    ExchangeOr offered = co_await core_->current().Call(initialize_);
    // Refused twice: the first refusal is the one to be told.
    if (!offered.ok() || is_cancelled_) co_return message;
    exchange_ = *std::move(offered);
    core_->SetFound(ServerProtocol::kSse);
    co_return co_await exchange_->Next();
  }

  void Cancel() override {
    is_cancelled_ = true;
    exchange_->Cancel();
  }

 private:
  const std::shared_ptr<Core> core_;
  const ClientMessage initialize_;
  std::unique_ptr<Exchange> exchange_;
  bool is_cancelled_ = false;
};

FirstContact::FirstContact(Opener streamable, Opener sse, std::shared_ptr<ServerProtocol> found)
    : core_(std::make_shared<Core>(std::move(streamable), std::move(sse), std::move(found))) {}

FirstContact::~FirstContact() = default;

Task<ExchangeOr> FirstContact::Forward(const OutboundMessage& request) {
  if (request.message().method == "initialize") return Open(core_, request.message());
  return core_->current().Forward(request);
}

Task<ExchangeOr> FirstContact::Open(std::shared_ptr<Core> core, ClientMessage initialize) {
  ExchangeOr exchange = co_await core->current().Call(initialize);
  if (!exchange.ok()) {
    // Perhaps it is another server now: the next session finds out.
    core->SetFound(ServerProtocol::kStreamable);
    co_return exchange.status();
  }
  co_return std::make_unique<Opening>(std::move(core), std::move(initialize), *std::move(exchange));
}

Task<absl::Status> FirstContact::Send(const OutboundMessage& message) {
  return core_->current().Send(message);
}
Task<MessageOr> FirstContact::NextUnrelated() { return core_->current().NextUnrelated(); }
Task<void> FirstContact::Close() { return core_->current().Close(); }

}  // namespace sallyport::agent
