#include "agent/mcp/task_extension.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/mcp/capabilities.h"
#include "agent/mcp/client_capabilities.h"
#include "agent/mcp/json_index.h"
#include "agent/mcp/json_rpc.h"
#include "agent/mcp/json_scan.h"
#include "agent/mcp/json_splice.h"
#include "common/denial.h"
#include "common/json_string.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "common/time_text.h"

namespace sallyport::agent {
namespace {

constexpr std::string_view kRequired = R"({"extensions":{"io.modelcontextprotocol/tasks":{}}})";

std::string_view Word(TaskStatus status) {
  switch (status) {
    case TaskStatus::kWorking:
      return "working";
    case TaskStatus::kInputRequired:
      return "input_required";
    case TaskStatus::kCompleted:
      return "completed";
    case TaskStatus::kFailed:
      return "failed";
    case TaskStatus::kCancelled:
      return "cancelled";
  }
  return {};
}

// The member that holds a task's body; empty: there is none.
std::string_view BodyName(TaskStatus status) {
  switch (status) {
    case TaskStatus::kInputRequired:
      return "inputRequests";
    case TaskStatus::kCompleted:
      return "result";
    case TaskStatus::kFailed:
      return "error";
    case TaskStatus::kWorking:
    case TaskStatus::kCancelled:
      break;
  }
  return {};
}

std::string Members(const TaskState& task) {
  std::string json = absl::StrCat(
      R"("taskId":)", JsonString(task.id), R"(,"status":")", ToAbsl(Word(task.status)),
      R"(","createdAt":)", JsonString(TimeText(task.created_at)), R"(,"lastUpdatedAt":)",
      JsonString(TimeText(task.updated_at)), R"(,"ttlMs":)", absl::ToInt64Milliseconds(task.ttl),
      R"(,"pollIntervalMs":)", absl::ToInt64Milliseconds(task.poll_interval));
  if (!task.message.empty()) {
    absl::StrAppend(&json, R"(,"statusMessage":)", JsonString(task.message));
  }
  return json;
}

std::string Detailed(const TaskState& task) {
  std::string json = Members(task);
  if (const std::string_view name = BodyName(task.status); !name.empty()) {
    absl::StrAppend(&json, ",\"", ToAbsl(name), "\":", task.body);
  }
  return json;
}

bool Parse(JsonIndex& index, std::string_view json) {
  return index.Parse(json, JsonLimits{.max_bytes = json.size()}) == JsonError::kNone;
}

absl::Status Invalid(types::v1::DenialReason reason, std::string_view what) {
  return Denied(reason, what);
}

}  // namespace

UpstreamMessage TaskCreated(std::string_view id, const TaskState& task) {
  return ResultResponse(id, absl::StrCat(R"({"resultType":"task",)", Members(task), "}"));
}

UpstreamMessage TaskGot(std::string_view id, const TaskState& task) {
  return ResultResponse(id, absl::StrCat(R"({"resultType":"complete",)", Detailed(task), "}"));
}

UpstreamMessage TaskAcknowledged(std::string_view id) {
  return ResultResponse(id, R"({"resultType":"complete"})");
}

UpstreamMessage TaskNews(std::string_view subscription_id, const TaskState& task) {
  return ServerNotification("notifications/tasks",
                            absl::StrCat(R"({"_meta":{"io.modelcontextprotocol/subscriptionId":)",
                                         ToAbsl(subscription_id), "},", Detailed(task), "}"));
}

UpstreamMessage TasksNotDeclared(std::string_view id) {
  return CapabilityNotDeclared(id, kRequired);
}

absl::StatusOr<TaskOutcome> ReadTaskOutcome(std::string_view response) {
  using types::v1::DENIAL_REASON_UPSTREAM_INVALID;
  JsonIndex index;
  if (!Parse(index, response)) {
    return Invalid(DENIAL_REASON_UPSTREAM_INVALID, "the response is not clean JSON");
  }
  if (const JsonNode* error = index.Member(&index.root(), "error")) {
    return TaskOutcome{.status = TaskStatus::kFailed, .body = std::string(index.Raw(*error))};
  }
  const JsonNode* result = index.Member(&index.root(), "result");
  if (result == nullptr || !result->is_object()) {
    return Invalid(DENIAL_REASON_UPSTREAM_INVALID, "the response has no result");
  }
  const JsonNode* type = index.Member(result, "resultType");
  if (type != nullptr && type->text == "task") {
    return Invalid(DENIAL_REASON_UPSTREAM_INVALID, "the server answers with a task unasked");
  }
  if (type == nullptr || type->text != "input_required") {
    return TaskOutcome{.status = TaskStatus::kCompleted, .body = std::string(index.Raw(*result))};
  }
  TaskOutcome outcome{.status = TaskStatus::kInputRequired, .body = "{}"};
  if (const JsonNode* state = index.Member(result, "requestState")) {
    outcome.request_state = std::string(index.Raw(*state));
  }
  const JsonNode* requests = index.Member(result, "inputRequests");
  if (requests == nullptr || !requests->is_object()) return outcome;
  outcome.body = std::string(index.Raw(*requests));
  for (const JsonNode& request : index.Children(*requests)) {
    outcome.keys.push_back(JsonString(request.key));
  }
  return outcome;
}

