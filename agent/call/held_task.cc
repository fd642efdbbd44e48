#include "agent/call/held_task.h"

#include <algorithm>
#include <utility>

#include "agent/mcp/json_rpc.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

// How long a result is kept for a client at least.
constexpr absl::Duration kResultKept = absl::Minutes(10);

}  // namespace

HeldTask::HeldTask(Loop& loop, const Clock& clock, HeldTasks& all, TaskState state,
                   const IncomingCall& call, std::shared_ptr<const ClientMessage> message)
    : clock_(clock),
      all_(all),
      state_(std::move(state)),
      server_(call.server),
      client_address_(call.client_address),
      message_(std::move(message)),
      request_{.id = message_->id},
      input_(loop) {}

IncomingCall HeldTask::Head() {
  return {.server = server_, .client_address = client_address_, .reply = this};
}

void HeldTask::Cancel() {
  if (state_.is_over()) return;
  request_.is_cancelled = true;
  if (request_.exchange != nullptr) request_.exchange->Cancel();
  input_.Set();
  Nudge();
}

void HeldTask::Nudge() {
  if (request_.waiting != nullptr) request_.waiting->Set();
}

void HeldTask::Supply(const std::map<std::string, std::string>& responses) {
  if (state_.status != TaskStatus::kInputRequired) return;
  for (const auto& [key, response] : responses) {
    if (std::erase(missing_, key) > 0) responses_[key] = response;
  }
  if (missing_.empty()) input_.Set();
}

Task<bool> HeldTask::AwaitInput(absl::Duration timeout) {
  if (!missing_.empty() && !request_.is_cancelled) co_await input_.Wait(timeout);
  input_.Reset();
  co_return missing_.empty() && !request_.is_cancelled;
}

absl::StatusOr<ClientMessage> HeldTask::Retry() {
  auto retry = RetryOf(*message_, std::exchange(responses_, {}), request_state_);
  Become(TaskStatus::kWorking, {}, {});
  return retry;
}

void HeldTask::Finish() {
  if (!state_.is_over()) Become(TaskStatus::kCancelled, {}, {});
  is_done_ = true;
}

Task<void> HeldTask::Answer(OwnAnswer answer) {
  Take(answer.body);
  co_return;
}

Task<void> HeldTask::Answer(const RecordedMessage& message, AnswerHead) {
  Take(message.bytes());
  co_return;
}

Task<void> HeldTask::End() {
  Become(TaskStatus::kCancelled, {}, {});
  co_return;
}

void HeldTask::Take(std::string_view response) {
  auto outcome = ReadTaskOutcome(response);
  if (!outcome.ok()) {
    const UpstreamMessage error =
        ErrorResponse("0", rpc_code::kRefused, ToStd(outcome.status().message()));
    outcome = ReadTaskOutcome(error.bytes);
  }
  missing_ = std::move(outcome->keys);
  request_state_ = std::move(outcome->request_state);
  Become(outcome->status, std::move(outcome->body), {});
}

void HeldTask::Become(TaskStatus status, std::string body, std::string words) {
  state_.status = status;
  state_.body = std::move(body);
  state_.message = std::move(words);
  state_.updated_at = clock_.Now();
  if (state_.is_over()) {
    state_.ttl = std::max(state_.ttl, state_.updated_at - state_.created_at + kResultKept);
  }
  all_.Changed();
}

}  // namespace sallyport::agent
