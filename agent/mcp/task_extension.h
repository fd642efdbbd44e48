#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/mcp/message.h"

// The tasks extension of the modern era (io.modelcontextprotocol/tasks), from the side that makes
// the task: a handle in place of a tool's result, and what is said of it until the result is there.
namespace sallyport::agent {

enum class TaskStatus : std::uint8_t { kWorking, kInputRequired, kCompleted, kFailed, kCancelled };

struct TaskState {
  std::string id;
  TaskStatus status = TaskStatus::kWorking;
  // For people and models. Empty: left out.
  std::string message;
  absl::Time created_at;
  absl::Time updated_at;
  // From created_at.
  absl::Duration ttl;
  absl::Duration poll_interval;
  // JSON: inputRequests, the result or the error, as the status has them.
  std::string body;

  bool is_over() const {
    return status != TaskStatus::kWorking && status != TaskStatus::kInputRequired;
  }
};

// The answer to the request that became the task: CreateTaskResult.
UpstreamMessage TaskCreated(std::string_view id, const TaskState& task);
// The answer to tasks/get.
UpstreamMessage TaskGot(std::string_view id, const TaskState& task);
// The answer to tasks/update and tasks/cancel.
UpstreamMessage TaskAcknowledged(std::string_view id);
// notifications/tasks on the stream of the listen whose id `subscription_id` is, a literal.
UpstreamMessage TaskNews(std::string_view subscription_id, const TaskState& task);
// The error for who asks for a task and has not declared that it knows them.
UpstreamMessage TasksNotDeclared(std::string_view id);

// What the response to a call makes of the task that stands for it: `status` and `body`.
struct TaskOutcome {
  TaskStatus status = TaskStatus::kFailed;
  std::string body;
  // kInputRequired: the literals of the keys of inputRequests, and of the request state that the
  // retry must bring.
  std::vector<std::string> keys;
  std::string request_state;
};
// upstream_invalid when it is none that a task can have.
absl::StatusOr<TaskOutcome> ReadTaskOutcome(std::string_view response);

// The responses of a tasks/update by the literals of their keys. message_invalid when there are
// none.
absl::StatusOr<std::map<std::string, std::string>> ReadInputResponses(const ClientMessage& update);

// The call again, with what it was asked for. `request_state` is a literal. message_invalid when
// that is no message.
absl::StatusOr<ClientMessage> RetryOf(const ClientMessage& call,
                                      const std::map<std::string, std::string>& responses,
                                      std::string_view request_state);

// The tasks that a subscriptions/listen would hear of. Empty: there are none, or there is more than
// tasks that it would hear of.
std::vector<std::string> TasksListenedTo(const ClientMessage& listen);
// notifications/subscriptions/acknowledged for a listen to these tasks.
UpstreamMessage TasksAcknowledged(std::string_view subscription_id,
                                  const std::vector<std::string>& tasks);

}  // namespace sallyport::agent
