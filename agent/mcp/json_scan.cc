#include "agent/mcp/json_scan.h"

#include <algorithm>
#include <span>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "agent/mcp/json_index.h"
#include "agent/mcp/json_rpc.h"
#include "common/denial.h"
#include "common/json_string.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

using types::v1::DenialReason;

constexpr absl::string_view kCodePayload = "sallyport/json-rpc-code";
constexpr std::string_view kModernVersionKey = "io.modelcontextprotocol/protocolVersion";
constexpr std::string_view kClientCapabilitiesKey = "io.modelcontextprotocol/clientCapabilities";
constexpr std::string_view kLogLevelKey = "io.modelcontextprotocol/logLevel";
constexpr std::string_view kSubscriptionIdKey = "io.modelcontextprotocol/subscriptionId";

// Longer ids would be kept for every request in flight.
constexpr std::size_t kMaxIdBytes = 1024;
constexpr std::size_t kMaxToolNameBytes = 128;

absl::Status Refusal(DenialReason reason, int code, std::string_view what) {
  absl::Status status = Denied(reason, what);
  status.SetPayload(kCodePayload, absl::Cord(absl::StrCat(code)));
  return status;
}

// Equal but for case, as the most lenient readers fold it: Go's encoding/json also takes U+017F for
// s and U+212A for k.
bool IsCaseTwin(std::string_view key, std::string_view name) {
  // Nearly always another name, told by its first letter.
  if (key.empty() || (((key[0] ^ name[0]) & 0x5f) != 0 && (key[0] & 0x80) == 0)) return false;
  if (key == name) return false;
  std::size_t i = 0;
  for (const char expected : name) {
    if (i >= key.size()) return false;
    char c = key[i];
    if (key.substr(i, 2) == "\u017f") {
      c = 's';
      i += 2;
    } else if (key.substr(i, 3) == "\u212a") {
      c = 'k';
      i += 3;
    } else {
      ++i;
    }
    const auto lower = [](char x) {
      return x >= 'A' && x <= 'Z' ? static_cast<char>(x - 'A' + 'a') : x;
    };
    if (lower(c) != lower(expected)) return false;
  }
  return i == key.size();
}

// The names that the protocol gives a meaning, where it does. No two of a list are equal but for
// case.
constexpr std::string_view kRootNames[] = {"jsonrpc", "id", "method", "params", "result", "error"};
constexpr std::string_view kParamsNames[] = {"name",
                                             "uri",
                                             "arguments",
                                             "_meta",
                                             "cursor",
                                             "ref",
                                             "argument",
                                             "context",
                                             "protocolVersion",
                                             "capabilities",
                                             "clientInfo",
                                             "progressToken",
                                             "requestId",
                                             "task",
                                             "taskId",
                                             "level",
                                             "data",
                                             "message",
                                             "messages",
                                             "url",
                                             "mode",
                                             "requestedSchema",
                                             "requestState",
                                             "inputResponses",
                                             "notifications"};
constexpr std::string_view kMetaNames[] = {
    "progressToken", kModernVersionKey, kClientCapabilitiesKey, kLogLevelKey, kSubscriptionIdKey};
constexpr std::string_view kNotificationsNames[] = {"resourceSubscriptions"};
constexpr std::string_view kRefNames[] = {"type", "name", "uri"};
constexpr std::string_view kResultNames[] = {"content",       "structuredContent",
                                             "isError",       "contents",
                                             "messages",      "tools",
                                             "resources",     "resourceTemplates",
                                             "prompts",       "nextCursor",
                                             "capabilities",  "protocolVersion",
                                             "serverInfo",    "_meta",
                                             "action",        "roots",
                                             "role",          "model",
                                             "resultType",    "requestState",
                                             "inputRequests", "ttlMs",
                                             "cacheScope",    "supportedVersions",
                                             "task",          "taskId"};
constexpr std::string_view kResultMetaNames[] = {kSubscriptionIdKey};
constexpr std::string_view kErrorNames[] = {"code", "message", "data"};

