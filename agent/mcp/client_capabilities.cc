#include "agent/mcp/client_capabilities.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "agent/mcp/json_rpc.h"
#include "agent/mcp/protocol_names.h"
#include "common/denial.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

constexpr absl::string_view kRequiredPayload = "sallyport/required-capabilities";

constexpr std::string_view kElicitationNameList[] = {"mode"};
constexpr std::string_view kSamplingNameList[] = {"tools", "toolChoice"};
constexpr ProtocolNames kElicitationNames(kElicitationNameList);
constexpr ProtocolNames kSamplingNames(kSamplingNameList);

bool IsThere(const JsonNode* node) { return node != nullptr && node->type != JsonType::kNull; }

bool Names(const JsonIndex& index, const JsonNode* object, std::string_view name) {
  const JsonNode* member = index.Member(object, name);
  return IsThere(member) && member->type != JsonType::kFalse;
}

std::optional<ClientCapabilities> NeedsOfElicitation(const JsonIndex& index,
                                                     const JsonNode* params) {
  ProtocolObject<kElicitationNames> members;
  if (!members.Read(index, params)) return std::nullopt;
  const JsonNode* mode = members["mode"];
  if (!IsThere(mode) || mode->text == "form") return ClientCapabilities{.form = true};
  if (mode->text == "url") return ClientCapabilities{.url = true};
  return std::nullopt;
}

std::optional<ClientCapabilities> NeedsOfSampling(const JsonIndex& index, const JsonNode* params) {
  ProtocolObject<kSamplingNames> members;
  if (!members.Read(index, params)) return std::nullopt;
  const bool has_tools = IsThere(members["tools"]) || IsThere(members["toolChoice"]);
  return ClientCapabilities{.sampling = true, .sampling_tools = has_tools};
}

// The members of an object, each with nothing in it.
std::string ObjectOf(std::initializer_list<std::pair<bool, std::string_view>> members) {
  std::string json = "{";
  for (const auto& [is_there, name] : members) {
    if (is_there) absl::StrAppend(&json, json.size() == 1 ? "" : ",", "\"", ToAbsl(name), "\":{}");
  }
  return json + "}";
}

std::string RequiredJson(const ClientCapabilities& missing) {
  std::string json = "{";
  const auto add = [&json](bool is_there, std::string_view name, const std::string& value) {
    if (!is_there) return;
    absl::StrAppend(&json, json.size() == 1 ? "" : ",", "\"", ToAbsl(name), "\":", value);
  };
  add(missing.sampling || missing.sampling_tools, "sampling",
      ObjectOf({{missing.sampling_tools, "tools"}}));
  add(missing.form || missing.url, "elicitation",
      ObjectOf({{missing.form, "form"}, {missing.url, "url"}}));
  add(missing.roots, "roots", "{}");
  add(missing.tasks, "tasks", "{}");
  return json + "}";
}

}  // namespace

void ClientCapabilities::Add(const ClientCapabilities& more) {
  sampling |= more.sampling;
  sampling_tools |= more.sampling_tools;
  form |= more.form;
  url |= more.url;
  roots |= more.roots;
  tasks |= more.tasks;
}

ClientCapabilities ReadClientCapabilities(std::string_view json) {
  JsonIndex index;
  if (index.Parse(json, JsonLimits{.max_bytes = json.size()}) != JsonError::kNone) return {};
  const JsonNode& declared = index.root();
  ClientCapabilities capabilities{.sampling = Names(index, &declared, "sampling"),
                                  .roots = Names(index, &declared, "roots"),
                                  .tasks = Names(index, &declared, "tasks")};
  const JsonNode* sampling = index.Member(&declared, "sampling");
  capabilities.sampling_tools = Names(index, sampling, "tools");
  if (Names(index, &declared, "elicitation")) {
    const JsonNode* elicitation = index.Member(&declared, "elicitation");
    capabilities.url = Names(index, elicitation, "url");
    capabilities.form = Names(index, elicitation, "form") || !capabilities.url;
  }
  return capabilities;
}

ClientCapabilities DeclaredBy(const ClientMessage& request) {
  const ModernEnvelope& modern = request.modern;
  if (!modern.declared_capabilities.empty()) {
    return ReadClientCapabilities(modern.declared_capabilities);
  }
  const Span at = request.era == Era::kModern ? modern.capabilities : request.capabilities;
  if (at.empty()) return {};
  return ReadClientCapabilities(std::string_view(request.bytes).substr(at.begin, at.size()));
}

bool CanBeAsked(const ClientCapabilities& declared, ServerRequestKind kind) {
  switch (kind) {
    case ServerRequestKind::kTask:
      return declared.tasks;
    case ServerRequestKind::kSampling:
      return declared.sampling;
    case ServerRequestKind::kElicitation:
      return declared.form || declared.url;
    case ServerRequestKind::kRoots:
      return declared.roots;
    case ServerRequestKind::kNone:
    case ServerRequestKind::kPing:
      break;
  }
  return false;
}

std::optional<ClientCapabilities> NeedsOf(const ServerMethod& method, const JsonIndex& index,
                                          const JsonNode* params) {
  switch (method.request) {
    case ServerRequestKind::kTask:
      return ClientCapabilities{.tasks = true};
    case ServerRequestKind::kSampling:
      return NeedsOfSampling(index, params);
    case ServerRequestKind::kElicitation:
      // What a server tells of is done at an address.
      if (method.is_notification) return ClientCapabilities{.url = true};
      return NeedsOfElicitation(index, params);
    case ServerRequestKind::kRoots:
      return ClientCapabilities{.roots = true};
    case ServerRequestKind::kNone:
    case ServerRequestKind::kPing:
      break;
  }
  return ClientCapabilities{};
}

std::optional<ClientCapabilities> NeedsOf(const ServerMethod& method,
                                          const UpstreamMessage& message) {
  JsonIndex index;
  if (index.Parse(message.bytes, JsonLimits{.max_bytes = message.bytes.size()}) !=
      JsonError::kNone) {
    return std::nullopt;
  }
  return NeedsOf(method, index, index.Member(&index.root(), "params"));
}

ClientCapabilities Missing(const ClientCapabilities& needs, const ClientCapabilities& declared) {
  return {.sampling = needs.sampling && !declared.sampling,
          .sampling_tools = needs.sampling_tools && !declared.sampling_tools,
          .form = needs.form && !declared.form,
          .url = needs.url && !declared.url,
          .roots = needs.roots && !declared.roots,
          .tasks = needs.tasks && !declared.tasks};
}

absl::Status NotAllowed(ServerRequestKind kind) {
  return Denied(types::v1::DENIAL_REASON_POLICY_DENIED,
                absl::StrCat("the server asks the client for ", ToAbsl(PolicyWord(kind)),
                             ", which is not allowed"));
}

absl::Status NotDeclared(const ClientCapabilities& missing) {
  const std::string required = RequiredJson(missing);
  absl::Status status =
      Denied(types::v1::DENIAL_REASON_POLICY_DENIED,
             absl::StrCat("the server asks for what its client has not declared: ", required));
  status.SetPayload(kRequiredPayload, absl::Cord(required));
  return status;
}

std::string RequiredCapabilitiesOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kRequiredPayload);
  return payload ? std::string(*payload) : std::string();
}

UpstreamMessage CapabilityNotDeclared(std::string_view id, std::string_view required_capabilities) {
  return ErrorResponse(
      id, rpc_code::kMissingCapability, "Missing required client capability",
      absl::StrCat(R"({"requiredCapabilities":)", ToAbsl(required_capabilities), "}"));
}

}  // namespace sallyport::agent
