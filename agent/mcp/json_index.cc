#include "agent/mcp/json_index.h"

#include <simdjson.h>

#include <algorithm>
#include <cstring>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "agent/mcp/json_text.h"

namespace sallyport::agent {
namespace {

// Above this the work memory of a message is given back when the next one comes.
constexpr std::size_t kKeptBytes = 1u << 20;
constexpr std::size_t kKeptNodes = 1u << 14;
// A longer text is not copied for being compared with later: the second parse is a small part of
// what such a message costs.
constexpr std::size_t kCopiedBytes = 64u << 10;

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// The first quote or backslash in [p, end), or end. Bytes before `readable` may be looked at too: a
// short string is then one step.
const char* FindQuoteOrBackslash(const char* p, const char* end,
                                 [[maybe_unused]] const char* readable) {
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i backslash = _mm_set1_epi8('\\');
  for (; p < end && readable - p >= 16; p += 16) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const int hits =
        _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, backslash)));
    if (hits != 0) return std::min(p + __builtin_ctz(static_cast<unsigned>(hits)), end);
  }
#endif
  while (p < end && *p != '"' && *p != '\\') ++p;
  return std::min(p, end);
}

// RFC 8259: -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?
bool IsNumber(std::string_view s) {
  std::size_t i = 0;
  const auto digits = [&] {
    const std::size_t from = i;
    while (i < s.size() && IsDigit(s[i])) ++i;
    return i > from;
  };
  if (i < s.size() && s[i] == '-') ++i;
  if (i < s.size() && s[i] == '0') {
    ++i;
  } else if (!digits()) {
    return false;
  }
  if (i < s.size() && s[i] == '.') {
    ++i;
    if (!digits()) return false;
  }
  if (i < s.size() && (s[i] == 'e' || s[i] == 'E')) {
    ++i;
    if (i < s.size() && (s[i] == '+' || s[i] == '-')) ++i;
    if (!digits()) return false;
  }
  return i == s.size();
}

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

struct JsonIndex::Stage1 {
  std::unique_ptr<simdjson::internal::dom_parser_implementation> parser;
};

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
  nodes_.clear();
  decoded_.clear();
  if (nodes_.capacity() > kKeptNodes) std::vector<JsonNode>().swap(nodes_);
  if (decoded_.capacity() > kKeptBytes) std::string().swap(decoded_);
  if (json.empty()) return JsonError::kSyntax;
  if (json.size() > limits.max_bytes || json.size() > (1u << 31)) return JsonError::kTooLarge;

  std::unique_ptr<simdjson::internal::dom_parser_implementation>& parser = stage1_->parser;
  if (parser != nullptr && parser->capacity() > kKeptBytes && json.size() <= kKeptBytes) {
    parser.reset();
  }
  if (parser == nullptr || parser->capacity() < json.size()) {
    const std::size_t capacity = std::max<std::size_t>(json.size(), 4096);
    if (simdjson::get_active_implementation()->create_dom_parser_implementation(
            capacity, 1, parser) != simdjson::SUCCESS) {
      parser.reset();
      return JsonError::kTooLarge;
    }
  }
  switch (parser->stage1(reinterpret_cast<const std::uint8_t*>(json.data()), json.size(),
                         simdjson::stage1_mode::regular)) {
    case simdjson::SUCCESS:
      break;
    case simdjson::UTF8_ERROR:
      return JsonError::kNotUtf8;
    case simdjson::UNESCAPED_CHARS:
      return JsonError::kBadString;
    default:
      return JsonError::kSyntax;
  }
  const JsonError error = Walk(limits);
  if (error != JsonError::kNone) nodes_.clear();
  return error;
}

JsonError JsonIndex::ReadString(std::uint32_t begin, std::uint32_t limit, std::uint32_t& end,
                                std::string_view& text) {
  const char* const first = json_.data() + begin + 1;
  const char* const last = json_.data() + limit;
  const char* const readable = json_.data() + json_.size();
  const char* p = FindQuoteOrBackslash(first, last, readable);
  const bool is_plain = p != last && *p == '"';
  while (p != last && *p != '"') {
    if (last - p < 2) return JsonError::kSyntax;
    p = FindQuoteOrBackslash(p + 2, last, readable);
  }
  if (p == last) return JsonError::kSyntax;
  text = std::string_view(first, static_cast<std::size_t>(p - first));
  if (!is_plain) {
    if (decoded_.capacity() < json_.size()) decoded_.reserve(json_.size());
    const std::size_t from = decoded_.size();
    if (!AppendJsonUnescaped(decoded_, text)) return JsonError::kBadString;
    text = std::string_view(decoded_).substr(from);
  }
  end = static_cast<std::uint32_t>(p + 1 - json_.data());
  while (++p != last) {
    if (!IsSpace(*p)) return JsonError::kSyntax;
  }
  return JsonError::kNone;
}

