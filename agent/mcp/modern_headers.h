#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/mcp/message.h"

// The HTTP headers of the modern era, which repeat what the body says so that others on the way can
// route by it. Policy goes by the body; a message whose headers say otherwise is refused, for
// somebody behind us could go by them (2026-07-28, Streamable HTTP, "Standard Request Headers").
namespace sallyport::agent {

struct ModernHeaders {
  std::optional<std::string_view> protocol_version;
  std::optional<std::string_view> method;
  std::optional<std::string_view> name;
};

// A JSON-RPC error that HTTP carries with status 400.
struct ModernRefusal {
  int code = 0;
  std::string message;
};

// What is wrong with a message of the modern era, before anybody looks at what it asks for. In this
// order: it is a response; its headers name another version; _meta lacks a required member
// (-32602); its version is not served (-32022, to be answered by UnsupportedVersion); a header is
// missing or disagrees (-32020). A notification needs none of the headers, but those that are there
// must agree.
std::optional<ModernRefusal> CheckModernMessage(const ClientMessage& message,
                                                const ModernHeaders& headers);

// The fields for a request to a modern server over HTTP, without Mcp-Param-*.
std::vector<std::pair<std::string, std::string>> ModernHeaderFields(const ClientMessage& message);

// `=?base64?...?=` where it is used; nullopt: what stands between is not canonical Base64.
std::optional<std::string> DecodeHeaderValue(std::string_view value);
// As a field value, in Base64 where the text itself could not stand.
std::string EncodeHeaderValue(std::string_view text);

}  // namespace sallyport::agent
