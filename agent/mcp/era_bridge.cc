#include "agent/mcp/era_bridge.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/mcp/dialect.h"
#include "agent/mcp/json_index.h"
#include "agent/mcp/json_rpc.h"
#include "agent/mcp/json_scan.h"
#include "agent/mcp/json_splice.h"
#include "common/denial.h"
#include "common/ids.h"
#include "common/json_string.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

constexpr std::string_view kReserved = "io.modelcontextprotocol/";
constexpr std::string_view kServerInfo = "io.modelcontextprotocol/serverInfo";
// What a resource that is not there was answered with until 2025-11-25.
constexpr std::string_view kLegacyResourceNotFound = "-32002";

absl::Status MessageInvalid(std::string_view what) {
  return Denied(types::v1::DENIAL_REASON_MESSAGE_INVALID, what);
}
absl::Status ServerInvalid(std::string_view what) {
  return Denied(types::v1::DENIAL_REASON_UPSTREAM_INVALID, what);
}

bool Parse(JsonIndex& index, const std::string& bytes) {
  return index.Parse(bytes, JsonLimits{.max_bytes = bytes.size()}) == JsonError::kNone;
}

template <class Message>
absl::StatusOr<Message> Scanned(std::string bytes) {
  const ScanLimits limits{.max_bytes = bytes.size()};
  if constexpr (std::is_same_v<Message, ClientMessage>) {
    return ScanClientMessage(std::move(bytes), limits);
  } else {
    return ScanUpstreamMessage(std::move(bytes), limits);
  }
}

// The members of _meta that each modern request has.
std::string Envelope(const BridgedClient& client) {
  std::string members = absl::StrCat(
      R"("io.modelcontextprotocol/protocolVersion":)", JsonString(kModernVersions.front()),
      R"(,"io.modelcontextprotocol/clientInfo":)", client.info,
      R"(,"io.modelcontextprotocol/clientCapabilities":)", client.capabilities);
  if (!client.log_level.empty())
    absl::StrAppend(&members, R"(,"io.modelcontextprotocol/logLevel":)",
                    JsonString(client.log_level));
  return members;
}

// `members` at the beginning of an object; `has_others`: some of its own stay behind them.
void Prepend(Splicer& splicer, const JsonNode& object, std::string members, bool has_others) {
  if (has_others) members.push_back(',');
  splicer.Replace(object.begin + 1, object.begin + 1, members);
}

// Members that only a modern client can send; in a legacy request they mean nothing, and must not
// come to mean something.
bool IsModernMember(const JsonNode& member) {
  return member.key == "inputResponses" || member.key == "requestState";
}
bool IsReserved(const JsonNode& member) { return member.key.starts_with(kReserved); }

template <class Predicate>
bool HasOther(const JsonIndex& index, const JsonNode& object, Predicate is_cut) {
  for (const JsonNode& member : index.Children(object)) {
    if (!is_cut(member)) return true;
  }
  return false;
}

std::string InputMembers(const CollectedInput* input) {
  std::string members;
  if (input == nullptr) return members;
  if (!input->responses.empty())
    absl::StrAppend(&members, R"("inputResponses":)", input->responses);
  if (!input->state.empty())
    absl::StrAppend(&members, members.empty() ? "" : ",", R"("requestState":)", input->state);
  return members;
}

void SpliceMeta(Splicer& splicer, const JsonIndex& index, const JsonNode& meta,
                std::string envelope) {
  Prepend(splicer, meta, std::move(envelope), HasOther(index, meta, IsReserved));
  CutChildren(splicer, index, meta, IsReserved);
}

// Front to back: what is added stands at the beginning of an object, before what is cut of it.
void SpliceParams(Splicer& splicer, const JsonIndex& index, const JsonNode& params,
                  const std::string& envelope, std::string added) {
  const bool has_meta = index.Member(&params, "_meta") != nullptr;
  if (!has_meta) absl::StrAppend(&added, added.empty() ? "" : ",", R"("_meta":{)", envelope, "}");
  if (!added.empty())
    Prepend(splicer, params, std::move(added), HasOther(index, params, IsModernMember));
  CutChildren(splicer, index, params, [&](const JsonNode& member) {
    if (member.key == "_meta") SpliceMeta(splicer, index, member, envelope);
    return IsModernMember(member);
  });
}

const JsonNode* ObjectMember(const JsonIndex& index, const JsonNode* of, std::string_view name) {
  const JsonNode* member = index.Member(of, name);
  return member != nullptr && member->is_object() ? member : nullptr;
}

