#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/mcp/json_index.h"
#include "agent/mcp/message.h"
#include "agent/mcp/protocol_names.h"
#include "common/status_macros.h"
#include "sallyport/types/v1/denial.pb.h"

// What a message's protocol members say, read once. For the scans of json_scan.h.
namespace sallyport::agent {

inline constexpr std::string_view kModernVersionKey = "io.modelcontextprotocol/protocolVersion";
inline constexpr std::string_view kClientCapabilitiesKey =
    "io.modelcontextprotocol/clientCapabilities";
inline constexpr std::string_view kClientInfoKey = "io.modelcontextprotocol/clientInfo";
inline constexpr std::string_view kLogLevelKey = "io.modelcontextprotocol/logLevel";
inline constexpr std::string_view kSubscriptionIdKey = "io.modelcontextprotocol/subscriptionId";

inline constexpr std::string_view kRootNameList[] = {"jsonrpc", "id",     "method",
                                                     "params",  "result", "error"};
inline constexpr std::string_view kParamsNameList[] = {"name",
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
inline constexpr std::string_view kMetaNameList[] = {
    "progressToken", kModernVersionKey, kClientCapabilitiesKey, kLogLevelKey, kSubscriptionIdKey};
inline constexpr std::string_view kNotificationsNameList[] = {"resourceSubscriptions", "taskIds"};
inline constexpr std::string_view kRefNameList[] = {"type", "name", "uri"};
inline constexpr std::string_view kResultNameList[] = {"content",       "structuredContent",
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
inline constexpr std::string_view kResultMetaNameList[] = {kSubscriptionIdKey};
inline constexpr std::string_view kErrorNameList[] = {"code", "message", "data"};

inline constexpr ProtocolNames kRootNames(kRootNameList);
inline constexpr ProtocolNames kParamsNames(kParamsNameList);
inline constexpr ProtocolNames kMetaNames(kMetaNameList);
inline constexpr ProtocolNames kNotificationsNames(kNotificationsNameList);
inline constexpr ProtocolNames kRefNames(kRefNameList);
inline constexpr ProtocolNames kResultNames(kResultNameList);
inline constexpr ProtocolNames kResultMetaNames(kResultMetaNameList);
inline constexpr ProtocolNames kErrorNames(kErrorNameList);

class MessageScan {
 public:
  enum class Speaker : std::uint8_t { kClient, kServer };

  // `index` is of the message. A refusal carries message_invalid or, of a server's message,
  // upstream_invalid. A server alone may send an error that answers nobody.
  MessageScan(const JsonIndex& index, Speaker speaker) : index_(index), speaker_(speaker) {}

  // Whether it is one JSON-RPC message, with no case twin of a name where the protocol gives that
  // name a meaning: a reader that ignores case would find a second method, name, uri, ...
  absl::Status Run();

  // No message.
  absl::Status Invalid(std::string_view what) const;
  // A message whose params are not what its method takes.
  absl::Status InvalidParams(std::string_view what) const;
  const JsonIndex& index() const { return index_; }
  Shape shape() const { return shape_; }
  std::string IdLiteral() const;
  // error.code; 0 where it is none, or too large to mean anything.
  int ErrorCode() const;
  // A progress token or a request id: a string or a number. Nothing where `node` is null.
  template <class Text>
  absl::Status ReadToken(const JsonNode* node, Text& literal, Span& place) const {
    if (node == nullptr) return absl::OkStatus();
    ASSIGN_OR_RETURN(literal, TokenOf(*node));
    place = SpanOf(node);
    return absl::OkStatus();
  }
  // `node` as a string, into `value`. False: it is something else, or null.
  template <class Text>
  static bool ReadString(const JsonNode* node, Text& value) {
    if (node == nullptr || !node->is_string()) return false;
    value = std::string(node->text);
    return true;
  }

  static Span SpanOf(const JsonNode* node) {
    return node == nullptr ? Span{} : Span{node->begin, node->end};
  }

  ProtocolObject<kRootNames> root;
  ProtocolObject<kParamsNames> params;
  ProtocolObject<kMetaNames> meta;                    // of params
  ProtocolObject<kNotificationsNames> notifications;  // of params
  ProtocolObject<kRefNames> ref;                      // of params
  ProtocolObject<kResultNames> result;
  ProtocolObject<kResultMetaNames> result_meta;
  ProtocolObject<kErrorNames> error;

 private:
  bool ReadObjects();
  bool AnswersNobody() const;
  absl::StatusOr<std::string> TokenOf(const JsonNode& node) const;
  absl::Status JudgeRequest();
  absl::Status JudgeResponse();

  const JsonIndex& index_;
  Speaker speaker_;
  Shape shape_ = Shape::kRequest;
};

// A refusal with a reason and a JSON-RPC code, see JsonRpcCodeOf; `id` is the literal of the request
// that it refuses, where one could be read, see JsonRpcIdOf.
absl::Status ScanRefusal(types::v1::DenialReason reason, int code, std::string_view what,
                         std::string_view id = {});

}  // namespace sallyport::agent
