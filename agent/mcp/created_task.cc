#include "agent/mcp/created_task.h"

#include <cstddef>

#include "agent/mcp/json_index.h"
#include "common/denial.h"
#include "sallyport/types/v1/denial.pb.h"

namespace sallyport::agent {
namespace {

constexpr std::size_t kMaxTaskIdBytes = 1024;

}  // namespace

absl::StatusOr<std::string> CreatedTask(const UpstreamMessage& response) {
  if (response.is_error) return std::string();
  JsonIndex index;
  if (index.Parse(response.bytes, JsonLimits{.max_bytes = response.bytes.size()}) !=
      JsonError::kNone) {
    return Denied(types::v1::DENIAL_REASON_UPSTREAM_INVALID, "the result is not clean JSON");
  }
  const JsonNode* task = index.Member(index.Member(&index.root(), "result"), "task");
  if (task == nullptr) return std::string();
  const JsonNode* id = index.Member(task, "taskId");
  if (id == nullptr || !id->is_string() || id->text.empty() || id->text.size() > kMaxTaskIdBytes) {
    return Denied(types::v1::DENIAL_REASON_UPSTREAM_INVALID, "the server's task has no proper id");
  }
  return std::string(id->text);
}

bool IsTaskOver(const UpstreamMessage& message) {
  const bool is_news =
      message.method == "notifications/tasks/status" || message.method == "notifications/tasks";
  if (message.is_error || (message.shape != Shape::kResponse && !is_news)) return false;
  JsonIndex index;
  const std::string_view body =
      std::string_view(message.bytes).substr(message.body.begin, message.body.size());
  if (index.Parse(body, JsonLimits{.max_bytes = body.size()}) != JsonError::kNone) return false;
  const JsonNode* status = index.Member(&index.root(), "status");
  return status != nullptr && status->is_string() &&
         (status->text == "completed" || status->text == "failed" || status->text == "cancelled");
}

}  // namespace sallyport::agent