bool IsTrue(const JsonIndex& index, const JsonNode* of, std::string_view name) {
  const JsonNode* member = index.Member(of, name);
  return member != nullptr && member->type == JsonType::kTrue;
}

// A tool's output schema that a legacy client could not make use of: its result would be an object.
bool IsForeignSchema(const JsonIndex& index, const JsonNode& member) {
  if (member.key != "outputSchema") return false;
  const JsonNode* type = index.Member(&member, "type");
  return type == nullptr || type->text != "object";
}

bool IsForeignMember(const JsonNode& member) {
  return member.key == "resultType" || member.key == "ttlMs" || member.key == "cacheScope" ||
         (member.key == "structuredContent" && !member.is_object());
}

void CutForeign(Splicer& splicer, const JsonIndex& index, const JsonNode& result) {
  CutChildren(splicer, index, result, [&](const JsonNode& member) {
    if (member.key == "tools" && member.is_array()) {
      for (const JsonNode& tool : index.Children(member)) {
        CutChildren(splicer, index, tool,
                    [&](const JsonNode& of) { return IsForeignSchema(index, of); });
      }
    }
    return IsForeignMember(member);
  });
}

// 2025-11-25 has an id for each elicitation by URL; later revisions do not.
std::string ElicitationParams(const JsonIndex& index, const JsonNode& params) {
  std::string raw(index.Raw(params));
  const JsonNode* mode = index.Member(&params, "mode");
  if (mode == nullptr || mode->text != "url" || index.Member(&params, "elicitationId") != nullptr)
    return raw;
  raw.insert(1, absl::StrCat(R"("elicitationId":)", JsonString(NewRandomToken()), ","));
  return raw;
}

absl::Status ReadInputRequests(const JsonIndex& index, const JsonNode& requests,
                               BridgedResponse& out) {
  if (!requests.is_object()) return ServerInvalid("inputRequests is not an object");
  for (const JsonNode& request : index.Children(requests)) {
    const JsonNode* method = index.Member(&request, "method");
    const JsonNode* params = ObjectMember(index, &request, "params");
    if (method == nullptr || !method->is_string())
      return ServerInvalid("an input request has no method");
    InputRequest input;
    input.key =
        std::string(index.json().substr(request.key_begin, request.key_end - request.key_begin));
    input.members = absl::StrCat(R"("method":)", ToAbsl(index.Raw(*method)));
    if (params != nullptr)
      absl::StrAppend(&input.members, R"(,"params":)", ElicitationParams(index, *params));
    out.inputs.push_back(std::move(input));
  }
  return absl::OkStatus();
}

absl::Status ReadInputs(const JsonIndex& index, const JsonNode& result, BridgedResponse& out) {
  if (const JsonNode* state = index.Member(&result, "requestState")) {
    if (!state->is_string()) return ServerInvalid("requestState is not a string");
    out.state = std::string(index.Raw(*state));
  }
  const JsonNode* requests = index.Member(&result, "inputRequests");
  if (requests != nullptr) RETURN_IF_ERROR(ReadInputRequests(index, *requests, out));
  // The same call once more is all that could follow.
  if (out.inputs.empty() && out.state.empty())
    return ServerInvalid("it asks for input, and neither says which nor has a requestState");
  return absl::OkStatus();
}

}  // namespace

bool IsRefusalOfInitialize(const UpstreamMessage& response) {
  constexpr std::array kCodes = {rpc_code::kMethodNotFound,    rpc_code::kInvalidRequest,
                                 rpc_code::kInvalidParams,     rpc_code::kUnsupportedVersion,
                                 rpc_code::kMissingCapability, rpc_code::kHeaderMismatch};
  return response.shape == Shape::kResponse && response.is_error &&
         std::ranges::find(kCodes, response.error_code) != kCodes.end();
}

absl::StatusOr<BridgedClient> ReadBridgedClient(const ClientMessage& initialize) {
  JsonIndex index;
  if (!Parse(index, initialize.bytes)) return MessageInvalid("not a clean message");
  const JsonNode* params = index.Member(&index.root(), "params");
  const JsonNode* info = ObjectMember(index, params, "clientInfo");
  const JsonNode* capabilities = ObjectMember(index, params, "capabilities");
  if (info == nullptr || capabilities == nullptr) return MessageInvalid("not a proper initialize");
  return BridgedClient{.info = std::string(index.Raw(*info)),
                       .capabilities = std::string(index.Raw(*capabilities)),
                       .log_level = {}};
}

