#include "agent/mcp/json_index.h"

#include <algorithm>

#include "agent/mcp/json_walk.h"

namespace sallyport::agent {
namespace {

// Above this the work memory of a message is given back when the next one comes.
constexpr std::size_t kKeptBytes = 1u << 20;
constexpr std::size_t kKeptNodes = 1u << 14;
// A longer text is not copied for being compared with later: the second parse is a small part of
// what such a message costs.
constexpr std::size_t kCopiedBytes = 64u << 10;

}  // namespace

std::string_view JsonErrorText(JsonError error) {
  switch (error) {
    case JsonError::kNone:
      return "no error";
    case JsonError::kSyntax:
      return "not one JSON object";
    case JsonError::kNotUtf8:
      return "not UTF-8";
    case JsonError::kBadString:
      return "a bad escape or a control character in a string";
    case JsonError::kNulInName:
      return "a member name holds a NUL";
    case JsonError::kTooLarge:
      return "too many bytes";
    case JsonError::kTooDeep:
      return "nested too deep";
    case JsonError::kTooManyNodes:
      return "too many values";
    case JsonError::kTooManyMembers:
      return "too many members in an object";
    case JsonError::kNumberTooLong:
      return "a number is too long";
    case JsonError::kRepeatedName:
      return "a member name is repeated";
  }
  return "invalid JSON";
}

JsonIndex::JsonIndex() : stage1_(std::make_unique<Stage1>()) {}
JsonIndex::~JsonIndex() = default;

JsonError JsonIndex::ParseCopy(std::string_view json, const JsonLimits& limits) {
  if (json.size() > kCopiedBytes) return Parse(json, limits);
  copy_.assign(json);
  const JsonError error = Parse(copy_, limits);
  is_copy_ = true;
  return error;
}

JsonError JsonIndex::Parse(std::string_view json, const JsonLimits& limits) {
  json_ = json;
  is_copy_ = false;
  size_ = 0;
  decoded_.clear();
  if (nodes_.size() > kKeptNodes) std::vector<JsonNode>().swap(nodes_);
  if (decoded_.capacity() > kKeptBytes) std::string().swap(decoded_);
  if (json.empty()) return JsonError::kSyntax;
  if (json.size() > limits.max_bytes || json.size() > (1u << 31)) return JsonError::kTooLarge;
  if (const JsonError error = FindStructure(); error != JsonError::kNone) return error;
  Walk walk(*this, limits);
  const JsonError error = walk.Run();
  if (error == JsonError::kNone) size_ = walk.size();
  return error;
}

JsonError JsonIndex::FindStructure() {
  std::unique_ptr<simdjson::internal::dom_parser_implementation>& parser = stage1_->parser;
  if (parser != nullptr && parser->capacity() > kKeptBytes && json_.size() <= kKeptBytes) {
    parser.reset();
  }
  if (parser == nullptr || parser->capacity() < json_.size()) {
    const std::size_t capacity = std::max<std::size_t>(json_.size(), 4096);
    if (simdjson::get_active_implementation()->create_dom_parser_implementation(
            capacity, 1, parser) != simdjson::SUCCESS) {
      parser.reset();
      return JsonError::kTooLarge;
    }
  }
  switch (parser->stage1(reinterpret_cast<const std::uint8_t*>(json_.data()), json_.size(),
                         simdjson::stage1_mode::regular)) {
    case simdjson::SUCCESS:
      return JsonError::kNone;
    case simdjson::UTF8_ERROR:
      return JsonError::kNotUtf8;
    case simdjson::UNESCAPED_CHARS:
      return JsonError::kBadString;
    default:
      return JsonError::kSyntax;
  }
}

const JsonNode* JsonIndex::Member(const JsonNode* object, std::string_view name) const {
  if (object == nullptr || !object->is_object()) return nullptr;
  for (const JsonNode& member : Children(*object)) {
    if (member.key == name) return &member;
  }
  return nullptr;
}

}  // namespace sallyport::agent
