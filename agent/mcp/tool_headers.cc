#include "agent/mcp/tool_headers.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "agent/mcp/exact_number.h"
#include "agent/mcp/json_index.h"
#include "agent/mcp/modern_headers.h"
#include "common/json_string.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

constexpr std::string_view kAnnotation = "x-mcp-header";
constexpr std::string_view kPrefix = "mcp-param-";
constexpr std::size_t kMaxRepeated = 64;
constexpr std::size_t kMaxPathBytes = std::size_t{16} << 10;
constexpr std::size_t kMaxKeptBytes = std::size_t{4} << 20;

std::string_view BodyOf(const UpstreamMessage& message) {
  return std::string_view(message.bytes).substr(message.body.begin, message.body.size());
}
std::string_view ArgumentsOf(const ClientMessage& call) {
  return std::string_view(call.bytes).substr(call.arguments.begin, call.arguments.size());
}

bool Parse(JsonIndex& index, std::string_view json) {
  return index.Parse(json, JsonLimits{.max_bytes = json.size()}) == JsonError::kNone;
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

// What a header says of an argument.
struct Value {
  std::string text;
  std::optional<ExactNumber> number;
  bool must_be_said = true;

  bool IsSaidBy(std::string_view header) const {
    return header == text || (number && ExactNumber::Parse(header) == number);
  }
};

// nullopt: nothing.
std::optional<Value> ValueOf(const JsonIndex& index, const JsonNode* node) {
  if (node == nullptr) return std::nullopt;
  switch (node->type) {
    case JsonType::kString:
      return Value{.text = std::string(node->text)};
    case JsonType::kTrue:
    case JsonType::kFalse:
      return Value{.text = std::string(index.Raw(*node))};
    case JsonType::kNumber: {
      Value value{.number = ExactNumber::Parse(index.Raw(*node))};
      const std::optional<std::string> plain = value.number ? value.number->Plain() : std::nullopt;
      value.text = plain.value_or(std::string(index.Raw(*node)));
      value.must_be_said = plain && !value.number->is_unsafe_integer();
      return value;
    }
    default:
      return std::nullopt;
  }
}

}  // namespace

// Walks one input schema.
class ToolHeaders::Schema {
 public:
  explicit Schema(const JsonIndex& index) : index_(index) {}

  std::vector<Repeated> Read(const JsonNode* root) {
    Descend(root);
    std::ranges::sort(found_, {}, &Repeated::header);
    const bool is_twice = std::ranges::adjacent_find(found_, {}, &Repeated::header) != found_.end();
    if (is_twice || found_.size() > kMaxRepeated) found_.clear();
    return std::move(found_);
  }

 private:
  // Depth is bounded by JsonLimits.
  void Descend(const JsonNode* schema, std::size_t path_bytes = 0) {
    const JsonNode* properties = index_.Member(schema, "properties");
    if (properties == nullptr || !properties->is_object()) return;
    for (const JsonNode& property : index_.Children(*properties)) {
      const std::size_t bytes = path_bytes + property.key.size();
      if (bytes > kMaxPathBytes) continue;
      path_.push_back(property.key);
      const JsonNode* header = index_.Member(&property, kAnnotation);
      if (header != nullptr && IsToken(header->text) && found_.size() <= kMaxRepeated) {
        found_.push_back(
            {std::vector<std::string>(path_.begin(), path_.end()),
             absl::StrCat(ToAbsl(kPrefix), absl::AsciiStrToLower(ToAbsl(header->text)))});
      }
      Descend(&property, bytes);
      path_.pop_back();
    }
  }

  const JsonIndex& index_;
  std::vector<std::string_view> path_;
  std::vector<Repeated> found_;
};

bool ToolHeaders::Learn(const UpstreamMessage& list, std::string& next_cursor) {
  next_cursor.clear();
  if (list.shape != Shape::kResponse || list.is_error) return false;
  JsonIndex index;
  if (!Parse(index, BodyOf(list))) return false;
  const JsonNode* tools = index.Member(&index.root(), "tools");
  if (tools == nullptr || !tools->is_array()) return false;
  for (const JsonNode& tool : index.Children(*tools)) {
    const JsonNode* name = index.Member(&tool, "name");
    if (name == nullptr || !name->is_string()) continue;
    if (!Keep(std::string(name->text), Schema(index).Read(index.Member(&tool, "inputSchema")))) {
      return false;
    }
  }
  if (const JsonNode* cursor = index.Member(&index.root(), "nextCursor");
      cursor != nullptr && cursor->is_string()) {
    next_cursor = JsonString(cursor->text);
  }
  return true;
}

bool ToolHeaders::Keep(std::string tool, std::vector<Repeated> repeated) {
  const auto size = [&tool](const std::vector<Repeated>& all) {
    std::size_t bytes = sizeof tool + tool.size();
    for (const auto& [path, header] : all) {
      bytes += sizeof path + sizeof header + header.size();
      for (const std::string& step : path) bytes += sizeof step + step.size();
    }
    return bytes;
  };
  if (const auto known = tools_.find(tool); known != tools_.end()) {
    kept_bytes_ -= size(known->second);
    tools_.erase(known);
  }
  if (kept_bytes_ + size(repeated) > kMaxKeptBytes) return false;
  kept_bytes_ += size(repeated);
  tools_.emplace(std::move(tool), std::move(repeated));
  return true;
}

bool ToolHeaders::Knows(std::string_view tool) const { return tools_.contains(ToAbsl(tool)); }

const std::vector<ToolHeaders::Repeated>* ToolHeaders::Find(const ClientMessage& call) const {
  const auto tool = call.method == "tools/call" ? tools_.find(call.target) : tools_.end();
  return tool == tools_.end() || tool->second.empty() ? nullptr : &tool->second;
}

std::optional<std::string> ToolHeaders::Disagreement(
    const ClientMessage& call,
    absl::FunctionRef<std::optional<std::string_view>(std::string_view)> find) const {
  const std::vector<Repeated>* repeated = Find(call);
  if (repeated == nullptr) return std::nullopt;
  JsonIndex index;
  if (!Parse(index, call.arguments.empty() ? "{}" : ArgumentsOf(call))) {
    return "the arguments are not clean JSON";
  }
  for (const auto& [path, name] : *repeated) {
    const std::optional<Value> value = ValueOf(index, At(index, path));
    const std::optional<std::string_view> header = find(name);
    if (!header) {
      if (value && value->must_be_said) return absl::StrCat(name, " is missing");
      continue;
    }
    const std::optional<std::string> decoded = DecodeHeaderValue(*header);
    if (!decoded) return absl::StrCat(name, " is not canonical Base64");
    if (!value) return absl::StrCat(name, " has a value, its argument has none");
    if (!value->IsSaidBy(*decoded)) {
      return absl::StrCat(name, " has another value than the argument");
    }
  }
  return std::nullopt;
}

std::vector<std::pair<std::string, std::string>> ToolHeaders::FieldsFor(
    const ClientMessage& call) const {
  std::vector<std::pair<std::string, std::string>> fields;
  const std::vector<Repeated>* repeated = Find(call);
  JsonIndex index;
  if (repeated == nullptr || call.arguments.empty() || !Parse(index, ArgumentsOf(call))) {
    return fields;
  }
  for (const auto& [path, name] : *repeated) {
    const std::optional<Value> value = ValueOf(index, At(index, path));
    if (value && value->must_be_said) fields.emplace_back(name, EncodeHeaderValue(value->text));
  }
  return fields;
}

}  // namespace sallyport::agent