JsonError JsonIndex::ReadScalar(JsonNode& node, std::uint32_t limit, const JsonLimits& limits) {
  if (json_[node.begin] == '"') {
    node.type = JsonType::kString;
    return ReadString(node.begin, limit, node.end, node.text);
  }
  std::uint32_t end = limit;
  while (end > node.begin && IsSpace(json_[end - 1])) --end;
  node.end = end;
  const std::string_view raw = Raw(node);
  if (raw == "true") {
    node.type = JsonType::kTrue;
  } else if (raw == "false") {
    node.type = JsonType::kFalse;
  } else if (raw == "null") {
    node.type = JsonType::kNull;
  } else {
    node.type = JsonType::kNumber;
    if (!IsNumber(raw)) return JsonError::kSyntax;
    if (raw.size() > limits.max_number_chars) return JsonError::kNumberTooLong;
  }
  return JsonError::kNone;
}

JsonError JsonIndex::Walk(const JsonLimits& limits) {
  const std::uint32_t* token = stage1_->parser->structural_indexes.get();
  const std::uint32_t* const tokens_end = token + stage1_->parser->n_structural_indexes;
  const auto size = static_cast<std::uint32_t>(json_.size());
  const auto limit = [&] { return token == tokens_end ? size : *token; };  // of the token before
  std::uint32_t container = JsonNode::kNone;
  std::size_t depth = 0;
  std::size_t members[256];
  const std::size_t max_depth = std::min<std::size_t>(limits.max_depth, 255);

  // One round reads one value, with its name if it is a member, and then what may follow a value.
  for (bool is_after_open = false;;) {
    if (token == tokens_end) return JsonError::kSyntax;
    std::uint32_t at = *token++;
    bool is_closing = false;
    JsonNode node;
    if (container != JsonNode::kNone) {
      const bool in_object = nodes_[container].is_object();
      if (is_after_open && json_[at] == (in_object ? '}' : ']')) {
        is_closing = true;
      } else if (in_object) {
        if (json_[at] != '"') return JsonError::kSyntax;
        node.key_begin = at;
        if (JsonError e = ReadString(at, limit(), node.key_end, node.key); e != JsonError::kNone) {
          return e;
        }
        if (node.key.find('\0') != std::string_view::npos) return JsonError::kNulInName;
        if (token == tokens_end || json_[*token++] != ':') return JsonError::kSyntax;
        if (token == tokens_end) return JsonError::kSyntax;
        if (++members[depth] > limits.max_keys_per_object) return JsonError::kTooManyMembers;
        at = *token++;
      }
    }
    if (!is_closing) {
      if (nodes_.size() >= limits.max_nodes) return JsonError::kTooManyNodes;
      node.begin = at;
      node.parent = container;
      node.depth = static_cast<std::uint8_t>(depth);
      const char c = json_[at];
      if (c == '{' || c == '[') {
        if (++depth > max_depth) return JsonError::kTooDeep;
        members[depth] = 0;
        node.type = c == '{' ? JsonType::kObject : JsonType::kArray;
        container = static_cast<std::uint32_t>(nodes_.size());
        nodes_.push_back(node);
        is_after_open = true;
        continue;
      }
      if (container == JsonNode::kNone) return JsonError::kSyntax;  // a scalar root
      if (JsonError e = ReadScalar(node, limit(), limits); e != JsonError::kNone) return e;
      node.next = static_cast<std::uint32_t>(nodes_.size() + 1);
      nodes_.push_back(node);
    }
    // After a value: a comma, or the ends of containers.
    is_after_open = false;
    for (;;) {
      if (!is_closing) {
        if (token == tokens_end) return JsonError::kSyntax;
        at = *token++;
        if (json_[at] == ',') break;
        if (json_[at] != (nodes_[container].is_object() ? '}' : ']')) return JsonError::kSyntax;
      }
      is_closing = false;
      if (!limits.allow_repeated_names && members[depth] > 1) {
        if (JsonError e = CheckNames(container, members[depth]); e != JsonError::kNone) return e;
      }
      JsonNode& closed = nodes_[container];
      closed.end = at + 1;
      closed.next = static_cast<std::uint32_t>(nodes_.size());
      container = closed.parent;
      --depth;
      if (container == JsonNode::kNone) {
        return token == tokens_end ? JsonError::kNone : JsonError::kSyntax;
      }
    }
  }
}

// Compares names in full, never by hash: nobody can choose names that make this slow.
JsonError JsonIndex::CheckNames(std::uint32_t object, std::size_t members) {
  constexpr std::size_t kPairwise = 8;
  names_.clear();
  const auto end = static_cast<std::uint32_t>(nodes_.size());
  for (std::uint32_t i = object + 1; i != end; i = nodes_[i].next) {
    const std::string_view key = nodes_[i].key;
    if (members <= kPairwise) {
      for (std::string_view other : names_) {
        if (other == key) return JsonError::kRepeatedName;
      }
    }
    names_.push_back(key);
  }
  if (members <= kPairwise) return JsonError::kNone;
  std::sort(names_.begin(), names_.end());
  return std::adjacent_find(names_.begin(), names_.end()) == names_.end()
             ? JsonError::kNone
             : JsonError::kRepeatedName;
}

const JsonNode* JsonIndex::Member(const JsonNode* object, std::string_view name) const {
  if (object == nullptr || !object->is_object()) return nullptr;
  for (const JsonNode& member : Children(*object)) {
    if (member.key == name) return &member;
  }
  return nullptr;
}

}  // namespace sallyport::agent