bool HasCaseTwin(const JsonIndex& index, const JsonNode* object,
                 std::span<const std::string_view> names) {
  if (object == nullptr || !object->is_object()) return false;
  for (const JsonNode& member : index.Children(*object)) {
    const std::string_view key = member.key;
    const bool is_ascii =
        std::none_of(key.begin(), key.end(), [](char c) { return (c & 0x80) != 0; });
    for (std::string_view name : names) {
      // A letter of ASCII folds to one of its own length.
      if (is_ascii && key.size() != name.size()) continue;
      if (key == name) break;
      if (IsCaseTwin(key, name)) return true;
    }
  }
  return false;
}

// A twin where a reader that ignores case would find a second method, name, uri, ...
bool HasProtocolTwin(const JsonIndex& index) {
  const JsonNode* const root = &index.root();
  const JsonNode* const params = index.Member(root, "params");
  const JsonNode* const result = index.Member(root, "result");
  return HasCaseTwin(index, root, kRootNames) || HasCaseTwin(index, params, kParamsNames) ||
         HasCaseTwin(index, index.Member(params, "_meta"), kMetaNames) ||
         HasCaseTwin(index, index.Member(params, "notifications"), kNotificationsNames) ||
         HasCaseTwin(index, index.Member(params, "ref"), kRefNames) ||
         HasCaseTwin(index, result, kResultNames) ||
         HasCaseTwin(index, index.Member(result, "_meta"), kResultMetaNames) ||
         HasCaseTwin(index, index.Member(root, "error"), kErrorNames);
}

