#include "agent/mcp/listen_notice.h"

#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
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

std::string Notice(std::string_view why) {
  return absl::StrCat("\"", ToAbsl(kLeftOut), R"(":{"reason":"policy_denied","message":)",
                      JsonString(why), "}");
}

bool ClaimsNothing(const JsonNode& claim) {
  return claim.type == JsonType::kFalse || claim.type == JsonType::kNull;
}

// Of what `claims` says is honoured, each kind by its name, that which `wishes` does not name.
void CutUnasked(Splicer& splicer, const JsonIndex& index, const JsonNode& claims,
                const JsonIndex& asked, const JsonNode* wishes) {
  CutChildren(splicer, index, claims, [&](const JsonNode& claim) {
    if (ClaimsNothing(claim)) return false;
    const JsonNode* wish = asked.Member(wishes, claim.key);
    if (wish == nullptr || wish->type != claim.type) return true;
    if (!claim.is_array()) return false;
    absl::flat_hash_set<absl::string_view> wanted;
    for (const JsonNode& one : asked.Children(*wish)) {
      if (one.is_string()) wanted.insert(ToAbsl(one.text));
    }
    CutChildren(splicer, index, claim, [&](const JsonNode& one) {
      return !one.is_string() || !wanted.contains(ToAbsl(one.text));
    });
    return false;
  });
}

// What stands between a first member and those of `object` that stay.
std::string_view CommaBefore(const JsonIndex& index, const JsonNode& object,
                             bool (*is_cut)(const JsonNode&)) {
  for (const JsonNode& member : index.Children(object)) {
    if (!is_cut(member)) return ",";
  }
  return {};
}

}  // namespace

absl::StatusOr<UpstreamMessage> NarrowAcknowledgement(UpstreamMessage message,
                                                      const ClientMessage& listen,
                                                      std::string_view why) {
  if (message.method != "notifications/subscriptions/acknowledged") return message;
  JsonIndex index;
  JsonIndex asked;
  if (index.Parse(message.bytes, JsonLimits{.max_bytes = message.bytes.size()}) !=
          JsonError::kNone ||
      asked.Parse(listen.bytes, JsonLimits{.max_bytes = listen.bytes.size()}) != JsonError::kNone) {
    return Untellable();
  }
  const JsonNode* params = index.Member(&index.root(), "params");
  const JsonNode* meta = index.Member(params, "_meta");
  if (params == nullptr || !params->is_object() || (meta != nullptr && !meta->is_object())) {
    if (!why.empty()) return Untellable();
    return message;
  }
  Splicer splicer(message.bytes);
  if (!why.empty() && meta == nullptr) {
    const auto none = [](const JsonNode&) { return false; };
    splicer.Replace(
        params->begin + 1, params->begin + 1,
        absl::StrCat(R"("_meta":{)", Notice(why), "}", ToAbsl(CommaBefore(index, *params, none))));
  }
  const JsonNode* wishes = asked.Member(asked.Member(&asked.root(), "params"), "notifications");
  CutChildren(splicer, index, *params, [&](const JsonNode& member) {
    if (&member == meta) {
      if (!why.empty()) {
        splicer.Replace(meta->begin + 1, meta->begin + 1,
                        absl::StrCat(Notice(why), ToAbsl(CommaBefore(index, *meta, IsOurs))));
      }
      CutChildren(splicer, index, *meta, IsOurs);
    } else if (member.key == "notifications" && !member.is_object()) {
      splicer.Replace(member.begin, member.end, "{}");
    } else if (member.key == "notifications") {
      CutUnasked(splicer, index, member, asked, wishes);
    }
    return false;
  });
  if (!splicer.is_changed()) return message;
  return ScanAgain(splicer.Finish(), message);
}

}  // namespace sallyport::agent
