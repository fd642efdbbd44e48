#include "agent/upstream/bridge.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/loop/signal.h"
#include "agent/mcp/era_bridge.h"
#include "agent/mcp/json_rpc.h"
#include "agent/mcp/methods.h"
#include "agent/mcp/tool_headers.h"
#include "agent/upstream/client_inputs.h"
#include "agent/upstream/server_listener.h"
#include "agent/upstream/upstream_error.h"
#include "common/denial.h"
#include "common/json_string.h"
#include "common/log.h"
#include "common/status_macros.h"

namespace sallyport::agent {
namespace {

using MessageOr = absl::StatusOr<UpstreamMessage>;
using ExchangeOr = absl::StatusOr<std::unique_ptr<Exchange>>;

// As many as official clients go on for.
constexpr int kMaxRounds = 10;
constexpr std::size_t kMaxSubscriptions = 1024;
constexpr int kMaxListPages = 50;
constexpr absl::Duration kSubscribeTimeout = absl::Seconds(10);
// Between two rounds in which the server asked for nothing.
constexpr absl::Duration kPause = absl::Milliseconds(250);
// What is recorded of such a round; of others the client's answers are.
constexpr std::string_view kAskedAgain =
    "the server asks its client for nothing but the same call once more, and gets it";

// The exchange of a request that is answered here.
class Answered final : public Exchange {
 public:
  explicit Answered(UpstreamMessage answer) : answer_(std::move(answer)) {}
  Task<MessageOr> Next() override {
    if (!answer_) co_return absl::FailedPreconditionError("the exchange is over");
    MessageOr answer = *std::exchange(answer_, std::nullopt);
    co_return answer;
  }
  void Cancel() override { answer_.reset(); }

 private:
  std::optional<UpstreamMessage> answer_;
};

Task<MessageOr> AwaitResponse(std::unique_ptr<Exchange> exchange) {
  for (;;) {
    MessageOr message = co_await exchange->Next();
    if (!message.ok() || message->shape == Shape::kResponse) co_return message;
  }
}

}  // namespace

class Bridge::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(Loop& loop, std::unique_ptr<Transport> transport, std::string server, bool repeats_arguments)
      : loop_(loop),
        transport_(std::move(transport)),
        repeats_arguments_(repeats_arguments),
        unrelated_(std::make_shared<Queue<UpstreamMessage>>(loop)),
        listener_(
            std::make_shared<ServerListener>(loop, *transport_, std::move(server), unrelated_)) {}

  Loop& loop() { return loop_; }
  Transport& transport() { return *transport_; }
  const BridgedClient& client() const { return client_; }
  bool is_closed() const { return is_closed_; }
  std::string NewId() { return JsonString(absl::StrCat("sallyport-", ++last_id_)); }

  Task<MessageOr> Introduce(ClientMessage initialize) {
    auto self = shared_from_this();
    CO_ASSIGN_OR_RETURN(client_, ReadBridgedClient(initialize));
    CO_ASSIGN_OR_RETURN(const ClientMessage discover, ToDiscover(initialize, client_));
    CO_ASSIGN_OR_RETURN(auto exchange, co_await transport_->Call(discover));
    CO_ASSIGN_OR_RETURN(const UpstreamMessage discovered,
                        co_await AwaitResponse(std::move(exchange)));
    co_return ToInitializeResult(discovered, initialize, announced_);
  }

  void Start() {
    loop_.Spawn(Pump(shared_from_this()));
    if (announced_.any()) listener_->Listen(client_, announced_, uris_);
  }

  void SetLogLevel(std::string level) { client_.log_level = std::move(level); }

