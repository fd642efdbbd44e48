#include "agent/call/claim.h"

#include <string>
#include <utility>

#include "agent/mcp/created_task.h"
#include "common/status_macros.h"

namespace sallyport::agent {

Claim::Claim(McpSession& mcp, const ClientMessage& request) : mcp_(mcp), request_(request) {
  is_new_ = request.method == "resources/subscribe" && mcp.Subscribe(request.target);
}

void Claim::Withdraw() {
  if (is_new_) mcp_.Unsubscribe(request_.target);
}

absl::Status Claim::Settle(const UpstreamMessage& response, LimitPlace& place) {
  if (response.is_error) Withdraw();
  if (request_.method == "resources/unsubscribe" && !response.is_error) {
    mcp_.Unsubscribe(request_.target);
  }
  if (request_.asks_for_task) {
    ASSIGN_OR_RETURN(std::string id, CreatedTask(response));
    if (!id.empty()) mcp_.AddTask(std::move(id), UntilTaskIsOver(std::move(place)));
  }
  if (request_.method == "tasks/get" && IsTaskOver(response)) mcp_.EndTask(request_.task_id);
  // A result that is an error is one as well: the task has failed, or is forgotten.
  if (request_.method == "tasks/result") mcp_.FinishTask(request_.task_id);
  if (request_.method == "tasks/cancel" && !response.is_error) {
    mcp_.LeaveTask(request_.task_id);
    // A server may acknowledge that, and go on.
    if (IsTaskOver(response)) mcp_.EndTask(request_.task_id);
  }
  return absl::OkStatus();
}

}  // namespace sallyport::agent
