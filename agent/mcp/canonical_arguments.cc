#include "agent/mcp/canonical_arguments.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "agent/mcp/json_index.h"
#include "common/denial.h"
#include "common/json_string.h"
#include "sallyport/types/v1/denial.pb.h"

namespace sallyport::agent {
namespace {

void AppendCanonical(std::string& out, const JsonIndex& index, const JsonNode& node);

void AppendObject(std::string& out, const JsonIndex& index, const JsonNode& object,
                  absl::FunctionRef<bool(std::string_view)> is_left_out) {
  std::vector<const JsonNode*> members;
  for (const JsonNode& member : index.Children(object)) {
    if (!is_left_out(member.key)) members.push_back(&member);
  }
  std::sort(members.begin(), members.end(),
            [](const JsonNode* a, const JsonNode* b) { return a->key < b->key; });
  out.push_back('{');
  for (const JsonNode* member : members) {
    if (member != members.front()) out.push_back(',');
    AppendJsonString(member->key, &out);
    out.push_back(':');
    AppendCanonical(out, index, *member);
  }
  out.push_back('}');
}

// Depth is bounded by JsonLimits.
void AppendCanonical(std::string& out, const JsonIndex& index, const JsonNode& node) {
  switch (node.type) {
    case JsonType::kString:
      AppendJsonString(node.text, &out);
      return;
    case JsonType::kArray: {
      out.push_back('[');
      for (const JsonNode& element : index.Children(node)) {
        if (out.back() != '[') out.push_back(',');
        AppendCanonical(out, index, element);
      }
      out.push_back(']');
      return;
    }
    case JsonType::kObject:
      AppendObject(out, index, node, [](std::string_view) { return false; });
      return;
    default:
      out.append(index.Raw(node));
      return;
  }
}

constexpr std::array<std::string_view, 5> kSaidElsewhere = {"name", "uri", "ref", "arguments",
                                                            "requestState"};
constexpr std::array<std::string_view, 4> kOfOneTry = {"progressToken", "traceparent", "tracestate",
                                                       "baggage"};

bool IsBoundInMeta(std::string_view key) {
  return std::ranges::find(kOfOneTry, key) == kOfOneTry.end() &&
         !key.starts_with("io.modelcontextprotocol/");
}

// The members that `is_kept`, sorted, or nothing where there are none.
template <class IsKept, class Append>
std::string CanonicalMembers(const JsonIndex& index, const JsonNode& object, IsKept is_kept,
                             Append append) {
  std::vector<std::pair<std::string, std::string>> members;
  for (const JsonNode& member : index.Children(object)) {
    if (!is_kept(std::string_view(member.key))) continue;
    std::string value = append(member);
    if (!value.empty()) members.emplace_back(member.key, std::move(value));
  }
  if (members.empty()) return {};
  std::ranges::sort(members);
  std::string out;
  for (const auto& [key, value] : members) {
    out.push_back(out.empty() ? '{' : ',');
    AppendJsonString(key, &out);
    out.push_back(':');
    out.append(value);
  }
  out.push_back('}');
  return out;
}

}  // namespace

std::string CanonicalObject(const JsonIndex& index, const JsonNode& object,
                            absl::FunctionRef<bool(std::string_view)> is_left_out) {
  std::string out;
  AppendObject(out, index, object, is_left_out);
  return out;
}

absl::StatusOr<std::string> CanonicalArguments(std::string_view json) {
  std::string out;
  if (json.empty()) return out;
  JsonIndex index;
  const JsonError error = index.Parse(json, JsonLimits{.max_bytes = json.size()});
  if (error != JsonError::kNone) {
    return Denied(types::v1::DenialReason::DENIAL_REASON_MESSAGE_INVALID, JsonErrorText(error));
  }
  out.reserve(json.size());
  AppendCanonical(out, index, index.root());
  return out;
}

absl::StatusOr<std::string> OtherParams(std::string_view params) {
  if (params.empty()) return std::string();
  JsonIndex index;
  const JsonError error = index.Parse(params, JsonLimits{.max_bytes = params.size()});
  if (error != JsonError::kNone) {
    return Denied(types::v1::DenialReason::DENIAL_REASON_MESSAGE_INVALID, JsonErrorText(error));
  }
  const auto whole = [&](const JsonNode& member) {
    std::string value;
    AppendCanonical(value, index, member);
    return value;
  };
  return CanonicalMembers(
      index, index.root(),
      [](std::string_view key) {
        return std::ranges::find(kSaidElsewhere, key) == kSaidElsewhere.end();
      },
      [&](const JsonNode& member) {
        // A client that was asked for nothing may say that it answers nothing.
        const bool is_empty = member.type == JsonType::kObject && whole(member) == "{}";
        if (is_empty && member.key == "inputResponses") return std::string();
        return std::string_view(member.key) == "_meta" && member.type == JsonType::kObject
                   ? CanonicalMembers(index, member, IsBoundInMeta, whole)
                   : whole(member);
      });
}

}  // namespace sallyport::agent
