#include "agent/mcp/client_params.h"

#include "agent/mcp/capabilities.h"
#include "common/status_macros.h"

namespace sallyport::agent {
namespace {

constexpr std::size_t kMaxToolNameBytes = 128;

// What policy needs of the methods that name a tool, a prompt or a resource.
absl::Status ReadTarget(const MessageScan& scan, ClientMessage& message) {
  const std::string& method = message.method;
  if (method == "tools/call" || method == "prompts/get") {
    if (!scan.ReadString(scan.params["name"], message.target) || message.target.empty()) {
      return scan.InvalidParams("params.name is missing");
    }
    if (message.target.size() > kMaxToolNameBytes)
      return scan.InvalidParams("params.name is too long");
    const JsonNode* const arguments = scan.params["arguments"];
    if (arguments != nullptr && !arguments->is_object()) {
      return scan.InvalidParams("params.arguments is not an object");
    }
    message.arguments = MessageScan::SpanOf(arguments);
  } else if (method == "resources/read" ||
             (message.era == Era::kLegacy &&
              (method == "resources/subscribe" || method == "resources/unsubscribe"))) {
    if (!scan.ReadString(scan.params["uri"], message.target) || message.target.empty()) {
      return scan.InvalidParams("params.uri is missing");
    }
  }
  return absl::OkStatus();
}

// completion/complete
absl::Status ReadRef(const MessageScan& scan, ClientMessage& message) {
  const JsonNode* const type = scan.ref["type"];
  if (type == nullptr || !type->is_string()) return scan.InvalidParams("params.ref has no type");
  message.ref_is_resource = type->text == "ref/resource";
  if (!message.ref_is_resource && type->text != "ref/prompt") {
    return scan.InvalidParams("params.ref.type is unknown");
  }
  // A ref that names both could be read either way.
  const JsonNode* const name = scan.ref["name"];
  const JsonNode* const uri = scan.ref["uri"];
  if (name != nullptr && uri != nullptr) return scan.InvalidParams("params.ref names two things");
  if (!scan.ReadString(message.ref_is_resource ? uri : name, message.target) ||
      message.target.empty()) {
    return scan.InvalidParams("params.ref names nothing");
  }
  return absl::OkStatus();
}

absl::Status ReadModernEnvelope(const MessageScan& scan, ClientMessage& message) {
  const JsonNode* const version = scan.meta[kModernVersionKey];
  if (version == nullptr) return absl::OkStatus();
  if (!scan.ReadString(version, message.modern.version) || version->text.empty()) {
    return scan.InvalidParams("the protocol version in _meta is not a string");
  }
  message.era = Era::kModern;
  const JsonNode* const declared = scan.meta[kClientCapabilitiesKey];
  if (declared != nullptr && declared->is_object()) {
    message.modern.capabilities = MessageScan::SpanOf(declared);
    const JsonNode* const extensions = scan.index().Member(declared, "extensions");
    message.modern.takes_tasks = scan.index().Member(extensions, kTaskExtension) != nullptr;
  }
  message.modern.asks_for_logs = scan.meta[kLogLevelKey] != nullptr;
  if (const JsonNode* const state = scan.params["requestState"]; state != nullptr) {
    if (!state->is_string()) return scan.InvalidParams("params.requestState is not a string");
    message.modern.request_state = MessageScan::SpanOf(state);
  }
  if (const JsonNode* const answers = scan.params["inputResponses"]; answers != nullptr) {
    if (!answers->is_object()) return scan.InvalidParams("params.inputResponses is not an object");
    message.modern.input_responses = MessageScan::SpanOf(answers);
  }
  if (message.method == "subscriptions/listen") {
    const JsonNode* const wishes = scan.params["notifications"];
    if (wishes != nullptr && !wishes->is_object()) {
      return scan.InvalidParams("params.notifications is not an object");
    }
    const JsonNode* const uris = scan.notifications["resourceSubscriptions"];
    if (uris != nullptr && !uris->is_array()) {
      return scan.InvalidParams("params.notifications.resourceSubscriptions is not an array");
    }
    message.modern.resource_subscriptions = MessageScan::SpanOf(uris);
    const JsonNode* const tasks = scan.notifications["taskIds"];
    if (tasks != nullptr && !tasks->is_array()) {
      return scan.InvalidParams("params.notifications.taskIds is not an array");
    }
    message.modern.listened_tasks = MessageScan::SpanOf(tasks);
  }
  return absl::OkStatus();
}

absl::Status ReadInitialize(const MessageScan& scan, ClientMessage& message) {
  if (!scan.ReadString(scan.params["protocolVersion"], message.protocol_version)) {
    return scan.InvalidParams("params.protocolVersion is missing");
  }
  const JsonNode* const capabilities = scan.params["capabilities"];
  if (capabilities == nullptr || !capabilities->is_object()) {
    return scan.InvalidParams("params.capabilities is missing");
  }
  message.capabilities = MessageScan::SpanOf(capabilities);
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadClientParams(const MessageScan& scan, ClientMessage& message) {
  RETURN_IF_ERROR(ReadModernEnvelope(scan, message));
  RETURN_IF_ERROR(message.method == "completion/complete" ? ReadRef(scan, message)
                                                          : ReadTarget(scan, message));
  message.params = MessageScan::SpanOf(scan.root["params"]);
  message.asks_for_task = scan.params["task"] != nullptr;
  RETURN_IF_ERROR(
      scan.ReadToken(scan.meta["progressToken"], message.progress_token, message.token_at));
  Span place;
  if (message.method == "initialize" && message.era == Era::kLegacy) {
    return ReadInitialize(scan, message);
  }
  if (message.method == "notifications/cancelled") {
    RETURN_IF_ERROR(scan.ReadToken(scan.params["requestId"], message.cancelled_id, place));
  } else if (message.method == "notifications/progress") {
    RETURN_IF_ERROR(
        scan.ReadToken(scan.params["progressToken"], message.progress_token, message.token_at));
    if (message.progress_token.empty())
      return scan.InvalidParams("params.progressToken is missing");
  } else if (message.method.starts_with("tasks/") && scan.params["taskId"] != nullptr) {
    if (!scan.ReadString(scan.params["taskId"], message.task_id) || message.task_id.empty()) {
      return scan.InvalidParams("params.taskId is not a string");
    }
  }
  return absl::OkStatus();
}

}  // namespace sallyport::agent
