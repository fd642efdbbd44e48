#include "agent/mcp/json_rpc.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/mcp/json_index.h"
#include "agent/mcp/json_scan.h"
#include "agent/mcp/json_splice.h"
#include "common/json_string.h"

namespace sallyport::agent {
namespace {

constexpr std::string_view kOpen = R"({"jsonrpc":"2.0",)";

std::string IdMember(std::string_view id) {
  return std::string(kOpen).append(R"("id":)").append(id.empty() ? "null" : id);
}

std::string ErrorObject(int code, std::string_view message, std::string_view data_json) {
  std::string error = R"({"code":)" + std::to_string(code) + R"(,"message":)" + JsonString(message);
  if (!data_json.empty()) error.append(R"(,"data":)").append(data_json);
  error.push_back('}');
  return error;
}

UpstreamMessage Response(std::string_view id, std::string_view member, std::string_view body) {
  UpstreamMessage response;
  response.shape = Shape::kResponse;
  response.id.assign(id);
  response.is_error = member == "error";
  response.bytes = IdMember(id);
  response.id_at = {response.bytes.size() - id.size(), response.bytes.size()};
  response.bytes.append(",\"").append(member).append("\":");
  response.body = {response.bytes.size(), response.bytes.size() + body.size()};
  response.bytes.append(body).push_back('}');
  return response;
}

ClientMessage Answer(std::string_view id, std::string_view member, std::string_view body) {
  ClientMessage answer;
  answer.shape = Shape::kResponse;
  answer.id.assign(id);
  answer.bytes = IdMember(id).append(",\"").append(member).append("\":").append(body).append("}");
  return answer;
}

}  // namespace

UpstreamMessage ErrorResponse(std::string_view id, int code, std::string_view message,
                              std::string_view data_json) {
  UpstreamMessage response = Response(id, "error", ErrorObject(code, message, data_json));
  response.error_code = code;
  return response;
}

UpstreamMessage ToolErrorResult(std::string_view id, Era era, std::string_view text,
                                std::string_view meta_json) {
  std::string result =
      R"({"content":[{"type":"text","text":)" + JsonString(text) + R"(}],"isError":true)";
  if (era == Era::kModern) result.append(R"(,"resultType":"complete")");
  if (!meta_json.empty()) result.append(R"(,"_meta":)").append(meta_json);
  result.push_back('}');
  return Response(id, "result", result);
}

UpstreamMessage ResultResponse(std::string_view id, std::string_view result_json) {
  return Response(id, "result", result_json);
}

UpstreamMessage ProgressNotification(std::string_view token, double progress,
                                     std::string_view message) {
  std::string params = R"({"progressToken":)";
  params.append(token).append(R"(,"progress":)").append(absl::StrCat(progress));
  params.append(R"(,"message":)").append(JsonString(message)).push_back('}');
  UpstreamMessage notification = ServerNotification("notifications/progress", params);
  notification.progress_token = std::string(token);
  return notification;
}

UpstreamMessage ServerNotification(std::string_view method, std::string_view params_json) {
  UpstreamMessage notification;
  notification.shape = Shape::kNotification;
  notification.method.assign(method);
  notification.bytes = std::string(kOpen).append(R"("method":)").append(JsonString(method));
  if (!params_json.empty()) {
    notification.bytes.append(R"(,"params":)");
    notification.body = {notification.bytes.size(), notification.bytes.size() + params_json.size()};
    notification.bytes.append(params_json);
  }
  notification.bytes.push_back('}');
  return notification;
}

ClientMessage OwnRequest(std::string_view id, std::string_view method,
                         std::string_view params_json) {
  std::string bytes = IdMember(id);
  bytes.append(R"(,"method":)").append(JsonString(method));
  bytes.append(R"(,"params":)").append(params_json).push_back('}');
  return *ScanClientMessage(std::move(bytes));
}

ClientMessage ErrorAnswer(std::string_view id, int code, std::string_view message) {
  return Answer(id, "error", ErrorObject(code, message, {}));
}

ClientMessage ResultAnswer(std::string_view id, std::string_view result_json) {
  return Answer(id, "result", result_json);
}

ClientMessage CancelledNotification(std::string_view request_id, std::string_view reason) {
  ClientMessage notification;
  notification.shape = Shape::kNotification;
  notification.method = "notifications/cancelled";
  notification.cancelled_id = std::string(request_id);
  notification.bytes = std::string(kOpen).append(R"("method":"notifications/cancelled","params":)");
  std::string params = R"({"requestId":)";
  params.append(request_id).append(R"(,"reason":)").append(JsonString(reason)).push_back('}');
  notification.params = {notification.bytes.size(), notification.bytes.size() + params.size()};
  notification.bytes.append(params).push_back('}');
  return notification;
}

std::string WithId(std::string_view response, std::string_view id) {
  JsonIndex index;
  if (index.Parse(response, JsonLimits{.max_bytes = response.size()}) != JsonError::kNone)
    return {};
  const JsonNode* old = index.Member(&index.root(), "id");
  if (old == nullptr) return {};
  Splicer splicer(response);
  splicer.Replace(old->begin, old->end, id);
  return splicer.Finish();
}

}  // namespace sallyport::agent
