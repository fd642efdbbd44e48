#include "agent/upstream/first_contact.h"

#include <utility>

#include "agent/mcp/era_bridge.h"
#include "agent/upstream/bridge.h"
#include "agent/upstream/upstream_error.h"
#include "common/log.h"

namespace sallyport::agent {
namespace {

using MessageOr = absl::StatusOr<UpstreamMessage>;
using ExchangeOr = absl::StatusOr<std::unique_ptr<Exchange>>;

// The HTTP statuses of a server that does not know what it was asked.
bool IsUnknownToServer(const absl::Status& status) {
  const int http = HttpStatusOf(status);
  return http == 400 || http == 404 || http == 405;
}

bool IsRefused(const MessageOr& answer) {
  return answer.ok() ? IsRefusalOfInitialize(*answer) : IsUnknownToServer(answer.status());
}

}  // namespace

class FirstContact::Core {
 public:
  Core(Loop& loop, FirstContactOptions options)
      : loop_(loop),
        options_(std::move(options)),
        transport_(options_.transport.get()),
        current_(std::move(options_.transport)) {}

  // What the session goes on with.
  Upstream& current() { return *current_; }
  // The same while it is a transport; null once it is a bridge.
  Transport* transport() { return transport_; }

  ServerProtocol found() const { return *options_.found; }
  void SetFound(ServerProtocol protocol) {
    if (std::exchange(*options_.found, protocol) == protocol) return;
    constexpr std::string_view kNames[] = {"legacy", "sse"};
    LogInfo("server_protocol_found", {{"server", options_.server},
                                      {"protocol", kNames[static_cast<std::size_t>(protocol)]}});
  }

  // The answer to the initialize from a server of the modern era; an error: it is none. From now on
  // there is a bridge to it.
  Task<MessageOr> TurnToModern(ClientMessage initialize) {
    std::unique_ptr<Transport> transport(std::exchange(transport_, nullptr));
    (void)current_.release();
    auto bridge =
        std::make_unique<Bridge>(loop_, std::move(transport), options_.server, options_.is_http);
    Bridge& to_server = *bridge;
    current_ = std::move(bridge);
    return to_server.Introduce(std::move(initialize));
  }

  void TellModern() {
    if (options_.on_modern) options_.on_modern();
  }

  // False: there is no such way.
  bool TurnToSse() {
    if (!options_.open_sse) return false;
    auto transport = options_.open_sse();
    transport_ = transport.get();
    current_ = std::move(transport);
    return true;
  }

 private:
  Loop& loop_;
  FirstContactOptions options_;
  Transport* transport_;
  std::unique_ptr<Upstream> current_;
};

// The exchange of an initialize, whose answer says what the server speaks.
class FirstContact::Opening final : public Exchange {
 public:
  Opening(std::shared_ptr<Core> core, ClientMessage initialize)
      : core_(std::move(core)), initialize_(std::move(initialize)) {}

  // Offers the initialize by the transport that the server was found to take.
  Task<absl::Status> Offer() {
    ExchangeOr exchange = co_await core_->transport()->Call(initialize_);
    if (!exchange.ok()) co_return exchange.status();
    exchange_ = *std::move(exchange);
    co_return absl::OkStatus();
  }

  Task<MessageOr> Next() override {
    if (!exchange_) co_return absl::FailedPreconditionError("the exchange is over");
    MessageOr first = co_await exchange_->Next();
    if (is_cancelled_ || core_->found() == ServerProtocol::kSse || !IsRefused(first))
      co_return first;
    exchange_.reset();
    MessageOr modern = co_await core_->TurnToModern(initialize_);
    if (modern.ok()) core_->TellModern();
    if (modern.ok() || is_cancelled_) co_return modern;
    if (first.ok() || !core_->TurnToSse()) co_return first;
    ExchangeOr offered = co_await core_->transport()->Call(initialize_);
    if (!offered.ok() || is_cancelled_) co_return first;
    exchange_ = *std::move(offered);
    core_->SetFound(ServerProtocol::kSse);
    co_return co_await exchange_->Next();
  }

  void Cancel() override {
    is_cancelled_ = true;
    if (exchange_) exchange_->Cancel();
  }

 private:
  const std::shared_ptr<Core> core_;
  const ClientMessage initialize_;
  // Null while the server is asked in the modern form.
  std::unique_ptr<Exchange> exchange_;
  bool is_cancelled_ = false;
};

FirstContact::FirstContact(Loop& loop, FirstContactOptions options)
    : core_(std::make_shared<Core>(loop, std::move(options))) {}

FirstContact::~FirstContact() = default;

Task<ExchangeOr> FirstContact::Forward(const OutboundMessage& request) {
  if (request.message().method != "initialize") return core_->current().Forward(request);
  return Open(core_, request.message());
}

Task<ExchangeOr> FirstContact::Open(std::shared_ptr<Core> core, ClientMessage initialize) {
  auto opening = std::make_unique<Opening>(core, std::move(initialize));
  const absl::Status offered = co_await opening->Offer();
  if (offered.ok()) co_return opening;
  // Perhaps it is another server now: the next session finds out.
  core->SetFound(ServerProtocol::kLegacy);
  co_return offered;
}

Task<absl::Status> FirstContact::Send(const OutboundMessage& message) {
  return core_->current().Send(message);
}
Task<MessageOr> FirstContact::NextUnrelated() { return core_->current().NextUnrelated(); }
Task<void> FirstContact::Close() { return core_->current().Close(); }

}  // namespace sallyport::agent
