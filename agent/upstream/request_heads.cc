#include "agent/upstream/request_heads.h"

#include <openssl/crypto.h>

#include "agent/http/head_writer.h"
#include "agent/mcp/modern_headers.h"

namespace sallyport::agent {
namespace {

void AddPostFields(std::string& head) {
  HeadWriter::Rest(head)
      .Field("Accept", "application/json, text/event-stream")
      .Field("Content-Type", "application/json");
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

std::string RequestHeads::Get(std::string_view last_event_id) const {
  std::string head;
  Begin(head, "GET", url_.target);
  HeadWriter writer = HeadWriter::Rest(head);
  writer.Field("Accept", "text/event-stream");
  if (!last_event_id.empty()) writer.Field("Last-Event-ID", last_event_id);
  writer.End();
  return head;
}

std::string RequestHeads::Delete() const {
  std::string head;
  Begin(head, "DELETE", url_.target);
  HeadWriter::Rest(head).End();
  return head;
}

std::string RequestHeads::Post(std::size_t body_bytes) {
  if (post_head_.empty()) {
    Begin(post_head_, "POST", url_.target);
    AddPostFields(post_head_);
  }
  constexpr std::size_t kLengthField = 40;
  std::string head;
  head.reserve(post_head_.size() + kLengthField);
  head.append(post_head_);
  HeadWriter::Rest(head).ContentLength(body_bytes).End();
  return head;
}

std::string RequestHeads::PostModern(const ClientMessage& message) const {
  std::string head;
  Begin(head, "POST", url_.target);
  AddPostFields(head);
  HeadWriter writer = HeadWriter::Rest(head);
  for (const auto& [name, value] : ModernHeaderFields(message)) writer.Field(name, value);
  for (const auto& [name, value] : message.modern.param_fields) writer.Field(name, value);
  writer.ContentLength(message.bytes.size()).End();
  return head;
}

std::string RequestHeads::PostTo(std::string_view target, std::size_t body_bytes) const {
  std::string head;
  Begin(head, "POST", target);
  AddPostFields(head);
  HeadWriter::Rest(head).ContentLength(body_bytes).End();
  return head;
}

void RequestHeads::Begin(std::string& head, std::string_view method,
                         std::string_view target) const {
  HeadWriter writer = HeadWriter::Request(head, method, target, url_.authority);
  writer.Field("User-Agent", "sallyport").Field("Accept-Encoding", "identity");
  if (!session_id_.empty()) writer.Field("Mcp-Session-Id", session_id_);
  if (!version_.empty()) writer.Field("MCP-Protocol-Version", version_);
  for (const auto& [name, value] : headers_) writer.Field(name, value);
}

}  // namespace sallyport::agent
