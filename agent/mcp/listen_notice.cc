#include "agent/mcp/listen_notice.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/mcp/json_index.h"
#include "agent/mcp/json_scan.h"
#include "agent/mcp/json_splice.h"
#include "common/denial.h"
#include "common/json_string.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

constexpr std::string_view kLeftOut = "sallyport/leftOut";

absl::Status Untellable() {
  return Denied(types::v1::DENIAL_REASON_UPSTREAM_INVALID,
                "the server's acknowledgement of the subscription is not one");
}

bool IsOurs(const JsonNode& member) { return member.key == kLeftOut; }

// What stands between a first member and those of `object` that stay.
std::string_view CommaBefore(const JsonIndex& index, const JsonNode& object,
                             bool (*is_cut)(const JsonNode&)) {
  for (const JsonNode& member : index.Children(object)) {
    if (!is_cut(member)) return ",";
  }
  return {};
}

}  // namespace

absl::StatusOr<UpstreamMessage> TellLeftOut(UpstreamMessage message, std::string_view why) {
  if (message.method != "notifications/subscriptions/acknowledged") return message;
  JsonIndex index;
  if (index.Parse(message.bytes, JsonLimits{.max_bytes = message.bytes.size()}) !=
      JsonError::kNone) {
    return Untellable();
  }
  const JsonNode* params = index.Member(&index.root(), "params");
  const JsonNode* meta = index.Member(params, "_meta");
  if (params == nullptr || !params->is_object() || (meta != nullptr && !meta->is_object())) {
    if (!why.empty()) return Untellable();
    return message;
  }
  Splicer splicer(message.bytes);
  if (!why.empty()) {
    const std::string ours = absl::StrCat(
        "\"", ToAbsl(kLeftOut), R"(":{"reason":"policy_denied","message":)", JsonString(why), "}");
    if (meta != nullptr) {
      splicer.Replace(meta->begin + 1, meta->begin + 1,
                      absl::StrCat(ours, ToAbsl(CommaBefore(index, *meta, IsOurs))));
    } else {
      const auto none = [](const JsonNode&) { return false; };
      splicer.Replace(
          params->begin + 1, params->begin + 1,
          absl::StrCat(R"("_meta":{)", ours, "}", ToAbsl(CommaBefore(index, *params, none))));
    }
  }
  if (meta != nullptr) CutChildren(splicer, index, *meta, IsOurs);
  if (!splicer.is_changed()) return message;
  return ScanAgain(splicer.Finish(), message);
}

}  // namespace sallyport::agent
