#include "agent/mcp/message_scan.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "agent/mcp/json_rpc.h"
#include "common/json_string.h"
#include "common/strings.h"

namespace sallyport::agent {

using types::v1::DenialReason;

namespace {

// Longer ids would be kept for every request in flight.
constexpr std::size_t kMaxIdBytes = 1024;

// -?(0|[1-9][0-9]*): a fraction or an exponent in an id reads differently in different servers.
bool IsInteger(std::string_view literal) {
  if (literal == "-0") return false;
  if (!literal.empty() && literal[0] == '-') literal.remove_prefix(1);
  return !literal.empty() &&
         std::all_of(literal.begin(), literal.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// One spelling for each string, so that an id which a server escapes in its own way is still the
// same id.
std::string Literal(const JsonIndex& index, const JsonNode& node) {
  return node.is_string() ? JsonString(node.text) : std::string(index.Raw(node));
}

bool IsId(const JsonIndex& index, const JsonNode& node) {
  if (node.end - node.begin > kMaxIdBytes) return false;
  if (node.is_string()) return true;
  return node.type == JsonType::kNumber && IsInteger(index.Raw(node));
}

bool IsObjectOrNone(const JsonNode* node) { return node == nullptr || node->is_object(); }

}  // namespace

absl::Status MessageScan::Run() {
  if (!index_.root().is_object()) return Invalid("a batch, or not an object");
  if (!ReadObjects()) return Invalid("a member name differs from a protocol name only in case");
  const JsonNode* const version = root["jsonrpc"];
  if (version == nullptr || version->text != "2.0") return Invalid("jsonrpc is not \"2.0\"");
  if (root["id"] != nullptr && !IsId(index_, *root["id"]) && !AnswersNobody()) {
    return Invalid("id is neither a string nor an integer");
  }
  if (!IsObjectOrNone(root["params"])) return Invalid("params is not an object");
  return root["method"] != nullptr ? JudgeRequest() : JudgeResponse();
}

bool MessageScan::ReadObjects() {
  return root.Read(index_, &index_.root()) && params.Read(index_, root["params"]) &&
         meta.Read(index_, params["_meta"]) &&
         notifications.Read(index_, params["notifications"]) && ref.Read(index_, params["ref"]) &&
         result.Read(index_, root["result"]) && result_meta.Read(index_, result["_meta"]) &&
         error.Read(index_, root["error"]);
}

bool MessageScan::AnswersNobody() const {
  const JsonNode* const id = root["id"];
  return speaker_ == Speaker::kServer && root["error"] != nullptr && root["method"] == nullptr &&
         (id == nullptr || id->type == JsonType::kNull);
}

absl::Status MessageScan::JudgeRequest() {
  if (!root["method"]->is_string() || root["method"]->text.empty()) {
    return Invalid("method is not a string");
  }
  if (root["result"] != nullptr || root["error"] != nullptr) {
    return Invalid("both a request and a response");
  }
  shape_ = root["id"] == nullptr ? Shape::kNotification : Shape::kRequest;
  return IsObjectOrNone(params["_meta"]) ? absl::OkStatus() : Invalid("_meta is not an object");
}

absl::Status MessageScan::JudgeResponse() {
  if (root["id"] == nullptr && !AnswersNobody()) return Invalid("neither a method nor an id");
  if (root["params"] != nullptr) return Invalid("a response with params");
  if ((root["result"] == nullptr) == (root["error"] == nullptr)) {
    return Invalid("not exactly one of result and error");
  }
  shape_ = Shape::kResponse;
  if (root["result"] != nullptr) {
    if (!root["result"]->is_object()) return Invalid("result is not an object");
    return IsObjectOrNone(result["_meta"]) ? absl::OkStatus() : Invalid("_meta is not an object");
  }
  const JsonNode* const code = error["code"];
  const JsonNode* const message = error["message"];
  if (code == nullptr || code->type != JsonType::kNumber || !IsInteger(index_.Raw(*code)) ||
      message == nullptr || !message->is_string()) {
    return Invalid("error has no code or no message");
  }
  return absl::OkStatus();
}

absl::Status MessageScan::Invalid(std::string_view what) const {
  return ScanRefusal(speaker_ == Speaker::kClient ? DenialReason::DENIAL_REASON_MESSAGE_INVALID
                                                  : DenialReason::DENIAL_REASON_UPSTREAM_INVALID,
                     rpc_code::kInvalidRequest, what);
}

absl::Status MessageScan::InvalidParams(std::string_view what) const {
  return ScanRefusal(DenialReason::DENIAL_REASON_MESSAGE_INVALID, rpc_code::kInvalidParams, what,
                     IdLiteral());
}

std::string MessageScan::IdLiteral() const {
  const JsonNode* const id = root["id"];
  return id == nullptr || AnswersNobody() ? std::string() : Literal(index_, *id);
}

int MessageScan::ErrorCode() const {
  const JsonNode* const code = error["code"];
  int value = 0;
  return code != nullptr && absl::SimpleAtoi(ToAbsl(index_.Raw(*code)), &value) ? value : 0;
}

absl::StatusOr<std::string> MessageScan::TokenOf(const JsonNode& node) const {
  if (node.end - node.begin > kMaxIdBytes ||
      (!node.is_string() && node.type != JsonType::kNumber)) {
    constexpr std::string_view kWhat = "a token is neither a string nor a number";
    return speaker_ == Speaker::kClient ? InvalidParams(kWhat) : Invalid(kWhat);
  }
  return Literal(index_, node);
}

}  // namespace sallyport::agent
