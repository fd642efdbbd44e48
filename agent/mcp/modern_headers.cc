#include "agent/mcp/modern_headers.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "agent/mcp/dialect.h"
#include "agent/mcp/json_rpc.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

constexpr std::string_view kBase64Open = "=?base64?";
constexpr std::string_view kBase64Close = "?=";

bool IsEncoded(std::string_view value) {
  return value.starts_with(kBase64Open) && value.ends_with(kBase64Close);
}

// What Mcp-Name repeats; nullptr: nothing of this message.
const std::string* NameOf(const ClientMessage& message) {
  if (message.method == "tools/call" || message.method == "prompts/get" ||
      message.method == "resources/read") {
    return &message.target;
  }
  const bool names_task = message.method == "tasks/get" || message.method == "tasks/update" ||
                          message.method == "tasks/cancel";
  return names_task && !message.task_id.empty() ? &message.task_id.text() : nullptr;
}

ModernRefusal Mismatch(std::string_view what) {
  return {rpc_code::kHeaderMismatch,
          absl::StrCat("the headers and the body disagree: ", ToAbsl(what))};
}

std::optional<ModernRefusal> CheckEnvelope(const ClientMessage& message) {
  if (message.modern.version.empty()) {
    return ModernRefusal{rpc_code::kInvalidParams,
                         "_meta lacks io.modelcontextprotocol/protocolVersion"};
  }
  if (message.modern.capabilities.empty()) {
    return ModernRefusal{rpc_code::kInvalidParams,
                         "_meta lacks io.modelcontextprotocol/clientCapabilities"};
  }
  return std::nullopt;
}

std::optional<ModernRefusal> CheckName(const ClientMessage& message,
                                       std::optional<std::string_view> header) {
  const std::string* name = NameOf(message);
  if (name == nullptr) return std::nullopt;
  if (!header) return Mismatch("Mcp-Name is missing");
  const std::optional<std::string> decoded = DecodeHeaderValue(*header);
  if (!decoded) return Mismatch("Mcp-Name is not canonical Base64");
  if (*decoded != *name) return Mismatch("Mcp-Name names another thing than params");
  return std::nullopt;
}

}  // namespace

std::optional<ModernRefusal> CheckModernMessage(const ClientMessage& message,
                                                const ModernHeaders& headers) {
  if (message.shape == Shape::kResponse) {
    return ModernRefusal{rpc_code::kInvalidRequest, "a client sends no responses in this version"};
  }
  const std::string& version = message.modern.version;
  if (!version.empty() && headers.protocol_version && *headers.protocol_version != version) {
    return Mismatch("MCP-Protocol-Version names another version than _meta");
  }
  if (message.shape == Shape::kRequest || !version.empty()) {
    if (auto refusal = CheckEnvelope(message)) return refusal;
    if (!IsModernVersion(version)) {
      return ModernRefusal{rpc_code::kUnsupportedVersion, "Unsupported protocol version"};
    }
  } else if (!IsModernVersion(headers.protocol_version.value_or(""))) {
    return ModernRefusal{rpc_code::kUnsupportedVersion, "Unsupported protocol version"};
  }
  if (headers.method && *headers.method != message.method) {
    return Mismatch("Mcp-Method names another method");
  }
  if (message.shape == Shape::kNotification) return std::nullopt;
  if (!headers.protocol_version) return Mismatch("MCP-Protocol-Version is missing");
  if (!headers.method) return Mismatch("Mcp-Method is missing");
  return CheckName(message, headers.name);
}

std::vector<std::pair<std::string, std::string>> ModernHeaderFields(const ClientMessage& message) {
  std::vector<std::pair<std::string, std::string>> fields;
  const std::string& version = message.modern.version;
  fields.emplace_back("MCP-Protocol-Version",
                      version.empty() ? std::string(kModernVersions.front()) : version);
  fields.emplace_back("Mcp-Method", EncodeHeaderValue(message.method));
  if (const std::string* name = NameOf(message)) {
    fields.emplace_back("Mcp-Name", EncodeHeaderValue(*name));
  }
  return fields;
}

std::optional<std::string> DecodeHeaderValue(std::string_view value) {
  if (!IsEncoded(value)) return std::string(value);
  // The two marks may share their question mark.
  if (value.size() < kBase64Open.size() + kBase64Close.size()) return std::nullopt;
  value.remove_prefix(kBase64Open.size());
  value.remove_suffix(kBase64Close.size());
  std::string decoded;
  if (!absl::Base64Unescape(ToAbsl(value), &decoded)) return std::nullopt;
  // It takes white space and missing padding too; one text has one spelling.
  if (absl::Base64Escape(decoded) != ToAbsl(value)) return std::nullopt;
  return decoded;
}

std::string EncodeHeaderValue(std::string_view text) {
  const bool is_plain = !text.empty() && text.front() != ' ' && text.back() != ' ' &&
                        !IsEncoded(text) &&
                        std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7f; });
  if (is_plain) return std::string(text);
  return absl::StrCat(ToAbsl(kBase64Open), absl::Base64Escape(ToAbsl(text)), ToAbsl(kBase64Close));
}

}  // namespace sallyport::agent
