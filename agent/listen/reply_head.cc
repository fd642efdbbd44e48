#include "agent/listen/reply_head.h"

#include <algorithm>
#include <charconv>

#include "agent/http/head_writer.h"

namespace sallyport::agent {
namespace {

constexpr std::string_view kJsonFields =
    "Content-Type: application/json\r\nCache-Control: no-store\r\nContent-Length: ";

void AppendNumber(std::string& out, std::size_t n) {
  char digits[20];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, n).ptr);
}

}  // namespace

void AppendOwnHead(std::string& out, const OwnAnswer& answer, bool keep_alive,
                   std::string_view more_fields) {
  HeadWriter head = HeadWriter::Response(out, answer.status);
  const bool has_type =
      std::any_of(answer.headers.begin(), answer.headers.end(),
                  [](const auto& field) { return field.first == "Content-Type"; });
  if (!answer.body.empty() && !has_type) head.Field("Content-Type", "application/json");
  head.Field("Cache-Control", "no-store");
  out.append(more_fields);
  for (const auto& [name, value] : answer.headers) head.Field(name, value);
  if (!keep_alive) head.Field("Connection", "close");
  // RFC 9110 section 8.6: a 204 has none.
  if (answer.status != 204) head.ContentLength(answer.body.size());
  head.End();
}

void AppendMessageHead(std::string& out, const AnswerHead& head, std::size_t bytes, bool keep_alive,
                       std::string_view more_fields) {
  HeadWriter::Response(out, head.status);
  out.append(more_fields);
  out.append(kJsonFields);
  AppendNumber(out, bytes);
  if (!head.mcp_session_id.empty()) {
    out.append("\r\nMcp-Session-Id: ").append(head.mcp_session_id);
  }
  if (!keep_alive) out.append("\r\nConnection: close");
  out.append("\r\n\r\n");
}

}  // namespace sallyport::agent
