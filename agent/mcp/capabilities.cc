#include "agent/mcp/capabilities.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "agent/mcp/dialect.h"
#include "agent/mcp/json_index.h"
#include "agent/mcp/json_scan.h"
#include "agent/mcp/json_splice.h"
#include "common/denial.h"
#include "common/json_string.h"
#include "sallyport/types/v1/denial.pb.h"

namespace sallyport::agent {
namespace {

using types::v1::DenialReason;

absl::Status UpstreamInvalid(std::string_view what) {
  return Denied(DenialReason::DENIAL_REASON_UPSTREAM_INVALID, what);
}

}  // namespace

bool IsTakenFromClient(std::string_view capability, const ClientTerms& terms) {
  if (capability == "sampling") return !terms.sampling;
  if (capability == "elicitation") return !terms.elicitation;
  if (capability == "roots") return !terms.roots;
  return capability == "tasks" && !terms.sampling && !terms.elicitation;
}

bool IsTakenFromServer(std::string_view capability, const ServerTerms& terms) {
  if (capability == "tools") return !terms.tools;
  if (capability == "resources") return !terms.resources;
  if (capability == "prompts") return !terms.prompts;
  if (capability == "completions") return !terms.completions;
  if (capability == "logging") return !terms.logging;
  return capability == "tasks" && !terms.tasks;
}

// Cuts what is refused inside a capability that stays: the splices fall between those of its
// siblings, as they must.
void NarrowClientsTasks(Splicer& splicer, const JsonIndex& index, const JsonNode& tasks,
                        const ClientTerms& terms) {
  if (!tasks.is_object()) return;
  CutChildren(splicer, index, tasks, [&](const JsonNode& member) {
    if (member.key == "requests" && member.is_object()) {
      CutChildren(splicer, index, member,
                  [&](const JsonNode& request) { return IsTakenFromClient(request.key, terms); });
    }
    return false;
  });
}

void NarrowServersOwn(Splicer& splicer, const JsonIndex& index, const JsonNode& capability,
                      const ServerTerms& terms) {
  if (!capability.is_object()) return;
  CutChildren(splicer, index, capability, [&](const JsonNode& member) {
    if (capability.key == "resources") return member.key == "subscribe" && !terms.subscriptions;
    if (capability.key != "tasks") return false;
    return (member.key == "list" && !terms.task_list) ||
           (member.key == "cancel" && !terms.task_cancel);
  });
}

absl::StatusOr<ClientMessage> NarrowInitialize(ClientMessage request, const ClientTerms& terms) {
  JsonIndex index;
  const JsonNode* version = nullptr;
  const JsonNode* capabilities = nullptr;
  if (index.Parse(request.bytes, JsonLimits{.max_bytes = request.bytes.size()}) ==
      JsonError::kNone) {
    const JsonNode* params = index.Member(&index.root(), "params");
    version = index.Member(params, "protocolVersion");
    capabilities = index.Member(params, "capabilities");
  }
  if (version == nullptr || !version->is_string() || capabilities == nullptr ||
      !capabilities->is_object()) {
    return Denied(DenialReason::DENIAL_REASON_MESSAGE_INVALID, "not a proper initialize");
  }
  Splicer splicer(request.bytes);
  const auto narrow_version = [&] {
    const std::string_view negotiated = NegotiateVersion(version->text);
    if (negotiated != version->text) {
      splicer.Replace(version->begin, version->end, JsonString(negotiated));
    }
  };
  const bool is_version_first = version->begin < capabilities->begin;
  if (is_version_first) narrow_version();
  CutChildren(splicer, index, *capabilities, [&](const JsonNode& member) {
    if (IsTakenFromClient(member.key, terms)) return true;
    if (member.key == "tasks") NarrowClientsTasks(splicer, index, member, terms);
    return false;
  });
  if (!is_version_first) narrow_version();
  if (!splicer.is_changed()) return request;
  return ScanClientMessage(splicer.Finish(), ScanLimits{.max_bytes = request.bytes.size() + 16});
}

absl::StatusOr<UpstreamMessage> NarrowInitializeResult(UpstreamMessage response,
                                                       const ServerTerms& terms,
                                                       std::string& negotiated) {
  if (response.is_error) return response;
  JsonIndex index;
  const JsonNode* version = nullptr;
  const JsonNode* capabilities = nullptr;
  if (index.Parse(response.bytes, JsonLimits{.max_bytes = response.bytes.size()}) ==
      JsonError::kNone) {
    const JsonNode* result = index.Member(&index.root(), "result");
    version = index.Member(result, "protocolVersion");
    capabilities = index.Member(result, "capabilities");
  }
  if (version == nullptr || !version->is_string() || capabilities == nullptr ||
      !capabilities->is_object()) {
    return UpstreamInvalid("not a proper initialize result");
  }
  if (!IsServedVersion(version->text)) {
    return Denied(DenialReason::DENIAL_REASON_VERSION_UNSUPPORTED,
                  "the server speaks a version of MCP that is not served here");
  }
  negotiated.assign(version->text);
  Splicer splicer(response.bytes);
  CutChildren(splicer, index, *capabilities, [&](const JsonNode& member) {
    if (IsTakenFromServer(member.key, terms)) return true;
    NarrowServersOwn(splicer, index, member, terms);
    return false;
  });
  if (!splicer.is_changed()) return response;
  return ScanAgain(splicer.Finish(), response);
}

bool HasTasks(const UpstreamMessage& initialized) {
  JsonIndex index;
  if (initialized.is_error ||
      index.Parse(initialized.bytes, JsonLimits{.max_bytes = initialized.bytes.size()}) !=
          JsonError::kNone) {
    return false;
  }
  const JsonNode* capabilities =
      index.Member(index.Member(&index.root(), "result"), "capabilities");
  const JsonNode* tasks = index.Member(capabilities, "tasks");
  return tasks != nullptr && tasks->type != JsonType::kNull && tasks->type != JsonType::kFalse;
}

std::string NegotiatedVersion(const UpstreamMessage& response) {
  constexpr std::size_t kMaxVersionBytes = 32;
  JsonIndex index;
  if (response.is_error ||
      index.Parse(response.bytes, JsonLimits{.max_bytes = response.bytes.size()}) !=
          JsonError::kNone)
    return {};
  const JsonNode* version = index.Member(index.Member(&index.root(), "result"), "protocolVersion");
  const bool is_usable = version != nullptr && !version->text.empty() &&
                         version->text.size() <= kMaxVersionBytes &&
                         std::all_of(version->text.begin(), version->text.end(),
                                     [](char c) { return c > 0x20 && c < 0x7f; });
  return is_usable ? std::string(version->text) : std::string();
}

}  // namespace sallyport::agent
