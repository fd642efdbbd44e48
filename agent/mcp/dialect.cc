#include "agent/mcp/dialect.h"

#include <algorithm>
#include <string>

#include "agent/mcp/json_rpc.h"
#include "common/json_string.h"

namespace sallyport::agent {
namespace {

// The first revision without sessions. Versions are dates: they compare as text.
constexpr std::string_view kFirstModernVersion = "2026-07-28";
// It had no version header; every later one says that the header names the session's version.

bool IsModernDate(std::string_view version) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (version.size() != kFirstModernVersion.size()) return false;
  for (std::size_t i = 0; i < version.size(); ++i) {
    if (kFirstModernVersion[i] == '-' ? version[i] != '-' : !is_digit(version[i])) return false;
  }
  return version >= kFirstModernVersion;
}

}  // namespace

bool IsServedVersion(std::string_view version) {
  return std::find(kServedVersions.begin(), kServedVersions.end(), version) !=
         kServedVersions.end();
}

std::string_view NegotiateVersion(std::string_view requested) {
  const auto* served = std::find(kServedVersions.begin(), kServedVersions.end(), requested);
  return served == kServedVersions.end() ? kLatestVersion : *served;
}

bool IsVersionHeaderAccepted(std::optional<std::string_view> header) {
  return !header.has_value() || IsServedVersion(*header);
}

std::optional<std::string_view> ModernVersion(const ClientMessage& message,
                                              std::optional<std::string_view> header) {
  if (!message.modern_version.empty()) return message.modern_version;
  if (message.method == "initialize" || !header.has_value() || !IsModernDate(*header)) {
    return std::nullopt;
  }
  return header;
}

UpstreamMessage UnsupportedVersion(const ClientMessage& message, std::string_view requested) {
  std::string data = R"({"supported":[)";
  for (std::string_view version : kServedVersions) {
    if (data.back() != '[') data.push_back(',');
    data.append(JsonString(version));
  }
  data.append(R"(],"requested":)").append(JsonString(requested)).push_back('}');
  return ErrorResponse(message.id, rpc_code::kUnsupportedVersion, "Unsupported protocol version",
                       data);
}

}  // namespace sallyport::agent
