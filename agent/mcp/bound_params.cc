#include "agent/mcp/bound_params.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "agent/mcp/canonical_arguments.h"
#include "agent/mcp/json_index.h"
#include "agent/mcp/message_scan.h"
#include "agent/mcp/methods.h"
#include "common/denial.h"
#include "common/json_string.h"
#include "common/status_macros.h"
#include "sallyport/types/v1/denial.pb.h"

namespace sallyport::agent {
namespace {

constexpr std::size_t kMaxTraceState = 512;
constexpr std::array<std::string_view, 4> kJsonRpc = {"jsonrpc", "id", "method", "params"};
constexpr std::array<std::string_view, 3> kOfClient = {kModernVersionKey, kClientInfoKey,
                                                       kClientCapabilitiesKey};

template <class Names>
bool IsAmong(const Names& names, std::string_view key) {
  return std::ranges::find(names, key) != names.end();
}

absl::Status Parse(JsonIndex& index, std::string_view json) {
  const JsonError error = index.Parse(json, JsonLimits{.max_bytes = json.size()});
  if (error == JsonError::kNone) return absl::OkStatus();
  return Denied(types::v1::DENIAL_REASON_MESSAGE_INVALID, JsonErrorText(error));
}

// One object of members, sorted; nothing where there are none.
std::string ObjectOf(std::vector<std::pair<std::string, std::string>> members) {
  if (members.empty()) return {};
  std::ranges::sort(members);
  std::string out;
  for (const auto& [key, value] : members) {
    out.push_back(out.empty() ? '{' : ',');
    AppendJsonString(key, &out);
    out.append(":").append(value);
  }
  out.push_back('}');
  return out;
}

// The members that have a `text`, which is empty for those that are left out.
std::string MembersOf(const JsonIndex& index, const JsonNode& object,
                      absl::FunctionRef<std::string(const JsonNode&)> text) {
  std::vector<std::pair<std::string, std::string>> members;
  for (const JsonNode& member : index.Children(object)) {
    std::string value = text(member);
    if (!value.empty()) members.emplace_back(member.key, std::move(value));
  }
  return ObjectOf(std::move(members));
}

// Version, trace id, parent id and flags of W3C: "00-0af7...-b7ad...-01".
bool IsTraceParent(std::string_view text) {
  constexpr std::string_view kForm = "xx-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-xx";
  return std::ranges::equal(text, kForm, [](char c, char form) {
    const bool is_hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    return form == 'x' ? is_hex : c == form;
  });
}

bool IsOfOneTry(const JsonNode& member) {
  if (member.key == "progressToken") return true;  // a string or a number: the scan looks
  if (!member.is_string()) return false;
  if (member.key == "traceparent") return IsTraceParent(member.text);
  return member.key == "tracestate" && member.text.size() <= kMaxTraceState;
}

// The member is the call's target, or its arguments.
bool IsTheCallItself(const ClientMessage& call, std::string_view key) {
  const ClientMethod* method = FindClientMethod(call.method);
  if (method == nullptr || call.target.empty()) return false;
  switch (method->target) {
    case TargetKind::kTool:
    case TargetKind::kPrompt:
      return key == "name" || key == "arguments";
    case TargetKind::kResource:
      return key == "uri";
    default:
      return false;
  }
}

absl::StatusOr<std::string> Params(const ClientMessage& call, bool with_responses) {
  if (call.params.empty()) return std::string();
  JsonIndex index;
  RETURN_IF_ERROR(
      Parse(index, std::string_view(call.bytes).substr(call.params.begin, call.params.size())));
  const bool is_modern = call.era == Era::kModern;
  const auto of_meta = [&](const JsonNode& member) {
    if (IsOfOneTry(member) || (is_modern && IsAmong(kOfClient, member.key))) return std::string();
    return CanonicalValue(index, member);
  };
  return MembersOf(index, index.root(), [&](const JsonNode& member) {
    if (IsTheCallItself(call, member.key)) return std::string();
    if (is_modern && member.key == "requestState") return std::string();
    if (member.key == "_meta" && member.is_object()) return MembersOf(index, member, of_meta);
    std::string value = CanonicalValue(index, member);
    if (is_modern && member.key == "inputResponses" && (!with_responses || value == "{}"))
      return std::string();
    return value;
  });
}

}  // namespace

absl::StatusOr<std::string> OtherParams(const ClientMessage& call) { return Params(call, true); }

absl::StatusOr<std::string> ParamsOfAllRounds(const ClientMessage& call) {
  return Params(call, false);
}

absl::StatusOr<std::string> CallEnvelope(const ClientMessage& call) {
  JsonIndex index;
  RETURN_IF_ERROR(Parse(index, call.bytes));
  std::string envelope = MembersOf(index, index.root(), [&](const JsonNode& member) {
    return IsAmong(kJsonRpc, member.key) ? std::string() : CanonicalValue(index, member);
  });
  envelope.push_back('\n');
  const JsonNode* meta = index.Member(index.Member(&index.root(), "params"), "_meta");
  if (call.era == Era::kLegacy || meta == nullptr || !meta->is_object()) return envelope;
  // Policy may have narrowed what stands in the message.
  const Span at = call.modern.capabilities;
  const std::string_view declared = call.modern.declared_capabilities.empty()
                                        ? std::string_view(call.bytes).substr(at.begin, at.size())
                                        : call.modern.declared_capabilities;
  ASSIGN_OR_RETURN(const std::string capabilities, CanonicalArguments(declared));
  envelope.append(capabilities).push_back('\n');
  return envelope + MembersOf(index, *meta, [&](const JsonNode& member) {
           const bool is_of_client =
               IsAmong(kOfClient, member.key) && member.key != kClientCapabilitiesKey;
           return is_of_client ? CanonicalValue(index, member) : std::string();
         });
}

absl::Status CheckIsAllShown(const ClientMessage& call) {
  JsonIndex index;
  RETURN_IF_ERROR(Parse(index, call.bytes));
  for (const JsonNode& member : index.Children(index.root())) {
    if (IsAmong(kJsonRpc, member.key)) continue;
    return Denied(types::v1::DENIAL_REASON_MESSAGE_INVALID,
                  "a call that a person decides on has members beside jsonrpc, id, method and "
                  "params, which nobody could be shown");
  }
  return absl::OkStatus();
}

}  // namespace sallyport::agent
