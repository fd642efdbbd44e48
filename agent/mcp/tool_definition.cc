#include "agent/mcp/tool_definition.h"

#include <utility>

#include "agent/mcp/canonical_arguments.h"
#include "agent/mcp/json_index.h"
#include "common/denial.h"
#include "common/json_string.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

ToolDefinition DefinitionOf(const JsonIndex& index, const JsonNode& tool, const JsonNode& name) {
  ToolDefinition definition{.name = std::string(name.text)};
  definition.json = CanonicalObject(
      index, tool, [](std::string_view member) { return member == "_meta" || member == "icons"; });
  definition.hash = ToHex(Sha256(definition.json));
  return definition;
}

bool Parse(JsonIndex& index, std::string_view json) {
  return index.Parse(json, JsonLimits{.max_bytes = json.size()}) == JsonError::kNone;
}

}  // namespace

absl::StatusOr<ToolDefinition> ReadToolDefinition(std::string_view entry) {
  JsonIndex index;
  const JsonNode* name = Parse(index, entry) ? index.Member(&index.root(), "name") : nullptr;
  if (name == nullptr || !name->is_string()) {
    return Denied(types::v1::DENIAL_REASON_UPSTREAM_INVALID, "the tool has no name");
  }
  return DefinitionOf(index, index.root(), *name);
}

absl::StatusOr<std::vector<ToolDefinition>> ReadToolDefinitions(const UpstreamMessage& list,
                                                                std::string& next_cursor) {
  next_cursor.clear();
  JsonIndex index;
  const bool is_result =
      list.shape == Shape::kResponse && !list.is_error && Parse(index, list.bytes);
  const JsonNode* result = is_result ? index.Member(&index.root(), "result") : nullptr;
  const JsonNode* tools = index.Member(result, "tools");
  if (tools == nullptr || !tools->is_array()) {
    return Denied(types::v1::DENIAL_REASON_UPSTREAM_INVALID, "the result has no list of tools");
  }
  std::vector<ToolDefinition> definitions;
  for (const JsonNode& tool : index.Children(*tools)) {
    const JsonNode* name = index.Member(&tool, "name");
    if (name == nullptr || !name->is_string()) continue;
    definitions.push_back(DefinitionOf(index, tool, *name));
  }
  const JsonNode* cursor = index.Member(result, "nextCursor");
  if (cursor != nullptr && cursor->is_string()) next_cursor = JsonString(cursor->text);
  return definitions;
}

}  // namespace sallyport::agent
