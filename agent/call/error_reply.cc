#include "agent/call/error_reply.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/mcp/client_capabilities.h"
#include "agent/mcp/dialect.h"
#include "agent/mcp/json_rpc.h"
#include "common/denial.h"
#include "common/json_string.h"
#include "common/random.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

using types::v1::DENIAL_REASON_CLIENT_MISMATCH;
using types::v1::DENIAL_REASON_CONDITION_FAILED;
using types::v1::DENIAL_REASON_CONTROL_PLANE_UNAVAILABLE;
using types::v1::DENIAL_REASON_HOST_REFUSED;
using types::v1::DENIAL_REASON_ISSUER_UNAVAILABLE;
using types::v1::DENIAL_REASON_MESSAGE_INVALID;
using types::v1::DENIAL_REASON_MESSAGE_TOO_LARGE;
using types::v1::DENIAL_REASON_METHOD_UNKNOWN;
using types::v1::DENIAL_REASON_NO_SNAPSHOT;
using types::v1::DENIAL_REASON_ORIGIN_REFUSED;
using types::v1::DENIAL_REASON_POLICY_CHANGED;
using types::v1::DENIAL_REASON_POLICY_DENIED;
using types::v1::DENIAL_REASON_SCOPE_MISSING;
using types::v1::DENIAL_REASON_SERVER_STARTING;
using types::v1::DENIAL_REASON_SERVER_UNKNOWN;
using types::v1::DENIAL_REASON_SESSION_ENDED;
using types::v1::DENIAL_REASON_SESSION_PENDING;
using types::v1::DENIAL_REASON_SESSION_REQUIRED;
using types::v1::DENIAL_REASON_SNAPSHOT_STALE;
using types::v1::DENIAL_REASON_TOKEN_EXPIRED;
using types::v1::DENIAL_REASON_TOKEN_INVALID;
using types::v1::DENIAL_REASON_TOKEN_MISSING;
using types::v1::DENIAL_REASON_UNSPECIFIED;
using types::v1::DenialReason;

// An error without a reason is a fault of ours: it denies as well, and says no more than that.
DenialReason ReasonToTell(const absl::Status& why) {
  const DenialReason reason = ReasonOf(why);
  return reason == DENIAL_REASON_UNSPECIFIED ? DENIAL_REASON_CONTROL_PLANE_UNAVAILABLE : reason;
}

int HttpStatus(DenialReason reason) {
  switch (reason) {
    case DENIAL_REASON_TOKEN_MISSING:
    case DENIAL_REASON_TOKEN_INVALID:
    case DENIAL_REASON_TOKEN_EXPIRED:
      return 401;
    case DENIAL_REASON_SCOPE_MISSING:
    case DENIAL_REASON_ORIGIN_REFUSED:
      return 403;
    case DENIAL_REASON_HOST_REFUSED:
      return 421;
    case DENIAL_REASON_MESSAGE_TOO_LARGE:
      return 413;
    case DENIAL_REASON_SERVER_UNKNOWN:
    case DENIAL_REASON_SESSION_ENDED:
    case DENIAL_REASON_SNAPSHOT_STALE:
    case DENIAL_REASON_CLIENT_MISMATCH:
      return 404;
    case DENIAL_REASON_ISSUER_UNAVAILABLE:
    case DENIAL_REASON_NO_SNAPSHOT:
      return 503;
    default:
      return 400;
  }
}

std::string HttpBody(DenialReason reason, std::string_view message, std::string_view session_id) {
  std::string body = R"({"reason":)";
  body += JsonString(ReasonName(reason));
  body += R"(,"message":)";
  body += JsonString(message);
  if (!session_id.empty()) {
    body += R"(,"sessionId":)";
    body += JsonString(session_id);
  }
  body += '}';
  return body;
}

// RFC 6750 and RFC 9728. A description of its own each time: some clients stop asking for more
// scopes when the same challenge comes twice.
std::string Bearer(DenialReason reason, std::string_view message, const Challenge& challenge) {
  std::string value =
      absl::StrCat("Bearer resource_metadata=\"", challenge.resource_metadata_url, "\"");
  const std::string scopes = absl::StrCat(", scope=\"", absl::StrJoin(challenge.scopes, " "), "\"");
  if (reason == DENIAL_REASON_SCOPE_MISSING) {
    absl::StrAppend(&value, ", error=\"insufficient_scope\"", scopes, ", error_description=\"",
                    ToAbsl(message), " (", ToHex(RandomBytes(4)), ")\"");
    return value;
  }
  if (!challenge.scopes.empty()) value += scopes;
  if (reason == DENIAL_REASON_TOKEN_MISSING) return value;
  absl::StrAppend(&value, ", error=\"invalid_token\", error_description=\"", ToAbsl(message), "\"");
  return value;
}

// Inside a quoted string of a header only what needs no escape may stand.
std::string HeaderText(std::string_view text) {
  std::string plain;
  for (const char c : text) plain += c >= 0x20 && c < 0x7f && c != '"' && c != '\\' ? c : '\'';
  return plain;
}

std::string_view Thing(const ClientMessage& request, DenialReason reason) {
  if (reason == DENIAL_REASON_CLIENT_MISMATCH) return "task";
  if (request.method == "tools/call") return "tool";
  const bool is_prompt = request.method == "prompts/get" ||
                         (request.method == "completion/complete" && !request.ref_is_resource);
  return is_prompt ? "prompt" : "resource";
}

struct RpcError {
  int code = rpc_code::kRefused;
  std::string message;
};

