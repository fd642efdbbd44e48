#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// The messages of one call, in the states they pass through. Each state is a type, and only the
// room that brings a message into a state can make that type: its constructor asks for a pass that
// only that room's .cc file defines. So a message that reaches a client has been masked and
// recorded, or the program does not compile.
//
//   client -> server:  ClientMessage --recorder--> OutboundMessage --upstream-->
//   server -> client:  UpstreamMessage --masker--> MaskedMessage --recorder--> RecordedMessage
//   --connection-->
namespace sallyport::agent {

// A half-open range of bytes in the message it belongs to.
struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::size_t size() const { return end - begin; }
  bool empty() const { return begin == end; }
};

// Legacy: 2024-11-05 to 2025-11-25, with initialize and sessions. Modern: 2026-07-28 and later,
// where each request stands alone and says in _meta what it is.
enum class Era : std::uint8_t { kLegacy, kModern };

enum class Shape : std::uint8_t {
  kRequest,       // has id and method
  kNotification,  // has a method, no id
  kResponse,      // has id and exactly one of result and error
};

// What a message of the modern era says of itself. All of it empty in a message of the legacy era.
struct ModernEnvelope {
  // Decoded params._meta["io.modelcontextprotocol/protocolVersion"].
  std::string version;
  // The object params._meta["io.modelcontextprotocol/clientCapabilities"].
  Span capabilities;
  // params._meta["io.modelcontextprotocol/logLevel"] is there.
  bool asks_for_logs = false;
  // The string params.requestState, with its quotes.
  Span request_state;
  // subscriptions/listen: the array params.notifications.resourceSubscriptions.
  Span resource_subscriptions;
  // tools/call: the fields that repeat arguments of it to a server over HTTP, once its tool is
  // known.
  std::vector<std::pair<std::string, std::string>> param_fields;
};

// One JSON-RPC 2.0 message from a client, judged by json_scan: one JSON object in UTF-8 and within
// the limits, no member name twice in any object, no case twin of a protocol member. `bytes` are
// exactly what the client sent.
struct ClientMessage {
  std::string bytes;
  Shape shape = Shape::kRequest;
  // The literal: `7`, `"7"`. Empty for a notification.
  std::string id;
  // Decoded; empty for a response.
  std::string method;
  // Decoded params.name (tools/call, prompts/get), params.uri (resources/*), params.ref.name or
  // .uri (completion/complete).
  std::string target;
  // completion/complete: the ref is a resource, not a prompt.
  bool ref_is_resource = false;
  // The value of params and of params.arguments, where there are any.
  Span params;
  Span arguments;
  // The literal of params._meta.progressToken. Empty: none.
  std::string progress_token;
  // initialize: decoded params.protocolVersion.
  std::string protocol_version;
  // initialize: the value of params.capabilities.
  Span capabilities;
  // notifications/cancelled: the literal of params.requestId.
  std::string cancelled_id;
  // params.task is there (tasks of 2025-11-25).
  bool asks_for_task = false;
  // tasks/*: decoded params.taskId. Empty: none.
  std::string task_id;
  // Where the literals of id and progress_token stand.
  Span id_at;
  Span token_at;
  Era era = Era::kLegacy;
  ModernEnvelope modern;
};

// One JSON-RPC 2.0 message from a server, judged the same way.
struct UpstreamMessage {
  std::string bytes;
  Shape shape = Shape::kResponse;
  // The literal. Empty for a notification. `null` ids are refused by the scan.
  std::string id;
  // Decoded; empty for a response.
  std::string method;
  // The value of result, error or params.
  Span body;
  bool is_error = false;
  // error.code; 0 where it is none, or too large to mean anything.
  int error_code = 0;
  // notifications/progress: the literal of params.progressToken.
  std::string progress_token;
  // notifications/cancelled: the literal of params.requestId.
  std::string cancelled_id;
  // The literal of _meta["io.modelcontextprotocol/subscriptionId"] in params or result. Empty:
  // none.
  std::string subscription_id;
  // Where the literals of id, progress_token, cancelled_id and subscription_id stand.
  Span id_at;
  Span token_at;
  Span cancelled_at;
  Span subscription_at;
  // notifications/resources/updated: decoded params.uri; notifications/tasks and
  // notifications/tasks/status: params.taskId.
  std::string target;
};

// One masked thing, never its value.
struct Finding {
  std::string detector;
  std::string pointer;  // RFC 6901, in the message
  std::uint32_t count = 1;
};

struct MaskPass;    // defined in agent/mask/json_masker.cc alone
struct RecordPass;  // defined in agent/record/recorder.cc alone

// A server's message, or one of our own, with nothing left in it that the session's masks look for,
// nor its credentials.
class MaskedMessage {
 public:
  MaskedMessage(const MaskPass&, UpstreamMessage message, std::vector<Finding> findings,
                std::size_t original_bytes)
      : message_(std::move(message)),
        findings_(std::move(findings)),
        original_bytes_(original_bytes) {}

  const UpstreamMessage& message() const { return message_; }
  std::string_view bytes() const { return message_.bytes; }
  const std::vector<Finding>& findings() const { return findings_; }
  std::size_t original_bytes() const { return original_bytes_; }
  // For the recorder, which makes a RecordedMessage of it.
  UpstreamMessage TakeMessage() && { return std::move(message_); }

 private:
  UpstreamMessage message_;
  std::vector<Finding> findings_;
  std::size_t original_bytes_;
};

// A message for the client whose record is durable.
class RecordedMessage {
 public:
  RecordedMessage(const RecordPass&, std::string bytes) : bytes_(std::move(bytes)) {}

  std::string_view bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// A client's message for the server whose record is durable: the original bytes, which may go out
// once.
class OutboundMessage {
 public:
  OutboundMessage(const RecordPass&, std::shared_ptr<const ClientMessage> message,
                  std::uint64_t record_n)
      : message_(std::move(message)), record_n_(record_n) {}

  const ClientMessage& message() const { return *message_; }
  std::string_view bytes() const { return message_->bytes; }
  // The n of its record.
  std::uint64_t record_n() const { return record_n_; }

 private:
  std::shared_ptr<const ClientMessage> message_;
  std::uint64_t record_n_;
};

}  // namespace sallyport::agent