// -?(0|[1-9][0-9]*): a fraction or an exponent in an id reads differently in different servers.
bool IsInteger(std::string_view literal) {
  if (literal == "-0") return false;
  if (!literal.empty() && literal[0] == '-') literal.remove_prefix(1);
  return !literal.empty() &&
         std::all_of(literal.begin(), literal.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// One spelling for each string, so that an id which a server escapes in its own way is still the
// same id.
std::string Literal(const JsonIndex& index, const JsonNode& node) {
  return node.is_string() ? JsonString(node.text) : std::string(index.Raw(node));
}

bool IsId(const JsonIndex& index, const JsonNode& node) {
  if (node.end - node.begin > kMaxIdBytes) return false;
  if (node.is_string()) return true;
  return node.type == JsonType::kNumber && IsInteger(index.Raw(node));
}

Span SpanOf(const JsonNode* node) {
  return node == nullptr ? Span{} : Span{node->begin, node->end};
}

// The members that say what kind of message it is, judged.
struct Envelope {
  const JsonNode* id = nullptr;
  const JsonNode* method = nullptr;
  const JsonNode* params = nullptr;
  const JsonNode* result = nullptr;
  const JsonNode* error = nullptr;
  Shape shape = Shape::kRequest;
};

class Scan {
 public:
  Scan(JsonIndex& index, DenialReason invalid) : index_(index), invalid_(invalid) {}

  absl::Status Run(std::string_view bytes, const ScanLimits& limits) {
    RETURN_IF_ERROR(JudgeJson(index_, bytes, limits, invalid_));
    if (!index_.root().is_object()) return Invalid("a batch, or not an object");
    if (HasProtocolTwin(index_))
      return Invalid("a member name differs from a protocol name only in case");
    return ReadEnvelope();
  }

  absl::Status Invalid(std::string_view what) const {
    return Refusal(invalid_, rpc_code::kInvalidRequest, what);
  }
  const Envelope& envelope() const { return envelope_; }
  const JsonNode* Param(std::string_view name) const {
    return index_.Member(envelope_.params, name);
  }
  std::string IdLiteral() const {
    return envelope_.id == nullptr ? std::string() : Literal(index_, *envelope_.id);
  }

  // params.<name> as a string, into `value`. False: it is something else, or missing.
  bool StringParam(std::string_view name, std::string& value) const {
    const JsonNode* node = Param(name);
    if (node == nullptr || !node->is_string()) return false;
    value.assign(node->text);
    return true;
  }

  // A progress token or a request id: a string or a number.
  absl::Status ReadToken(const JsonNode* node, std::string& literal, Span& place) const {
    if (node == nullptr) return absl::OkStatus();
    if (node->end - node->begin > kMaxIdBytes ||
        (!node->is_string() && node->type != JsonType::kNumber)) {
      return Invalid("a token is neither a string nor a number");
    }
    literal = Literal(index_, *node);
    place = SpanOf(node);
    return absl::OkStatus();
  }
  Span IdPlace() const { return SpanOf(envelope_.id); }
  int ErrorCode() const {
    const JsonNode* code = index_.Member(envelope_.error, "code");
    int value = 0;
    return code != nullptr && absl::SimpleAtoi(ToAbsl(index_.Raw(*code)), &value) ? value : 0;
  }

 private:
  absl::Status ReadEnvelope() {
    const JsonNode& root = index_.root();
    const JsonNode* version = nullptr;
    for (const JsonNode& member : index_.Children(root)) {
      if (member.key == "jsonrpc") version = &member;
      if (member.key == "id") envelope_.id = &member;
      if (member.key == "method") envelope_.method = &member;
      if (member.key == "params") envelope_.params = &member;
      if (member.key == "result") envelope_.result = &member;
      if (member.key == "error") envelope_.error = &member;
    }
    if (version == nullptr || version->text != "2.0") return Invalid("jsonrpc is not \"2.0\"");
    if (envelope_.id != nullptr && !IsId(index_, *envelope_.id)) {
      return Invalid("id is neither a string nor an integer");
    }
    if (envelope_.params != nullptr && !envelope_.params->is_object()) {
      return Invalid("params is not an object");
    }
    if (envelope_.method != nullptr) {
      if (!envelope_.method->is_string() || envelope_.method->text.empty()) {
        return Invalid("method is not a string");
      }
      if (envelope_.result != nullptr || envelope_.error != nullptr) {
        return Invalid("both a request and a response");
      }
      envelope_.shape = envelope_.id == nullptr ? Shape::kNotification : Shape::kRequest;
      return CheckMeta(envelope_.params);
    }
    if (envelope_.id == nullptr) return Invalid("neither a method nor an id");
    if (envelope_.params != nullptr) return Invalid("a response with params");
    if ((envelope_.result == nullptr) == (envelope_.error == nullptr)) {
      return Invalid("not exactly one of result and error");
    }
    envelope_.shape = Shape::kResponse;
    if (envelope_.result != nullptr) {
      return envelope_.result->is_object() ? CheckMeta(envelope_.result)
                                           : Invalid("result is not an object");
    }
    const JsonNode* code = index_.Member(envelope_.error, "code");
    const JsonNode* message = index_.Member(envelope_.error, "message");
    if (code == nullptr || code->type != JsonType::kNumber || !IsInteger(index_.Raw(*code)) ||
        message == nullptr || !message->is_string()) {
      return Invalid("error has no code or no message");
    }
    return absl::OkStatus();
  }

  absl::Status CheckMeta(const JsonNode* body) const {
    const JsonNode* meta = index_.Member(body, "_meta");
    return meta == nullptr || meta->is_object() ? absl::OkStatus()
                                                : Invalid("_meta is not an object");
  }

  JsonIndex& index_;
  DenialReason invalid_;
  Envelope envelope_;
};

// What policy needs of the methods that name a tool, a prompt or a resource.
absl::Status ReadTarget(const Scan& scan, const JsonIndex& index, ClientMessage& message) {
  const std::string& method = message.method;
  if (method == "tools/call" || method == "prompts/get") {
    if (!scan.StringParam("name", message.target) || message.target.empty()) {
      return scan.Invalid("params.name is missing");
    }
    if (message.target.size() > kMaxToolNameBytes) return scan.Invalid("params.name is too long");
    const JsonNode* arguments = scan.Param("arguments");
    if (arguments != nullptr && !arguments->is_object()) {
      return scan.Invalid("params.arguments is not an object");
    }
    message.arguments = SpanOf(arguments);
  } else if (method == "resources/read" ||
             (message.era == Era::kLegacy &&
              (method == "resources/subscribe" || method == "resources/unsubscribe"))) {
    if (!scan.StringParam("uri", message.target) || message.target.empty()) {
      return scan.Invalid("params.uri is missing");
    }
  } else if (method == "completion/complete") {
    const JsonNode* ref = scan.Param("ref");
    const JsonNode* type = index.Member(ref, "type");
    if (type == nullptr || !type->is_string()) return scan.Invalid("params.ref has no type");
    message.ref_is_resource = type->text == "ref/resource";
    if (!message.ref_is_resource && type->text != "ref/prompt") {
      return scan.Invalid("params.ref.type is unknown");
    }
    // A ref that names both could be read either way.
    const JsonNode* name = index.Member(ref, "name");
    const JsonNode* uri = index.Member(ref, "uri");
    if (name != nullptr && uri != nullptr) return scan.Invalid("params.ref names two things");
    const JsonNode* target = message.ref_is_resource ? uri : name;
    if (target == nullptr || !target->is_string() || target->text.empty()) {
      return scan.Invalid("params.ref names nothing");
    }
    message.target.assign(target->text);
  }
  return absl::OkStatus();
}

absl::Status ReadModernEnvelope(const Scan& scan, const JsonIndex& index, ClientMessage& message) {
  const JsonNode* meta = scan.Param("_meta");
  const JsonNode* version = index.Member(meta, kModernVersionKey);
  if (version == nullptr) return absl::OkStatus();
  if (!version->is_string() || version->text.empty()) {
    return scan.Invalid("the protocol version in _meta is not a string");
  }
  message.era = Era::kModern;
  message.modern.version.assign(version->text);
  if (const JsonNode* declared = index.Member(meta, kClientCapabilitiesKey);
      declared != nullptr && declared->is_object()) {
    message.modern.capabilities = SpanOf(declared);
  }
  message.modern.asks_for_logs = index.Member(meta, kLogLevelKey) != nullptr;
  if (const JsonNode* state = scan.Param("requestState"); state != nullptr) {
    if (!state->is_string()) return scan.Invalid("params.requestState is not a string");
    message.modern.request_state = SpanOf(state);
  }
  if (message.method == "subscriptions/listen") {
    const JsonNode* uris = index.Member(scan.Param("notifications"), "resourceSubscriptions");
    if (uris != nullptr && !uris->is_array()) {
      return scan.Invalid("params.notifications.resourceSubscriptions is not an array");
    }
    message.modern.resource_subscriptions = SpanOf(uris);
  }
  return absl::OkStatus();
}

absl::Status ReadClientParams(const Scan& scan, const JsonIndex& index, ClientMessage& message) {
  RETURN_IF_ERROR(ReadModernEnvelope(scan, index, message));
  RETURN_IF_ERROR(ReadTarget(scan, index, message));
  message.params = SpanOf(scan.envelope().params);
  message.asks_for_task = scan.Param("task") != nullptr;
  RETURN_IF_ERROR(scan.ReadToken(index.Member(scan.Param("_meta"), "progressToken"),
                                 message.progress_token, message.token_at));
  Span place;
  if (message.method == "initialize" && message.era == Era::kLegacy) {
    if (!scan.StringParam("protocolVersion", message.protocol_version)) {
      return scan.Invalid("params.protocolVersion is missing");
    }
    const JsonNode* capabilities = scan.Param("capabilities");
    if (capabilities == nullptr || !capabilities->is_object()) {
      return scan.Invalid("params.capabilities is missing");
    }
    message.capabilities = SpanOf(capabilities);
  } else if (message.method == "notifications/cancelled") {
    RETURN_IF_ERROR(scan.ReadToken(scan.Param("requestId"), message.cancelled_id, place));
    if (message.cancelled_id.empty()) return scan.Invalid("params.requestId is missing");
  } else if (message.method == "notifications/progress") {
    RETURN_IF_ERROR(
        scan.ReadToken(scan.Param("progressToken"), message.progress_token, message.token_at));
    if (message.progress_token.empty()) return scan.Invalid("params.progressToken is missing");
  } else if (message.method.starts_with("tasks/") && scan.Param("taskId") != nullptr) {
    if (!scan.StringParam("taskId", message.task_id) || message.task_id.empty()) {
      return scan.Invalid("params.taskId is not a string");
    }
  }
  return absl::OkStatus();
}

// Work memory of the thread, kept between messages. Nothing of a message is read from it once its
// scan has returned, unless by who shows the same text again.
JsonIndex& ThreadIndex() {
  thread_local JsonIndex index;
  return index;
}

}  // namespace

absl::Status JudgeJson(JsonIndex& index, std::string_view bytes, const ScanLimits& limits,
                       DenialReason invalid) {
  JsonLimits json;
  json.max_bytes = limits.max_bytes;
  json.max_depth = limits.max_depth;
  json.max_keys_per_object = limits.max_keys_per_object;
  json.max_nodes = limits.max_nodes;
  json.max_number_chars = limits.max_number_chars;
  const JsonError error = index.ParseCopy(bytes, json);
  switch (error) {
    case JsonError::kNone:
      return absl::OkStatus();
    case JsonError::kTooLarge:
      return Refusal(DenialReason::DENIAL_REASON_MESSAGE_TOO_LARGE, rpc_code::kInvalidRequest,
                     JsonErrorText(error));
    case JsonError::kSyntax:
    case JsonError::kNotUtf8:
    case JsonError::kBadString:
      return Refusal(invalid, rpc_code::kParseError, JsonErrorText(error));
    default:
      return Refusal(invalid, rpc_code::kInvalidRequest, JsonErrorText(error));
  }
}

absl::StatusOr<ClientMessage> ScanClientMessage(std::string bytes, const ScanLimits& limits) {
  JsonIndex& index = ThreadIndex();
  ClientMessage message;
  message.bytes = std::move(bytes);
  Scan scan(index, DenialReason::DENIAL_REASON_MESSAGE_INVALID);
  RETURN_IF_ERROR(scan.Run(message.bytes, limits));
  const Envelope& envelope = scan.envelope();
  message.shape = envelope.shape;
  message.id = scan.IdLiteral();
  message.id_at = scan.IdPlace();
  if (envelope.method != nullptr) {
    message.method.assign(envelope.method->text);
    RETURN_IF_ERROR(ReadClientParams(scan, index, message));
  }
  return message;
}

absl::StatusOr<UpstreamMessage> ScanUpstreamMessage(std::string bytes, const ScanLimits& limits) {
  JsonIndex& index = ThreadIndex();
  UpstreamMessage message;
  message.bytes = std::move(bytes);
  Scan scan(index, DenialReason::DENIAL_REASON_UPSTREAM_INVALID);
  RETURN_IF_ERROR(scan.Run(message.bytes, limits));
  const Envelope& envelope = scan.envelope();
  message.shape = envelope.shape;
  message.id = scan.IdLiteral();
  message.id_at = scan.IdPlace();
  message.is_error = envelope.error != nullptr;
  message.error_code = scan.ErrorCode();
  const JsonNode* body = envelope.result != nullptr  ? envelope.result
                         : envelope.error != nullptr ? envelope.error
                                                     : envelope.params;
  message.body = SpanOf(body);
  RETURN_IF_ERROR(scan.ReadToken(index.Member(index.Member(body, "_meta"), kSubscriptionIdKey),
                                 message.subscription_id, message.subscription_at));
  if (envelope.method != nullptr) {
    message.method.assign(envelope.method->text);
    if (message.method == "notifications/progress") {
      RETURN_IF_ERROR(
          scan.ReadToken(scan.Param("progressToken"), message.progress_token, message.token_at));
      if (message.progress_token.empty()) return scan.Invalid("params.progressToken is missing");
    } else if (message.method == "notifications/cancelled") {
      RETURN_IF_ERROR(
          scan.ReadToken(scan.Param("requestId"), message.cancelled_id, message.cancelled_at));
      if (message.cancelled_id.empty()) return scan.Invalid("params.requestId is missing");
    } else if (message.method == "notifications/resources/updated") {
      if (!scan.StringParam("uri", message.target)) return scan.Invalid("params.uri is missing");
    } else if (message.method == "notifications/tasks/status" ||
               message.method == "notifications/tasks") {
      if (!scan.StringParam("taskId", message.target)) {
        return scan.Invalid("params.taskId is missing");
      }
    }
  }
  return message;
}

const JsonIndex* ScannedIndex(std::string_view json) {
  const JsonIndex& index = ThreadIndex();
  return index.IsOf(json) ? &index : nullptr;
}

int JsonRpcCodeOf(const absl::Status& status) {
  const auto code = status.GetPayload(kCodePayload);
  return code.has_value() && *code == absl::StrCat(rpc_code::kParseError)
             ? rpc_code::kParseError
             : rpc_code::kInvalidRequest;
}

}  // namespace sallyport::agent