RpcError ErrorFor(const ClientMessage& request, DenialReason reason, const absl::Status& why,
                  bool is_hidden) {
  const std::string said(why.message());
  if (reason == DENIAL_REASON_METHOD_UNKNOWN) {
    const bool is_only_no_task = request.asks_for_task && request.method == "tools/call";
    return {rpc_code::kMethodNotFound,
            absl::StrCat("Method not found: ", request.method,
                         is_only_no_task ? " as a task; call the tool without `task`" : "")};
  }
  if (is_hidden) {
    const bool is_task = reason == DENIAL_REASON_CLIENT_MISMATCH;
    const std::string& target = is_task ? request.task_id : request.target;
    if (target.empty() && !is_task) {
      return {rpc_code::kMethodNotFound, absl::StrCat("Method not found: ", request.method)};
    }
    return {rpc_code::kInvalidParams,
            absl::StrCat("Unknown ", ToAbsl(Thing(request, reason)), ": ", target)};
  }
  switch (reason) {
    case DENIAL_REASON_POLICY_DENIED:
    case DENIAL_REASON_CONDITION_FAILED:
    case DENIAL_REASON_POLICY_CHANGED:
      return {rpc_code::kPolicyDenied, said};
    case DENIAL_REASON_SESSION_ENDED:
    case DENIAL_REASON_SNAPSHOT_STALE:
      return {rpc_code::kSessionEnded, absl::StrCat("Session ended: ", said)};
    case DENIAL_REASON_SESSION_PENDING:
    case DENIAL_REASON_SERVER_STARTING:
      return {rpc_code::kSessionPending, said};
    case DENIAL_REASON_SESSION_REQUIRED:
      return {rpc_code::kSessionRequired, said};
    case DENIAL_REASON_MESSAGE_INVALID:
      return {rpc_code::kInvalidRequest, said};
    default:
      return {rpc_code::kRefused, said};
  }
}

// What the model should read, so that it can go on: a refusal of this one call. The end of the
// session is the client's business, and whoever asked for a task takes a result for none.
bool IsToolResult(const ClientMessage& request, int code) {
  return request.method == "tools/call" && !request.asks_for_task &&
         (code == rpc_code::kPolicyDenied || code == rpc_code::kRefused);
}

std::string DetailsJson(DenialReason reason, const RefusalDetails& details) {
  std::string json = R"({"reason":)";
  json += JsonString(ReasonName(reason));
  const auto member = [&json](std::string_view name, const std::string& value) {
    if (value.empty()) return;
    json += ",\"";
    json += name;
    json += "\":";
    json += JsonString(value);
  };
  member("policy", details.policy);
  member("approvalId", details.approval_id);
  member("expiresAt", details.expires_at);
  member("sessionId", details.session_id);
  member("retryAt", details.retry_at);
  if (!details.approvers.empty()) {
    json += R"(,"approvers":[)";
    for (const std::string& approver : details.approvers) {
      if (json.back() != '[') json += ',';
      json += JsonString(approver);
    }
    json += ']';
  }
  json += '}';
  return json;
}

}  // namespace

OwnAnswer HttpRefusal(const absl::Status& why, const Challenge& challenge,
                      std::string_view session_id) {
  const DenialReason reason = ReasonToTell(why);
  OwnAnswer answer;
  answer.status = HttpStatus(reason);
  answer.body = HttpBody(reason, ToStd(why.message()), session_id);
  if (answer.status == 401 || reason == DENIAL_REASON_SCOPE_MISSING) {
    answer.headers.emplace_back("WWW-Authenticate",
                                Bearer(reason, HeaderText(ToStd(why.message())), challenge));
  }
  if (answer.status == 503) answer.headers.emplace_back("Retry-After", "5");
  return answer;
}

OwnAnswer UnknownServer(std::string_view server) {
  OwnAnswer answer;
  answer.status = 404;
  answer.body = HttpBody(DENIAL_REASON_SERVER_UNKNOWN,
                         absl::StrCat("there is no server \"", ToAbsl(server), "\" here"), {});
  return answer;
}

OwnAnswer UnreadableMessage(const absl::Status& why, int rpc_code, std::string_view id) {
  const DenialReason reason = ReasonToTell(why);
  const int unidentified = reason == DENIAL_REASON_MESSAGE_TOO_LARGE ? 413 : 400;
  OwnAnswer answer;
  answer.status = id.empty() ? unidentified : 200;
  answer.body =
      ErrorResponse(id, rpc_code, ToStd(why.message()), DetailsJson(reason, RefusalDetails{}))
          .bytes;
  return answer;
}

UpstreamMessage RefuseRequest(const ClientMessage& request, const absl::Status& why,
                              const RefusalDetails& details) {
  if (!details.request_state.empty()) {
    return ResultResponse(request.id,
                          absl::StrCat(R"({"resultType":"input_required",)", R"("requestState":)",
                                       JsonString(details.request_state), "}"));
  }
  const std::string required = RequiredCapabilitiesOf(why);
  if (request.era == Era::kModern && !required.empty())
    return CapabilityNotDeclared(request.id, required);
  const DenialReason reason = ReasonToTell(why);
  RpcError error = ErrorFor(request, reason, why, details.is_hidden);
  if (details.rpc_code != 0) error.code = details.rpc_code;
  if (details.is_hidden) return ErrorResponse(request.id, error.code, error.message);
  const std::string data = DetailsJson(reason, details);
  if (IsToolResult(request, error.code)) {
    return ToolErrorResult(request.id, request.era, error.message, data);
  }
  return ErrorResponse(request.id, error.code, error.message, data);
}

OwnAnswer RefuseOpening(const ClientMessage& request, const absl::Status& why,
                        const RefusalDetails& details) {
  const UpstreamMessage refusal = RefuseRequest(request, why, details);
  return OwnAnswer{.status = HttpStatusOf(request.era, refusal), .body = refusal.bytes};
}

}  // namespace sallyport::agent
