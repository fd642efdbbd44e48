#include "agent/mcp/tool_headers.h"

#include <algorithm>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "agent/mcp/json_index.h"
#include "agent/mcp/modern_headers.h"
#include "common/json_string.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

constexpr std::string_view kAnnotation = "x-mcp-header";
constexpr std::string_view kPrefix = "mcp-param-";
constexpr std::size_t kMaxRepeated = 64;

std::string_view BodyOf(const UpstreamMessage& message) {
  return std::string_view(message.bytes).substr(message.body.begin, message.body.size());
}
std::string_view ArgumentsOf(const ClientMessage& call) {
  return std::string_view(call.bytes).substr(call.arguments.begin, call.arguments.size());
}

// RFC 9110, 5.6.2.
bool IsToken(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

const JsonNode* At(const JsonIndex& index, const std::vector<std::string>& path) {
  const JsonNode* node = &index.root();
  for (const std::string& name : path) node = index.Member(node, name);
  return node;
}

// As the header says it: strings as they are, numbers and booleans by their literal. nullopt: no
// header is expected.
std::optional<std::string> ValueOf(const JsonIndex& index, const JsonNode* node) {
  if (node == nullptr) return std::nullopt;
  switch (node->type) {
    case JsonType::kString:
      return std::string(node->text);
    case JsonType::kTrue:
    case JsonType::kFalse:
    case JsonType::kNumber:
      return std::string(index.Raw(*node));
    default:
      return std::nullopt;
  }
}

bool IsSameNumber(const std::string& a, const std::string& b) {
  char* end = nullptr;
  const double x = std::strtod(a.c_str(), &end);
  if (a.empty() || end != a.c_str() + a.size()) return false;
  const double y = std::strtod(b.c_str(), &end);
  return !b.empty() && end == b.c_str() + b.size() && x == y;
}

}  // namespace

bool ToolHeaders::Learn(const UpstreamMessage& list, std::string& next_cursor) {
  next_cursor.clear();
  if (list.shape != Shape::kResponse || list.is_error) return false;
  JsonIndex index;
  const std::string_view result = BodyOf(list);
  if (index.Parse(result, JsonLimits{.max_bytes = result.size()}) != JsonError::kNone) return false;
  const JsonNode* tools = index.Member(&index.root(), "tools");
  if (tools == nullptr || !tools->is_array()) return false;
  for (const JsonNode& tool : index.Children(*tools)) {
    const JsonNode* name = index.Member(&tool, "name");
    if (name == nullptr || !name->is_string()) continue;
    std::vector<Repeated> repeated;
    // Only a chain of `properties` leads to a property; an annotation anywhere else means nothing.
    std::vector<std::pair<const JsonNode*, std::vector<std::string>>> left;
    left.emplace_back(index.Member(&tool, "inputSchema"), std::vector<std::string>());
    while (!left.empty()) {
      const auto [schema, path] = std::move(left.back());
      left.pop_back();
      const JsonNode* header = path.empty() ? nullptr : index.Member(schema, kAnnotation);
      if (header != nullptr && IsToken(header->text) && repeated.size() < kMaxRepeated) {
        const JsonNode* type = index.Member(schema, "type");
        const bool is_number =
            type != nullptr && (type->text == "integer" || type->text == "number");
        repeated.push_back(
            {path, absl::StrCat(ToAbsl(kPrefix), absl::AsciiStrToLower(ToAbsl(header->text))),
             is_number});
      }
      const JsonNode* properties = index.Member(schema, "properties");
      if (properties == nullptr || !properties->is_object()) continue;
      for (const JsonNode& property : index.Children(*properties)) {
        std::vector<std::string> inner = path;
        inner.emplace_back(property.key);
        left.emplace_back(&property, std::move(inner));
      }
    }
    tools_[std::string(name->text)] = std::move(repeated);
  }
  if (const JsonNode* cursor = index.Member(&index.root(), "nextCursor");
      cursor != nullptr && cursor->is_string()) {
    next_cursor = JsonString(cursor->text);
  }
  return true;
}

bool ToolHeaders::Knows(std::string_view tool) const { return tools_.contains(ToAbsl(tool)); }

std::optional<std::string> ToolHeaders::Disagreement(
    const ClientMessage& call,
    absl::FunctionRef<std::optional<std::string_view>(std::string_view)> find) const {
  const auto tool = tools_.find(call.target);
  if (tool == tools_.end() || tool->second.empty() || call.arguments.empty()) return std::nullopt;
  JsonIndex index;
  const std::string_view arguments = ArgumentsOf(call);
  if (index.Parse(arguments, JsonLimits{.max_bytes = arguments.size()}) != JsonError::kNone) {
    return "the arguments are not clean JSON";
  }
  for (const Repeated& repeated : tool->second) {
    const std::optional<std::string> value = ValueOf(index, At(index, repeated.path));
    if (!value) continue;
    const std::optional<std::string_view> header = find(repeated.header);
    if (!header) return absl::StrCat(repeated.header, " is missing");
    const std::optional<std::string> decoded = DecodeHeaderValue(*header);
    if (!decoded) return absl::StrCat(repeated.header, " is not canonical Base64");
    if (*decoded != *value && !(repeated.is_number && IsSameNumber(*decoded, *value))) {
      return absl::StrCat(repeated.header, " has another value than the argument");
    }
  }
  return std::nullopt;
}

std::vector<std::pair<std::string, std::string>> ToolHeaders::FieldsFor(
    const ClientMessage& call) const {
  std::vector<std::pair<std::string, std::string>> fields;
  const auto tool = tools_.find(call.target);
  if (tool == tools_.end() || tool->second.empty() || call.arguments.empty()) return fields;
  JsonIndex index;
  const std::string_view arguments = ArgumentsOf(call);
  if (index.Parse(arguments, JsonLimits{.max_bytes = arguments.size()}) != JsonError::kNone) {
    return fields;
  }
  for (const Repeated& repeated : tool->second) {
    const std::optional<std::string> value = ValueOf(index, At(index, repeated.path));
    if (value) fields.emplace_back(repeated.header, EncodeHeaderValue(*value));
  }
  return fields;
}

}  // namespace sallyport::agent
