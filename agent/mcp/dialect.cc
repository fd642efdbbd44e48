#include "agent/mcp/dialect.h"

#include <algorithm>
#include <span>
#include <string>

#include "agent/mcp/json_index.h"
#include "agent/mcp/json_rpc.h"
#include "agent/mcp/json_scan.h"
#include "common/json_string.h"

namespace sallyport::agent {
namespace {

constexpr std::string_view kFirstModernVersion = kModernVersions.back();
constexpr std::string_view kFirstPrimedVersion = "2025-11-25";
constexpr std::string_view kVersionWithBatches = "2025-03-26";
constexpr std::string_view kFirstWithVersionHeader = "2025-06-18";

// Versions are dates: they compare as text.
bool IsModernDate(std::string_view version) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (version.size() != kFirstModernVersion.size()) return false;
  for (std::size_t i = 0; i < version.size(); ++i) {
    if (kFirstModernVersion[i] == '-' ? version[i] != '-' : !is_digit(version[i])) return false;
  }
  return version >= kFirstModernVersion;
}

UpstreamMessage Unsupported(const ClientMessage& message, std::string_view requested,
                            std::span<const std::string_view> supported) {
  std::string data = R"({"supported":[)";
  for (std::string_view version : supported) {
    if (data.back() != '[') data.push_back(',');
    data.append(JsonString(version));
  }
  data.append(R"(],"requested":)").append(JsonString(requested)).push_back('}');
  return ErrorResponse(message.id, rpc_code::kUnsupportedVersion, "Unsupported protocol version",
                       data);
}

}  // namespace

bool IsServedVersion(std::string_view version) {
  return std::ranges::find(kServedVersions, version) != kServedVersions.end();
}

bool IsModernVersion(std::string_view version) {
  return std::ranges::find(kModernVersions, version) != kModernVersions.end();
}

std::string_view NegotiateVersion(std::string_view requested) {
  const auto* served = std::ranges::find(kServedVersions, requested);
  return served == kServedVersions.end() ? kLatestVersion : *served;
}

bool IsVersionHeaderAccepted(std::optional<std::string_view> header) {
  return !header.has_value() || IsServedVersion(*header);
}

bool CanBePrimed(std::string_view version) { return version >= kFirstPrimedVersion; }

bool HasBatches(std::string_view version) { return version == kVersionWithBatches; }

bool AgreesOnBatches(const UpstreamMessage& initialized) {
  if (initialized.shape != Shape::kResponse || initialized.is_error) return false;
  JsonIndex index;
  const std::string_view result =
      std::string_view(initialized.bytes).substr(initialized.body.begin, initialized.body.size());
  if (index.Parse(result, JsonLimits{.max_bytes = result.size()}) != JsonError::kNone) return false;
  const JsonNode* version = index.Member(&index.root(), "protocolVersion");
  return version != nullptr && version->is_string() && HasBatches(version->text);
}

bool HasVersionHeader(std::string_view version) { return version >= kFirstWithVersionHeader; }

bool IsModernByHeader(const ClientMessage& message, std::optional<std::string_view> header) {
  return header.has_value() && message.method != "initialize" && IsModernDate(*header);
}

UpstreamMessage UnsupportedVersion(const ClientMessage& message, std::string_view requested) {
  return Unsupported(message, requested, kModernVersions);
}

UpstreamMessage UnsupportedEra(const ClientMessage& message) {
  return Unsupported(message, message.modern.version, kServedVersions);
}

bool IsModernServer(const UpstreamMessage& discovered) {
  if (discovered.shape != Shape::kResponse || discovered.is_error) return false;
  JsonIndex index;
  const std::string_view result =
      std::string_view(discovered.bytes).substr(discovered.body.begin, discovered.body.size());
  if (index.Parse(result, JsonLimits{.max_bytes = result.size()}) != JsonError::kNone) return false;
  const JsonNode* versions = index.Member(&index.root(), "supportedVersions");
  if (versions == nullptr || !versions->is_array()) return false;
  for (const JsonNode& version : index.Children(*versions)) {
    if (version.is_string() && IsModernVersion(version.text)) return true;
  }
  return false;
}

bool IsListening(const ClientMessage& request) {
  return request.era == Era::kModern && request.method == "subscriptions/listen";
}

UpstreamMessage ListenEnded(std::string_view id) {
  std::string result =
      R"({"resultType":"complete","_meta":{"io.modelcontextprotocol/subscriptionId":)";
  result.append(id).append("}}");
  return ResultResponse(id, result);
}

std::string ModernMeta() {
  return R"({"io.modelcontextprotocol/protocolVersion":)" + JsonString(kModernVersions.front()) +
         R"(,"io.modelcontextprotocol/clientInfo":{"name":"sallyport-agent","version":"1"},)" +
         R"("io.modelcontextprotocol/clientCapabilities":{}})";
}

ClientMessage DiscoverRequest(std::string_view id) {
  return OwnRequest(id, "server/discover", R"({"_meta":)" + ModernMeta() + "}");
}

int HttpStatusOf(Era era, const UpstreamMessage& response) {
  if (era == Era::kLegacy || !response.is_error) return 200;
  switch (response.error_code) {
    case rpc_code::kHeaderMismatch:
    case rpc_code::kMissingCapability:
    case rpc_code::kUnsupportedVersion:
      return 400;
    case rpc_code::kMethodNotFound:
      return 404;
    default:
      return 200;
  }
}

}  // namespace sallyport::agent