std::optional<std::string> ReadLogLevel(const ClientMessage& request) {
  static constexpr std::string_view kLevels[] = {"debug", "info",     "notice", "warning",
                                                 "error", "critical", "alert",  "emergency"};
  JsonIndex index;
  if (!Parse(index, request.bytes)) return std::nullopt;
  const JsonNode* level = index.Member(index.Member(&index.root(), "params"), "level");
  if (level == nullptr || std::ranges::find(kLevels, level->text) == std::end(kLevels))
    return std::nullopt;
  return std::string(level->text);
}

absl::StatusOr<ClientMessage> ToModern(const ClientMessage& request, const BridgedClient& client,
                                       const CollectedInput* input) {
  JsonIndex index;
  if (!Parse(index, request.bytes)) return MessageInvalid("not a clean message");
  const JsonNode* params = index.Member(&index.root(), "params");
  const JsonNode* meta = index.Member(params, "_meta");
  if ((params != nullptr && !params->is_object()) || (meta != nullptr && !meta->is_object()))
    return MessageInvalid("params and _meta must be objects");
  const std::string envelope = Envelope(client);
  Splicer splicer(request.bytes);
  if (params == nullptr) {
    splicer.Replace(index.root().begin + 1, index.root().begin + 1,
                    absl::StrCat(R"("params":{"_meta":{)", envelope, "}},"));
  }
  for (const JsonNode& member : index.Children(index.root())) {
    if (member.key == "id" && input != nullptr)
      splicer.Replace(member.begin, member.end, input->id);
    if (&member == params) SpliceParams(splicer, index, member, envelope, InputMembers(input));
  }
  return Scanned<ClientMessage>(splicer.Finish());
}

absl::StatusOr<ClientMessage> ToDiscover(const ClientMessage& initialize,
                                         const BridgedClient& client) {
  return Scanned<ClientMessage>(absl::StrCat(R"({"jsonrpc":"2.0","id":)", initialize.id,
                                             R"(,"method":"server/discover","params":{"_meta":{)",
                                             Envelope(client), "}}}"));
}

absl::StatusOr<UpstreamMessage> ToInitializeResult(const UpstreamMessage& discovered,
                                                   const ClientMessage& initialize,
                                                   Announced& announced) {
  JsonIndex index;
  const JsonNode* capabilities = nullptr;
  const JsonNode* result = nullptr;
  if (!discovered.is_error && Parse(index, discovered.bytes)) {
    result = index.Member(&index.root(), "result");
    capabilities = ObjectMember(index, result, "capabilities");
  }
  if (capabilities == nullptr || !IsModernServer(discovered))
    return ServerInvalid("not a proper discovery of a server");
  const auto announces = [&](std::string_view name) {
    return IsTrue(index, index.Member(capabilities, name), "listChanged");
  };
  announced = {announces("tools"), announces("prompts"), announces("resources")};
  const std::string declared(index.Raw(*capabilities));
  JsonIndex inner;
  if (!Parse(inner, declared)) return ServerInvalid("not clean JSON");
  Splicer offered(declared);
  CutChildren(offered, inner, inner.root(),
              [](const JsonNode& member) { return member.key == "extensions"; });
  const JsonNode* info = ObjectMember(index, index.Member(result, "_meta"), kServerInfo);
  std::string body = absl::StrCat(
      R"({"protocolVersion":)", JsonString(NegotiateVersion(initialize.protocol_version)),
      R"(,"capabilities":)", offered.Finish(), R"(,"serverInfo":)",
      info != nullptr ? ToAbsl(index.Raw(*info)) : R"({"name":"unnamed","version":"0"})");
  if (const JsonNode* instructions = index.Member(result, "instructions"))
    absl::StrAppend(&body, R"(,"instructions":)", ToAbsl(index.Raw(*instructions)));
  body.push_back('}');
  return Scanned<UpstreamMessage>(
      absl::StrCat(R"({"jsonrpc":"2.0","id":)", initialize.id, R"(,"result":)", body, "}"));
}

