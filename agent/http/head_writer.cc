#include "agent/http/head_writer.h"

#include <algorithm>
#include <charconv>

#include "agent/http/field_syntax.h"

namespace sallyport::agent {
namespace {

void AppendNumber(std::string& out, std::size_t number, int base) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number, base);
  out.append(digits, end.ptr);
}

}  // namespace

bool IsFieldValue(std::string_view value) {
  unsigned char above_ascii = 0;
  for (const char c : value) above_ascii |= static_cast<unsigned char>(c & 0x80);
  return value.size() <= kMaxFieldValueBytes && TrimFieldSpace(value) == value &&
         above_ascii == 0 && IsFieldText(value);
}

bool IsFieldName(std::string_view name) { return IsToken(name); }

bool IsRequestTarget(std::string_view target) {
  return !target.empty() && target[0] == '/' &&
         std::all_of(target.begin(), target.end(),
                     [](char c) { return c > 0x20 && c < 0x7f && c != '#'; });
}

HeadWriter HeadWriter::Response(std::string& out, int status) {
  out.append("HTTP/1.1 ");
  AppendNumber(out, static_cast<std::size_t>(status), 10);
  out.append(" ").append(ReasonPhrase(status)).append("\r\n");
  return HeadWriter(out);
}

HeadWriter HeadWriter::Request(std::string& out, std::string_view method, std::string_view target,
                               std::string_view host) {
  out.append(method).append(" ").append(target).append(" HTTP/1.1\r\n");
  HeadWriter writer(out);
  writer.ok_ = IsToken(method) && IsRequestTarget(target);
  writer.Field("Host", host);
  return writer;
}

HeadWriter& HeadWriter::Field(std::string_view name, std::string_view value) {
  if (!IsFieldName(name) || !IsFieldValue(value)) {
    ok_ = false;
    return *this;
  }
  out_.append(name).append(": ").append(value).append("\r\n");
  return *this;
}

HeadWriter& HeadWriter::ContentLength(std::size_t bytes) {
  out_.append("Content-Length: ");
  AppendNumber(out_, bytes, 10);
  out_.append("\r\n");
  return *this;
}

HeadWriter& HeadWriter::Chunked() {
  out_.append("Transfer-Encoding: chunked\r\n");
  return *this;
}

void HeadWriter::End() { out_.append("\r\n"); }

void AppendChunk(std::string& out, std::string_view data) {
  if (data.empty()) return;  // an empty chunk would end the body
  AppendNumber(out, data.size(), 16);
  out.append("\r\n").append(data).append("\r\n");
}

void AppendLastChunk(std::string& out) { out.append("0\r\n\r\n"); }

std::string_view ReasonPhrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 200:
      return "OK";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Status";
  }
}

}  // namespace sallyport::agent