  // The subscriptions as they shall be; the response to the client's request.
  Task<UpstreamMessage> Subscribe(ClientMessage request) {
    auto self = shared_from_this();
    const std::string uri = JsonString(request.target);
    const bool is_wanted = request.method == "resources/subscribe";
    const auto at = std::ranges::find(uris_, uri);
    if (is_wanted == (at != uris_.end())) co_return ResultResponse(request.id);
    if (is_wanted && uris_.size() >= kMaxSubscriptions) {
      co_return ErrorResponse(request.id, rpc_code::kInvalidParams, "too many subscriptions");
    }
    if (is_wanted) {
      uris_.push_back(uri);
    } else {
      uris_.erase(at);
    }
    listener_->Listen(client_, announced_, uris_);
    // Another subscription may take the place of this one's listen, and then decides for it.
    for (std::shared_ptr<Signal> decided; decided != listener_->decided();) {
      decided = listener_->decided();
      co_await decided->Wait(kSubscribeTimeout);
    }
    if (!is_wanted || listener_->is_listening()) co_return ResultResponse(request.id);
    std::erase(uris_, uri);
    listener_->Listen(client_, announced_, uris_);
    co_return ErrorResponse(request.id, rpc_code::kInvalidParams,
                            "the server does not tell of this resource");
  }

  // A call's fields that repeat its arguments. The tools are listed once if nobody has yet.
  Task<absl::Status> AddParamFields(ClientMessage& call) {
    auto self = shared_from_this();
    if (!repeats_arguments_ || call.method != "tools/call") co_return absl::OkStatus();
    if (!tool_headers_.Knows(call.target) && !std::exchange(has_listed_tools_, true))
      CO_RETURN_IF_ERROR(co_await ListTools());
    call.modern.param_fields = tool_headers_.FieldsFor(call);
    co_return absl::OkStatus();
  }
  void LearnTools(const UpstreamMessage& list) {
    std::string ignored;
    if (repeats_arguments_) tool_headers_.Learn(list, ignored);
  }

  // Gives the requests that ask the client.
  absl::StatusOr<std::vector<UpstreamMessage>> Ask(std::vector<InputRequest> inputs,
                                                   const std::shared_ptr<Asking>& asking) {
    return inputs_.Ask(std::move(inputs), asking, [this] { return NewId(); });
  }
  ClientInputs& inputs() { return inputs_; }

  Task<MessageOr> NextUnrelated() {
    auto self = shared_from_this();
    auto message = co_await unrelated_->Pop();
    if (!message) co_return lost_;
    co_return *std::move(message);
  }

  void Lose(absl::Status why) {
    if (std::exchange(is_closed_, true)) return;
    lost_ = std::move(why);
    listener_->Stop();
    unrelated_->Close();
    inputs_.SettleAll();
  }
  const absl::Status& lost() const { return lost_; }

  // The end of it all: nobody waits for an answer any more.
  void Abandon() {
    Lose(UpstreamLost("the session has ended"));
    transport_.reset();
  }

 private:
  // What the server says beside its answers, and its end. The bridge may be abandoned before this
  // begins, and while it waits for room.
  static Task<void> Pump(std::shared_ptr<Core> self) {
    while (self->transport_ != nullptr) {
      MessageOr message = co_await self->transport_->NextUnrelated();
      if (!message.ok()) {
        self->Lose(message.status());
        co_return;
      }
      co_await self->listener_->Tell(*std::move(message));
    }
  }

  Task<absl::Status> ListTools() {
    std::string cursor;
    for (int page = 0; page < kMaxListPages; ++page) {
      const std::string params = cursor.empty() ? "{}" : absl::StrCat(R"({"cursor":)", cursor, "}");
      CO_ASSIGN_OR_RETURN(const ClientMessage list,
                          ToModern(OwnRequest(NewId(), "tools/list", params), client_));
      CO_ASSIGN_OR_RETURN(auto exchange, co_await transport_->Call(list));
      CO_ASSIGN_OR_RETURN(const UpstreamMessage tools, co_await AwaitResponse(std::move(exchange)));
      if (!tool_headers_.Learn(tools, cursor) || cursor.empty()) break;
    }
    co_return absl::OkStatus();
  }

