#include "agent/call/handle_batch.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "agent/call/check_grant.h"
#include "agent/call/error_reply.h"
#include "agent/call/handle_call.h"
#include "agent/call/resumable_reply.h"
#include "agent/mcp/dialect.h"
#include "agent/mcp/json_batch.h"
#include "common/denial.h"

namespace sallyport::agent {
namespace {

// The part of one message in the answer to all of them.
class BatchPart final : public Reply {
 public:
  explicit BatchPart(Reply& whole) : whole_(whole) {}

  // That one of them was accepted, or refused without an answer, is in the record alone.
  Task<void> Answer(OwnAnswer) override { co_return; }
  Task<void> Answer(const RecordedMessage& message, AnswerHead) override {
    co_await whole_.Event(message);
  }
  Task<void> Begin(StreamStart) override { co_return; }
  bool has_begun() const override { return true; }
  Task<void> Event(const RecordedMessage& message) override { co_await whole_.Event(message); }
  Task<void> End() override { co_return; }
  void BeginWhenSlow(StreamStart) override {}
  void EndWhenSilent(StreamStart) override {}
  bool is_gone() const override { return whole_.is_gone(); }
  bool may_return() const override { return whole_.may_return(); }
  // A call that waits for a person finds out when it has waited long enough.
  void TellWhenGone(absl::AnyInvocable<void()>) override {}
  void Close() override {}

 private:
  Reply& whole_;
};

// What is still to be answered.
struct Open {
  explicit Open(Loop& loop) : all_done(loop) {}
  std::size_t messages = 0;
  Signal all_done;
};

Task<void> HandlePart(Gateway& gateway, GrantedCall call, Reply& whole,
                      std::shared_ptr<const ClientMessage> message, Open& open) {
  BatchPart part(whole);
  call.reply = &part;
  co_await HandleMessage(gateway, std::move(call), std::move(message));
  if (--open.messages == 0) open.all_done.Set();
}

absl::Status Invalid(std::string_view what) {
  return Denied(types::v1::DENIAL_REASON_MESSAGE_INVALID, what);
}

// Whether the batch may be taken apart at all.
absl::Status CheckBatch(const std::vector<ClientMessage>& messages, const GrantedCall& call) {
  if (!HasBatches(call.connection->mcp().protocol_version())) {
    return Invalid("a batch, or not an object");
  }
  const bool has_stranger =
      std::any_of(messages.begin(), messages.end(), [](const ClientMessage& message) {
        return message.method == "initialize" || message.era != Era::kLegacy;
      });
  return has_stranger ? Invalid("initialize, or a message of another era, in a batch")
                      : absl::OkStatus();
}

}  // namespace

Task<void> HandleBatch(Gateway& gateway, AuthenticatedCall call, std::string body) {
  ScanLimits limits;
  limits.max_bytes = gateway.limits.message_bytes;
  auto messages = ScanClientBatch(body, limits);
  if (!messages.ok()) {
    co_await RefuseUnread(gateway, call, messages.status());
    co_return;
  }
  if (!call.incoming.mcp_session_id) {
    co_await RefuseUnread(gateway, call, Invalid("a batch, or not an object"));
    co_return;
  }
  Reply& reply = *call.incoming.reply;
  auto granted = CheckGrant(gateway, std::move(call));
  if (auto* refusal = std::get_if<OwnAnswer>(&granted)) {
    co_await reply.Answer(std::move(*refusal));
    co_return;
  }
  const GrantedCall& live = std::get<GrantedCall>(granted);
  if (const absl::Status why = CheckBatch(*messages, live); !why.ok()) {
    co_await RefuseUnread(gateway, *live.authenticated, why);
    co_return;
  }
  ResumableReply whole(*live.connection, reply, HabitsOf(live));
  const bool has_requests =
      std::any_of(messages->begin(), messages->end(),
                  [](const ClientMessage& message) { return message.shape == Shape::kRequest; });
  if (has_requests) co_await whole.Begin({});
  Open open(gateway.loop);
  open.messages = messages->size();
  for (ClientMessage& message : *messages) {
    gateway.loop.Spawn(HandlePart(gateway, live, whole,
                                  std::make_shared<const ClientMessage>(std::move(message)), open));
  }
  co_await open.all_done.Wait();
  if (has_requests) {
    co_await whole.End();
  } else {
    co_await reply.Answer(OwnAnswer{.status = 202});
  }
}

}  // namespace sallyport::agent
