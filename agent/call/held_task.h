#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/call/call.h"
#include "agent/call/held_tasks.h"
#include "agent/call/reply.h"
#include "agent/loop/signal.h"
#include "agent/mcp/task_extension.h"
#include "common/clock.h"

namespace sallyport::agent {

// A call that waits for a person as a task of our own, and what has become of it. To the stages it
// is the call's reply: it takes the answer, masked and recorded as every answer, and keeps it for
// whoever asks. On the loop's thread.
class HeldTask final : public Reply {
 public:
  // `all` owns the task; `loop` and `clock` outlive it.
  HeldTask(Loop& loop, const Clock& clock, HeldTasks& all, TaskState state,
           const IncomingCall& call, std::shared_ptr<const ClientMessage> message);

  const TaskState& state() const { return state_; }
  OpenRequest& request() { return request_; }
  // The call as its server shall see it.
  const std::shared_ptr<const ClientMessage>& message() const { return message_; }
  // What the stages take for the head of the call's request.
  IncomingCall Head();

  // The client takes the call back. Harmless when it is over.
  void Cancel();
  // The client is there, perhaps with a fresh token: who waits for it looks again.
  void Nudge();
  // Responses to what the client was asked for; others are ignored.
  void Supply(const std::map<std::string, std::string>& responses);
  // Until all that was asked for has come; false: it was cancelled, or `timeout` has passed.
  Task<bool> AwaitInput(absl::Duration timeout);
  // The call again, with what was asked for; the task works on.
  absl::StatusOr<ClientMessage> Retry();
  // While input is asked for: the round that its call waits in, as the client is given it (JSON).
  const std::string& request_state() const { return request_state_; }
  // The stages are done with it, and nobody of them knows it any more: what is open is cancelled.
  void Finish();
  bool is_done() const { return is_done_; }

  // The result has been given to the client, or is not wanted.
  bool is_settled() const { return is_settled_; }
  void set_settled() { is_settled_ = true; }

  // ---- Reply: nothing but the answer

  Task<void> Answer(OwnAnswer answer) override;
  Task<void> Answer(const RecordedMessage& message, AnswerHead head) override;
  Task<void> Begin(StreamStart) override { co_return; }
  bool has_begun() const override { return false; }
  Task<void> Event(const RecordedMessage&) override { co_return; }
  Task<void> End() override;
  void BeginWhenSlow(StreamStart) override {}
  void EndWhenSilent(StreamStart) override {}
  bool takes_news() const override { return false; }
  bool is_gone() const override { return false; }
  void TellWhenGone(absl::AnyInvocable<void()>) override {}
  void Close() override {}

 private:
  void Become(TaskStatus status, std::string body, std::string words);
  void Take(std::string_view response);

  const Clock& clock_;
  HeldTasks& all_;
  TaskState state_;
  const std::string server_;
  const std::string client_address_;
  const std::shared_ptr<const ClientMessage> message_;
  OpenRequest request_;
  // What the client is asked for and has not given yet, and what it has given.
  std::vector<std::string> missing_;
  std::map<std::string, std::string> responses_;
  std::string request_state_;
  Signal input_;
  bool is_settled_ = false;
  bool is_done_ = false;
};

}  // namespace sallyport::agent