  Loop& loop_;
  std::unique_ptr<Transport> transport_;
  const bool repeats_arguments_;
  BridgedClient client_;
  Announced announced_;
  // Of the subscriptions, as literals.
  std::vector<std::string> uris_;
  ToolHeaders tool_headers_;
  bool has_listed_tools_ = false;
  std::uint64_t last_id_ = 0;
  ClientInputs inputs_;
  const std::shared_ptr<Queue<UpstreamMessage>> unrelated_;
  const std::shared_ptr<ServerListener> listener_;
  bool is_closed_ = false;
  absl::Status lost_;
};

// A request until its response, through as many rounds as the server wants.
class Bridge::Call final : public Exchange {
 public:
  Call(std::shared_ptr<Core> core, ClientMessage request, std::unique_ptr<Exchange> round)
      : core_(std::move(core)), request_(std::move(request)), round_(std::move(round)) {}
  ~Call() override { StopAsking(); }

  Task<MessageOr> Next() override {
    auto core = core_;
    if (is_over_) co_return absl::FailedPreconditionError("the exchange is over");
    MessageOr message = co_await Read();
    if (is_cancelled_) co_return absl::CancelledError("the request was cancelled");
    if (!message.ok() && core->is_closed()) message = core->lost();
    is_over_ = !message.ok() || message->shape == Shape::kResponse;
    co_return message;
  }

  void Cancel() override {
    is_cancelled_ = true;
    if (round_) round_->Cancel();
    if (asking_) asking_->settled.Set();
  }

 private:
  Task<MessageOr> Read() {
    for (;;) {
      if (!to_client_.empty()) {
        UpstreamMessage request = std::move(to_client_.front());
        to_client_.pop_front();
        co_return request;
      }
      if (asking_) {
        if (absl::Status went_on = co_await GoOn(); !went_on.ok()) co_return went_on;
        if (failure_) co_return *std::exchange(failure_, std::nullopt);
      }
      CO_ASSIGN_OR_RETURN(UpstreamMessage message, co_await round_->Next());
      if (message.shape == Shape::kRequest)
        co_return UpstreamInvalid("a server of this era makes no requests");
      if (message.shape == Shape::kNotification) {
        if (auto told = FromModern(std::move(message))) co_return *std::move(told);
        continue;
      }
      if (request_.method == "tools/list") core_->LearnTools(message);
      auto response = FromModern(std::move(message), request_);
      if (!response.ok()) co_return UncleanMessage(std::string(response.status().message()));
      if (!response->is_input_required) co_return std::move(response->message);
      CO_RETURN_IF_ERROR(BeginRound(*std::move(response)));
    }
  }

  absl::Status BeginRound(BridgedResponse response) {
    if (++rounds_ > kMaxRounds) return UpstreamInvalid("the server asks for input without end");
    asking_ = std::make_shared<Asking>(core_->loop());
    state_ = std::move(response.state);
    ASSIGN_OR_RETURN(auto requests, core_->Ask(std::move(response.inputs), asking_));
    for (UpstreamMessage& request : requests) to_client_.push_back(std::move(request));
    if (to_client_.empty()) {
      to_client_.push_back({.shape = Shape::kNotification, .stray = kAskedAgain});
    }
    return absl::OkStatus();
  }

  // Waits until the client has answered, and takes the next round to the server.
  Task<absl::Status> GoOn() {
    const std::shared_ptr<Asking> asking = asking_;
    co_await asking->settled.Wait(asking->inputs.empty() ? kPause : absl::InfiniteDuration());
    StopAsking();
    if (is_cancelled_) co_return absl::CancelledError("the request was cancelled");
    if (core_->is_closed()) co_return core_->lost();
    if (!asking->error.empty()) {
      failure_ = FailedBy(request_, asking->error);
      co_return absl::OkStatus();
    }
    const CollectedInput input{
        .responses = asking->Responses(), .state = std::move(state_), .id = core_->NewId()};
    CO_ASSIGN_OR_RETURN(ClientMessage retry, ToModern(request_, core_->client(), &input));
    CO_RETURN_IF_ERROR(co_await core_->AddParamFields(retry));
    CO_ASSIGN_OR_RETURN(round_, co_await core_->transport().Call(retry));
    if (is_cancelled_) round_->Cancel();
    co_return absl::OkStatus();
  }