absl::StatusOr<std::map<std::string, std::string>> ReadInputResponses(const ClientMessage& update) {
  JsonIndex index;
  const JsonNode* responses = nullptr;
  if (Parse(index, update.bytes)) {
    responses = index.Member(index.Member(&index.root(), "params"), "inputResponses");
  }
  if (responses == nullptr || !responses->is_object()) {
    return Invalid(types::v1::DENIAL_REASON_MESSAGE_INVALID,
                   "params.inputResponses is not an object");
  }
  std::map<std::string, std::string> read;
  for (const JsonNode& response : index.Children(*responses)) {
    read[JsonString(response.key)] = std::string(index.Raw(response));
  }
  return read;
}

absl::StatusOr<ClientMessage> RetryOf(const ClientMessage& call,
                                      const std::map<std::string, std::string>& responses,
                                      std::string_view request_state) {
  JsonIndex index;
  const JsonNode* params = nullptr;
  if (Parse(index, call.bytes)) params = index.Member(&index.root(), "params");
  if (params == nullptr || !params->is_object()) {
    return Invalid(types::v1::DENIAL_REASON_MESSAGE_INVALID, "the call has no params");
  }
  std::string added = R"("inputResponses":{)";
  for (const auto& [key, response] : responses) {
    if (added.back() != '{') added += ',';
    absl::StrAppend(&added, key, ":", response);
  }
  added += '}';
  if (!request_state.empty()) {
    absl::StrAppend(&added, R"(,"requestState":)", ToAbsl(request_state));
  }
  const auto is_of_round = [](const JsonNode& member) {
    return member.key == "inputResponses" || member.key == "requestState";
  };
  Splicer splicer(call.bytes);
  bool has_others = false;
  for (const JsonNode& member : index.Children(*params)) has_others |= !is_of_round(member);
  splicer.Replace(params->begin + 1, params->begin + 1, added + (has_others ? "," : ""));
  CutChildren(splicer, index, *params, is_of_round);
  std::string bytes = splicer.Finish();
  const ScanLimits limits{.max_bytes = bytes.size()};
  ASSIGN_OR_RETURN(ClientMessage retry, ScanClientMessage(std::move(bytes), limits));
  retry.modern.declared_capabilities = call.modern.declared_capabilities;
  return retry;
}

std::vector<std::string> TasksListenedTo(const ClientMessage& listen) {
  std::vector<std::string> tasks;
  JsonIndex index;
  if (!Parse(index, listen.bytes)) return tasks;
  const JsonNode* notifications =
      index.Member(index.Member(&index.root(), "params"), "notifications");
  if (notifications == nullptr || !notifications->is_object()) return tasks;
  for (const JsonNode& wanted : index.Children(*notifications)) {
    if (wanted.key != "taskIds") {
      if (wanted.type == JsonType::kFalse || wanted.type == JsonType::kNull) continue;
      return {};
    }
    for (const JsonNode& id : index.Children(wanted)) {
      if (!id.is_string()) return {};
      tasks.emplace_back(id.text);
    }
  }
  return tasks;
}

UpstreamMessage TasksAcknowledged(std::string_view subscription_id,
                                  const std::vector<std::string>& tasks) {
  std::string params = absl::StrCat(R"({"_meta":{"io.modelcontextprotocol/subscriptionId":)",
                                    ToAbsl(subscription_id), R"(},"notifications":{"taskIds":[)");
  for (const std::string& task : tasks) {
    if (params.back() != '[') params += ',';
    params += JsonString(task);
  }
  return ServerNotification("notifications/subscriptions/acknowledged", params + "]}}");
}

}  // namespace sallyport::agent
