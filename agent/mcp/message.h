#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/mcp/rare_text.h"

// The messages of one call, in the states they pass through. Each state is a type, and only the
// room that brings a message into a state can make that type: its constructor asks for a pass that
// only that room's .cc file defines. So a message that reaches a client has been masked and
// recorded, or the program does not compile; and nothing of a message gets into a record but what
// the masker has looked through.
//
//   client -> server:  ClientMessage --masker--> MaskedRequest --recorder--> OutboundMessage
//   --upstream-->
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
  // As the client wrote it, where policy has taken something away. Empty: it stands there.
  RareText declared_capabilities;
  // They name the extension io.modelcontextprotocol/tasks: the client takes a task in place of the
  // result of a tool.
  bool takes_tasks = false;
  // params._meta["io.modelcontextprotocol/logLevel"] is there.
  bool asks_for_logs = false;
  // The string params.requestState, with its quotes.
  Span request_state;
  // The object params.inputResponses.
  Span input_responses;
  // subscriptions/listen: the array params.notifications.resourceSubscriptions.
  Span resource_subscriptions;
  // subscriptions/listen: the array params.notifications.taskIds.
  Span listened_tasks;
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
  RareText protocol_version;
  // initialize: the value of params.capabilities.
  Span capabilities;
  // notifications/cancelled: the literal of params.requestId.
  RareText cancelled_id;
  // params.task is there (tasks of 2025-11-25).
  bool asks_for_task = false;
  // tasks/*: decoded params.taskId. Empty: none.
  RareText task_id;
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
  // The literal. Empty for a notification, and for an error that answers nobody: its id is null or
  // missing. Otherwise `null` ids are refused by the scan.
  std::string id;
  // Decoded; empty for a response.
  std::string method;
  // The value of result, error or params.
  Span body;
  bool is_error = false;
  // error.code; 0 where it is none, or too large to mean anything.
  int error_code = 0;
  // notifications/progress: the literal of params.progressToken.
  RareText progress_token;
  // notifications/cancelled: the literal of params.requestId.
  RareText cancelled_id;
  // The literal of _meta["io.modelcontextprotocol/subscriptionId"] in params or result. Empty:
  // none.
  RareText subscription_id;
  // Where the literals of id, progress_token, cancelled_id and subscription_id stand.
  Span id_at;
  Span token_at;
  Span cancelled_at;
  Span subscription_at;
  // notifications/resources/updated: decoded params.uri; notifications/tasks and
  // notifications/tasks/status: params.taskId.
  RareText target;
  // Not empty: it belongs to nothing that anybody has asked for, as these words of ours say. Its
  // bytes are gone, and nobody may have it.
  std::string_view stray;
  // Where it is long: what it holds of the room for long messages, for as long as it or what is
  // made of it is there. Not to go elsewhere than on the loop's thread.
  std::shared_ptr<const void> room;

  // A server's complaint about a message that it could not read: no request is answered by it.
  bool answers_nobody() const { return shape == Shape::kResponse && id.empty(); }
};

// One masked thing, never its value.
struct Finding {
  std::string detector;
  std::string pointer;  // RFC 6901, in the message
  std::uint32_t count = 1;
};

struct MaskPass;    // defined in agent/mask/json_masker.cc alone
struct RecordPass;  // defined in agent/record/recorder.cc alone

// A text that a record, a log line or a person may see: words of our own, or what the masker has
// looked through.
class ShownText {
 public:
  ShownText() = default;
  ShownText(const MaskPass&, std::string text) : text_(std::move(text)) {}

  std::string_view view() const { return text_.empty() ? words_ : std::string_view(text_); }

 private:
  friend ShownText operator""_words(const char* words, std::size_t size);
  std::string_view words_;
  std::string text_;
};

// Our own words: literals alone.
inline ShownText operator""_words(const char* words, std::size_t size) {
  ShownText text;
  text.words_ = std::string_view(words, size);
  return text;
}

// A client's message as records name it: with nothing of what its session's masks look for. Where
// nothing was found, it is the message's own, and costs nothing.
class ShownRequest {
 public:
  struct Masked {
    std::string method;
    std::string target;
    std::string id;
    std::string bytes;
    std::vector<Finding> findings;
  };
  ShownRequest(const MaskPass&, std::shared_ptr<const ClientMessage> message)
      : message_(std::move(message)) {}
  ShownRequest(const MaskPass&, std::shared_ptr<const ClientMessage> message, Masked masked)
      : message_(std::move(message)), masked_(std::make_shared<const Masked>(std::move(masked))) {}

  std::string_view method() const { return masked_ ? masked_->method : message_->method; }
  std::string_view target() const { return masked_ ? masked_->target : message_->target; }
  std::string_view rpc_id() const { return masked_ ? masked_->id : message_->id; }
  // The response carries an id that its record must not.
  bool hides_id() const { return masked_ && masked_->id != message_->id; }

 protected:
  const std::shared_ptr<const ClientMessage>& original() const { return message_; }
  const Masked* masked() const { return masked_.get(); }

 private:
  std::shared_ptr<const ClientMessage> message_;
  std::shared_ptr<const Masked> masked_;  // null: nothing was found
};

// A client's message and what its record shows of it.
class MaskedRequest : public ShownRequest {
 public:
  using ShownRequest::ShownRequest;

  const ClientMessage& message() const { return *original(); }
  std::string_view bytes() const { return masked() ? masked()->bytes : original()->bytes; }
  std::span<const Finding> findings() const {
    return masked() ? std::span<const Finding>(masked()->findings) : std::span<const Finding>();
  }
};

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
  void set_room(std::shared_ptr<const void> room) { message_.room = std::move(room); }

 private:
  UpstreamMessage message_;
  std::vector<Finding> findings_;
  std::size_t original_bytes_;
};

// A message for the client whose record is durable.
class RecordedMessage {
 public:
  RecordedMessage(const RecordPass&, UpstreamMessage message)
      : bytes_(std::move(message.bytes)), room_(std::move(message.room)) {}

  std::string_view bytes() const { return bytes_; }
  // For whoever keeps a copy of its bytes for longer than it is there.
  const std::shared_ptr<const void>& room() const { return room_; }

 private:
  std::string bytes_;
  std::shared_ptr<const void> room_;
};

// A client's message for the server whose record is durable: the original bytes, which may go out
// once.
class OutboundMessage {
 public:
  OutboundMessage(const RecordPass&, MaskedRequest request, std::uint64_t record_n)
      : request_(std::move(request)), record_n_(record_n) {}

  const ClientMessage& message() const { return request_.message(); }
  std::string_view bytes() const { return message().bytes; }
  // As later records name it.
  const ShownRequest& shown() const { return request_; }
  // The n of its record.
  std::uint64_t record_n() const { return record_n_; }

 private:
  MaskedRequest request_;
  std::uint64_t record_n_;
};

}  // namespace sallyport::agent
