#include "agent/mcp/canonical_arguments.h"

#include <algorithm>
#include <vector>

#include "agent/mcp/json_index.h"
#include "common/denial.h"
#include "common/json_string.h"
#include "common/nearest_double.h"
#include "sallyport/types/v1/denial.pb.h"

namespace sallyport::agent {
namespace {

void AppendCanonical(std::string& out, const JsonIndex& index, const JsonNode& node,
                     Numbers numbers);

void AppendObject(std::string& out, const JsonIndex& index, const JsonNode& object, Numbers numbers,
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
    AppendCanonical(out, index, *member, numbers);
  }
  out.push_back('}');
}

// Depth is bounded by JsonLimits.
void AppendCanonical(std::string& out, const JsonIndex& index, const JsonNode& node,
                     Numbers numbers) {
  switch (node.type) {
    case JsonType::kString:
      AppendJsonString(node.text, &out);
      return;
    case JsonType::kArray: {
      out.push_back('[');
      for (const JsonNode& element : index.Children(node)) {
        if (out.back() != '[') out.push_back(',');
        AppendCanonical(out, index, element, numbers);
      }
      out.push_back(']');
      return;
    }
    case JsonType::kObject:
      AppendObject(out, index, node, numbers, [](std::string_view) { return false; });
      return;
    case JsonType::kNumber:
      out.append(numbers == Numbers::kAsDoubles ? NearestDouble(index.Raw(node))
                                                : std::string(index.Raw(node)));
      return;
    default:
      out.append(index.Raw(node));
      return;
  }
}

}  // namespace

std::string CanonicalValue(const JsonIndex& index, const JsonNode& value) {
  std::string out;
  AppendCanonical(out, index, value, Numbers::kAsWritten);
  return out;
}

std::string CanonicalObject(const JsonIndex& index, const JsonNode& object,
                            absl::FunctionRef<bool(std::string_view)> is_left_out) {
  std::string out;
  AppendObject(out, index, object, Numbers::kAsWritten, is_left_out);
  return out;
}

absl::StatusOr<std::string> CanonicalArguments(std::string_view json, Numbers numbers) {
  std::string out;
  if (json.empty()) return out;
  JsonIndex index;
  const JsonError error = index.Parse(json, JsonLimits{.max_bytes = json.size()});
  if (error != JsonError::kNone) {
    return Denied(types::v1::DenialReason::DENIAL_REASON_MESSAGE_INVALID, JsonErrorText(error));
  }
  out.reserve(json.size());
  AppendCanonical(out, index, index.root(), numbers);
  return out;
}

}  // namespace sallyport::agent