absl::StatusOr<ClientMessage> ToListen(std::string_view id, const BridgedClient& client,
                                       const Announced& announced,
                                       const std::vector<std::string>& uris) {
  std::string wanted;
  const auto want = [&](bool is_wanted, std::string_view member) {
    if (is_wanted) absl::StrAppend(&wanted, wanted.empty() ? "" : ",", ToAbsl(member));
  };
  want(announced.tools, R"("toolsListChanged":true)");
  want(announced.prompts, R"("promptsListChanged":true)");
  want(announced.resources, R"("resourcesListChanged":true)");
  std::string list;
  for (const std::string& uri : uris) absl::StrAppend(&list, list.empty() ? "" : ",", uri);
  want(!uris.empty(), absl::StrCat(R"("resourceSubscriptions":[)", list, "]"));
  return Scanned<ClientMessage>(
      absl::StrCat(R"({"jsonrpc":"2.0","id":)", ToAbsl(id),
                   R"(,"method":"subscriptions/listen","params":{"notifications":{)", wanted,
                   R"(},"_meta":{)", Envelope(client), "}}}"));
}

absl::StatusOr<BridgedResponse> FromModern(UpstreamMessage response, const ClientMessage& request) {
  JsonIndex index;
  if (!Parse(index, response.bytes)) return ServerInvalid("not clean JSON");
  const JsonNode* result = index.Member(&index.root(), "result");
  BridgedResponse out;
  const JsonNode* type = index.Member(result, "resultType");
  if (type != nullptr && type->text == "input_required") {
    out.is_input_required = true;
    RETURN_IF_ERROR(ReadInputs(index, *result, out));
    return out;
  }
  if (type != nullptr && type->text != "complete")
    return ServerInvalid("a result of a type that the client has not asked for");
  const JsonNode* error = index.Member(&index.root(), "error");
  const bool is_not_found = error != nullptr && response.error_code == rpc_code::kInvalidParams &&
                            request.method == "resources/read" &&
                            index.Member(index.Member(error, "data"), "uri") != nullptr;
  Splicer splicer(response.bytes);
  for (const JsonNode& member : index.Children(index.root())) {
    if (member.key == "id" && index.Raw(member) != request.id)
      splicer.Replace(member.begin, member.end, request.id);
    if (&member == result) CutForeign(splicer, index, member);
    if (&member == error && is_not_found) {
      const JsonNode* code = index.Member(error, "code");
      splicer.Replace(code->begin, code->end, kLegacyResourceNotFound);
    }
  }
  if (!splicer.is_changed()) {
    out.message = std::move(response);
    return out;
  }
  ASSIGN_OR_RETURN(out.message, ScanAgain(splicer.Finish(), response));
  return out;
}

std::optional<UpstreamMessage> FromModern(UpstreamMessage notification) {
  if (notification.shape != Shape::kNotification ||
      notification.method == "notifications/subscriptions/acknowledged" ||
      notification.method == "notifications/cancelled")
    return std::nullopt;
  if (notification.subscription_id.empty()) return notification;
  JsonIndex index;
  if (!Parse(index, notification.bytes)) return std::nullopt;
  const JsonNode* meta = index.Member(index.Member(&index.root(), "params"), "_meta");
  Splicer splicer(notification.bytes);
  CutChildren(splicer, index, *meta, IsReserved);
  auto message = ScanAgain(splicer.Finish(), notification);
  if (!message.ok()) return std::nullopt;
  return *std::move(message);
}

absl::StatusOr<UpstreamMessage> ToServerRequest(const InputRequest& input, std::string_view id) {
  return Scanned<UpstreamMessage>(
      absl::StrCat(R"({"jsonrpc":"2.0","id":)", ToAbsl(id), ",", input.members, "}"));
}

ClientAnswer ReadAnswer(const ClientMessage& answer) {
  JsonIndex index;
  ClientAnswer out{.is_error = true, .body = {}};
  if (!Parse(index, answer.bytes)) return out;
  const JsonNode* error = index.Member(&index.root(), "error");
  const JsonNode* body = error != nullptr ? error : index.Member(&index.root(), "result");
  if (body == nullptr) return out;
  return {.is_error = error != nullptr, .body = std::string(index.Raw(*body))};
}

UpstreamMessage FailedBy(const ClientMessage& request, std::string_view error) {
  auto failed = Scanned<UpstreamMessage>(
      absl::StrCat(R"({"jsonrpc":"2.0","id":)", request.id, R"(,"error":)", ToAbsl(error), "}"));
  if (failed.ok()) return *std::move(failed);
  return ErrorResponse(request.id, rpc_code::kInvalidRequest,
                       "the client's answer to the server was not one");
}

}  // namespace sallyport::agent
