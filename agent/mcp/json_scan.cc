#include "agent/mcp/json_scan.h"

#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "agent/mcp/client_params.h"
#include "agent/mcp/json_index.h"
#include "agent/mcp/json_rpc.h"
#include "agent/mcp/message_scan.h"
#include "common/denial.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

using types::v1::DenialReason;

constexpr absl::string_view kCodePayload = "sallyport/json-rpc-code";
constexpr absl::string_view kIdPayload = "sallyport/json-rpc-id";

// Work memory of the thread, kept between messages. Nothing of a message is read from it once its
// scan has returned, unless by who shows the same text again.
JsonIndex& ThreadIndex() {
  thread_local JsonIndex index;
  return index;
}

JsonLimits LimitsOf(const ScanLimits& limits) {
  JsonLimits json;
  json.max_bytes = limits.max_bytes;
  json.max_depth = limits.max_depth;
  json.max_keys_per_object = limits.max_keys_per_object;
  json.max_nodes = limits.max_nodes;
  json.max_number_chars = limits.max_number_chars;
  return json;
}

absl::Status ReadClientMessage(ClientMessage& message, const ScanLimits& limits) {
  JsonIndex& index = ThreadIndex();
  RETURN_IF_ERROR(
      JudgeJson(index, message.bytes, limits, DenialReason::DENIAL_REASON_MESSAGE_INVALID));
  MessageScan scan(index, MessageScan::Speaker::kClient);
  RETURN_IF_ERROR(scan.Run());
  message.shape = scan.shape();
  message.id = scan.IdLiteral();
  message.id_at = MessageScan::SpanOf(scan.root["id"]);
  if (message.shape == Shape::kResponse) return absl::OkStatus();
  message.method.assign(scan.root["method"]->text);
  return ReadClientParams(scan, message);
}

constexpr std::string_view kBlanks = " \t\r\n";

// Where the string ends that begins at `quote`, as far as it is JSON; npos: it does not.
std::size_t QuoteEnd(std::string_view text, std::size_t quote) {
  for (std::size_t at = quote + 1; at < text.size(); ++at) {
    if (text[at] == '"') return at;
    if (text[at] == '\\') ++at;
  }
  return std::string_view::npos;
}

bool IsNameBefore(std::string_view text, std::size_t at) {
  at = text.find_first_not_of(kBlanks, at);
  return at != std::string_view::npos && text[at] == ':';
}

// A member that makes a message more than a notification, whichever case a reader takes.
bool CouldAnswer(std::string_view name) {
  return absl::EqualsIgnoreCase(ToAbsl(name), "id") ||
         absl::EqualsIgnoreCase(ToAbsl(name), "result") ||
         absl::EqualsIgnoreCase(ToAbsl(name), "error");
}

