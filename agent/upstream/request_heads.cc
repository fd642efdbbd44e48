#include "agent/upstream/request_heads.h"

#include <openssl/crypto.h>

#include "absl/strings/str_cat.h"
#include "agent/mcp/modern_headers.h"
#include "agent/upstream/upstream_error.h"
#include "common/denial.h"
#include "common/status_macros.h"

namespace sallyport::agent {
namespace {

void AddPostFields(HeadWriter& writer) {
  writer.Field("Accept", "application/json, text/event-stream")
      .Field("Content-Type", "application/json");
}

// Whether fields that repeat what a message says can be written.
absl::Status CheckLengths(const std::vector<std::pair<std::string, std::string>>& fields) {
  for (const auto& [name, value] : fields) {
    if (value.size() <= kMaxFieldValueBytes) continue;
    return Denied(
        types::v1::DENIAL_REASON_MESSAGE_TOO_LARGE,
        absl::StrCat("message_too_large: the header ", name,
                     ", by which the server wants to be told what the call says, would have ",
                     value.size(), " bytes and may have ", kMaxFieldValueBytes,
                     "; the call was not sent"));
  }
  return absl::OkStatus();
}

// The head that was written, if it lacks nothing.
absl::StatusOr<std::string> Whole(const HeadWriter& writer, std::string head) {
  if (writer.ok()) return head;
  OPENSSL_cleanse(head.data(), head.size());
  return UpstreamLost("a header of the request cannot be written");
}

}  // namespace

RequestHeads::RequestHeads(ServerUrl url, std::vector<std::pair<std::string, std::string>> headers)
    : url_(std::move(url)), headers_(std::move(headers)) {}

RequestHeads::~RequestHeads() {
  for (auto& [name, value] : headers_) OPENSSL_cleanse(value.data(), value.size());
  OPENSSL_cleanse(post_head_.data(), post_head_.size());
}

void RequestHeads::SetSession(std::string id, std::string version) {
  session_id_ = std::move(id);
  version_ = std::move(version);
  OPENSSL_cleanse(post_head_.data(), post_head_.size());
  post_head_.clear();
}

absl::StatusOr<std::string> RequestHeads::Get(std::string_view last_event_id) const {
  std::string head;
  HeadWriter writer = Begin(head, "GET", url_.target);
  writer.Field("Accept", "text/event-stream");
  if (!last_event_id.empty()) writer.Field("Last-Event-ID", last_event_id);
  writer.End();
  return Whole(writer, std::move(head));
}

absl::StatusOr<std::string> RequestHeads::Delete() const {
  std::string head;
  HeadWriter writer = Begin(head, "DELETE", url_.target);
  writer.End();
  return Whole(writer, std::move(head));
}

absl::StatusOr<std::string> RequestHeads::Post(std::size_t body_bytes) {
  if (post_head_.empty()) {
    std::string begun;
    HeadWriter writer = Begin(begun, "POST", url_.target);
    AddPostFields(writer);
    ASSIGN_OR_RETURN(post_head_, Whole(writer, std::move(begun)));
  }
  constexpr std::size_t kLengthField = 40;
  std::string head;
  head.reserve(post_head_.size() + kLengthField);
  head.append(post_head_);
  HeadWriter::Rest(head).ContentLength(body_bytes).End();
  return head;
}

absl::StatusOr<std::string> RequestHeads::PostModern(const ClientMessage& message) const {
  const auto standard = ModernHeaderFields(message);
  RETURN_IF_ERROR(CheckLengths(standard));
  RETURN_IF_ERROR(CheckLengths(message.modern.param_fields));
  std::string head;
  HeadWriter writer = Begin(head, "POST", url_.target);
  AddPostFields(writer);
  for (const auto& [name, value] : standard) writer.Field(name, value);
  for (const auto& [name, value] : message.modern.param_fields) writer.Field(name, value);
  writer.ContentLength(message.bytes.size()).End();
  return Whole(writer, std::move(head));
}

absl::StatusOr<std::string> RequestHeads::PostTo(std::string_view target,
                                                 std::size_t body_bytes) const {
  std::string head;
  HeadWriter writer = Begin(head, "POST", target);
  AddPostFields(writer);
  writer.ContentLength(body_bytes).End();
  return Whole(writer, std::move(head));
}

HeadWriter RequestHeads::Begin(std::string& head, std::string_view method,
                               std::string_view target) const {
  HeadWriter writer = HeadWriter::Request(head, method, target, url_.authority);
  writer.Field("User-Agent", "sallyport").Field("Accept-Encoding", "identity");
  if (!session_id_.empty()) writer.Field("Mcp-Session-Id", session_id_);
  if (!version_.empty()) writer.Field("MCP-Protocol-Version", version_);
  for (const auto& [name, value] : headers_) writer.Field(name, value);
  return writer;
}

}  // namespace sallyport::agent