  void StopAsking() {
    if (!asking_) return;
    core_->inputs().Stop(*asking_);
    asking_.reset();
  }

  const std::shared_ptr<Core> core_;
  const ClientMessage request_;
  // The exchange of the request as it went out last.
  std::unique_ptr<Exchange> round_;
  int rounds_ = 0;
  // Set while the client is asked.
  std::shared_ptr<Asking> asking_;
  std::string state_;
  std::deque<UpstreamMessage> to_client_;
  std::optional<UpstreamMessage> failure_;
  bool is_cancelled_ = false;
  bool is_over_ = false;
};

Bridge::Bridge(Loop& loop, std::unique_ptr<Transport> transport, std::string server,
               bool repeats_arguments)
    : core_(std::make_shared<Core>(loop, std::move(transport), std::move(server),
                                   repeats_arguments)) {}

Bridge::~Bridge() { core_->Abandon(); }

Task<MessageOr> Bridge::Introduce(ClientMessage initialize) {
  return core_->Introduce(std::move(initialize));
}

Task<ExchangeOr> Bridge::Forward(const OutboundMessage& outbound) {
  auto core = core_;
  if (core->is_closed()) co_return core->lost();
  const ClientMessage& request = outbound.message();
  if (request.method == "ping") {
    co_return std::make_unique<Answered>(ResultResponse(request.id));
  }
  if (request.method == "logging/setLevel") {
    auto level = ReadLogLevel(request);
    if (!level) {
      co_return std::make_unique<Answered>(
          ErrorResponse(request.id, rpc_code::kInvalidParams, "there is no such level"));
    }
    core->SetLogLevel(*std::move(level));
    co_return std::make_unique<Answered>(ResultResponse(request.id));
  }
  if (request.method == "resources/subscribe" || request.method == "resources/unsubscribe") {
    co_return std::make_unique<Answered>(co_await core->Subscribe(request));
  }
  const ClientMethod* method = FindClientMethod(request.method);
  if (method != nullptr && method->eras == Eras::kLegacyOnly) {
    co_return std::make_unique<Answered>(ErrorResponse(request.id, rpc_code::kMethodNotFound,
                                                       "the server does not have this method"));
  }
  auto modern = ToModern(request, core->client());
  if (!modern.ok()) {
    co_return std::make_unique<Answered>(ErrorResponse(request.id, rpc_code::kInvalidParams,
                                                       std::string(modern.status().message())));
  }
  CO_RETURN_IF_ERROR(co_await core->AddParamFields(*modern));
  CO_ASSIGN_OR_RETURN(auto round, co_await core->transport().Call(*modern));
  co_return std::make_unique<Call>(core, request, std::move(round));
}

Task<absl::Status> Bridge::Send(const OutboundMessage& outbound) {
  auto core = core_;
  const ClientMessage& message = outbound.message();
  if (core->is_closed()) co_return core->lost();
  if (message.shape == Shape::kResponse) core->inputs().OnAnswer(message);
  if (message.method == "notifications/initialized") core->Start();
  // A cancel has been told by the exchange, and the server has no use for the others.
  co_return absl::OkStatus();
}

Task<MessageOr> Bridge::NextUnrelated() { return core_->NextUnrelated(); }

Task<void> Bridge::Close() {
  auto core = core_;
  core->Lose(UpstreamLost("the session has ended"));
  co_await core->transport().Close();
}

}  // namespace sallyport::agent