// What the notifications of a server name.
absl::Status ReadServerParams(const MessageScan& scan, UpstreamMessage& message) {
  if (message.method == "notifications/progress") {
    RETURN_IF_ERROR(
        scan.ReadToken(scan.params["progressToken"], message.progress_token, message.token_at));
    if (message.progress_token.empty()) return scan.Invalid("params.progressToken is missing");
  } else if (message.method == "notifications/cancelled") {
    RETURN_IF_ERROR(
        scan.ReadToken(scan.params["requestId"], message.cancelled_id, message.cancelled_at));
  } else if (message.method == "notifications/resources/updated") {
    if (!scan.ReadString(scan.params["uri"], message.target)) {
      return scan.Invalid("params.uri is missing");
    }
  } else if (message.method == "notifications/tasks/status" ||
             message.method == "notifications/tasks") {
    if (!scan.ReadString(scan.params["taskId"], message.target)) {
      return scan.Invalid("params.taskId is missing");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ScanRefusal(DenialReason reason, int code, std::string_view what,
                         std::string_view id) {
  absl::Status status = Denied(reason, what);
  status.SetPayload(kCodePayload, absl::Cord(absl::StrCat(code)));
  if (!id.empty()) status.SetPayload(kIdPayload, absl::Cord(ToAbsl(id)));
  return status;
}

absl::Status JudgeJson(JsonIndex& index, std::string_view bytes, const ScanLimits& limits,
                       DenialReason invalid) {
  const JsonError error = index.ParseCopy(bytes, LimitsOf(limits));
  switch (error) {
    case JsonError::kNone:
      return absl::OkStatus();
    case JsonError::kTooLarge:
      return ScanRefusal(DenialReason::DENIAL_REASON_MESSAGE_TOO_LARGE, rpc_code::kInvalidRequest,
                         JsonErrorText(error));
    case JsonError::kSyntax:
    case JsonError::kNotUtf8:
    case JsonError::kBadString:
      return ScanRefusal(invalid, rpc_code::kParseError, JsonErrorText(error));
    default:
      return ScanRefusal(invalid, rpc_code::kInvalidRequest, JsonErrorText(error));
  }
}

absl::StatusOr<ClientMessage> ScanClientMessage(std::string bytes, const ScanLimits& limits) {
  absl::StatusOr<ClientMessage> message(absl::in_place);
  message->bytes = std::move(bytes);
  if (absl::Status read = ReadClientMessage(*message, limits); !read.ok())
    message = std::move(read);
  return message;
}

absl::Status ReadUpstreamMessage(UpstreamMessage& message, const ScanLimits& limits) {
  JsonIndex& index = ThreadIndex();
  RETURN_IF_ERROR(
      JudgeJson(index, message.bytes, limits, DenialReason::DENIAL_REASON_UPSTREAM_INVALID));
  MessageScan scan(index, MessageScan::Speaker::kServer);
  RETURN_IF_ERROR(scan.Run());
  message.shape = scan.shape();
  message.id = scan.IdLiteral();
  message.id_at = MessageScan::SpanOf(scan.root["id"]);
  message.is_error = scan.root["error"] != nullptr;
  message.error_code = scan.ErrorCode();
  const JsonNode* const error = scan.root["error"];
  const JsonNode* const result = scan.root["result"];
  message.body = MessageScan::SpanOf(result != nullptr  ? result
                                     : error != nullptr ? error
                                                        : scan.root["params"]);
  const JsonNode* const subscription =
      result != nullptr  ? scan.result_meta[kSubscriptionIdKey]
      : error != nullptr ? index.Member(index.Member(error, "_meta"), kSubscriptionIdKey)
                         : scan.meta[kSubscriptionIdKey];
  RETURN_IF_ERROR(scan.ReadToken(subscription, message.subscription_id, message.subscription_at));
  if (message.shape == Shape::kResponse) return absl::OkStatus();
  message.method.assign(scan.root["method"]->text);
  return ReadServerParams(scan, message);
}

absl::StatusOr<UpstreamMessage> ScanUpstreamMessage(std::string bytes, const ScanLimits& limits) {
  absl::StatusOr<UpstreamMessage> message(absl::in_place);
  message->bytes = std::move(bytes);
  if (absl::Status read = ReadUpstreamMessage(*message, limits); !read.ok()) {
    message = std::move(read);
  }
  return message;
}

absl::StatusOr<UpstreamMessage> ScanAgain(std::string bytes, const UpstreamMessage& original) {
  const ScanLimits limits{.max_bytes = bytes.size()};
  auto scanned = ScanUpstreamMessage(std::move(bytes), limits);
  if (scanned.ok()) scanned->room = original.room;
  return scanned;
}

bool ClaimsToBeMessage(std::string_view text, const ScanLimits& limits) {
  if (text.find("\"jsonrpc\"") == std::string_view::npos) return false;
  JsonIndex index;
  JsonLimits json = LimitsOf(limits);
  json.allow_repeated_names = true;
  if (index.Parse(text, json) != JsonError::kNone) return true;
  const auto claims = [&](const JsonNode& one) { return index.Member(&one, "jsonrpc") != nullptr; };
  if (index.root().is_object()) return claims(index.root());
  const auto elements = index.Children(index.root());
  for (const JsonNode& element : elements) {
    if (claims(element)) return true;
  }
  return false;
}

bool IsUnreadNotification(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos || text[begin] != '{') return false;
  bool has_method = false;
  std::size_t depth = 1;
  for (std::size_t at = begin + 1; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && --depth == 0) {
      return has_method && text.find_first_not_of(kBlanks, at + 1) == std::string_view::npos;
    }
    if (c != '"') continue;
    const std::size_t end = QuoteEnd(text, at);
    if (end == std::string_view::npos) return false;
    const std::string_view name = text.substr(at + 1, end - at - 1);
    at = end;
    if (depth != 1 || !IsNameBefore(text, end + 1)) continue;
    if (name == "method") {
      has_method = true;
    } else if (name.find('\\') != std::string_view::npos || CouldAnswer(name)) {
      return false;
    }
  }
  return false;
}

const JsonIndex* ScannedIndex(std::string_view json) {
  const JsonIndex& index = ThreadIndex();
  return index.IsOf(json) ? &index : nullptr;
}

int JsonRpcCodeOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kCodePayload);
  int code = 0;
  return payload && absl::SimpleAtoi(std::string(*payload), &code) ? code
                                                                   : rpc_code::kInvalidRequest;
}

std::string JsonRpcIdOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kIdPayload);
  return payload ? std::string(*payload) : std::string();
}

}  // namespace sallyport::agent
