#include "agent/mcp/json_walk.h"

#include <cstring>

#include "agent/mcp/json_text.h"

namespace sallyport::agent {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// RFC 8259: -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?
bool IsNumber(std::string_view s) {
  const char* at = s.data();
  const char* const end = at + s.size();
  const auto has_digits = [&] {
    const char* const first = at;
    while (at != end && IsDigit(*at)) ++at;
    return at != first;
  };
  if (at != end && *at == '-') ++at;
  if (at != end && *at == '0') {
    ++at;
  } else if (!has_digits()) {
    return false;
  }
  if (at != end && *at == '.') {
    ++at;
    if (!has_digits()) return false;
  }
  if (at != end && (*at == 'e' || *at == 'E')) {
    ++at;
    if (at != end && (*at == '+' || *at == '-')) ++at;
    if (!has_digits()) return false;
  }
  return at == end;
}

// Names that differ have different bits most of the time, where there are few.
std::uint64_t NameBit(std::string_view name) {
  if (name.empty()) return 1;
  const auto first = static_cast<unsigned char>(name.front());
  const auto last = static_cast<unsigned char>(name.back());
  return std::uint64_t{1} << ((name.size() * 5 + first * 3u + last * 7u) % 64);
}

void SetNameless(JsonNode& node) {
  node.key_begin = node.key_end = 0;
  node.key = {};
}

}  // namespace

JsonIndex::Walk::Walk(JsonIndex& index, const JsonLimits& limits)
    : index_(index),
      nodes_(index.nodes_.data()),
      room_(index.nodes_.size()),
      limits_(limits),
      json_(index.json_.data()),
      json_size_(static_cast<std::uint32_t>(index.json_.size())),
      token_(index.stage1_->parser->structural_indexes.get()),
      tokens_end_(token_ + index.stage1_->parser->n_structural_indexes),
      has_escapes_(std::memchr(json_, '\\', json_size_) != nullptr),
      max_depth_(std::min(limits.max_depth, kMaxDepth)) {}

inline JsonNode& JsonIndex::Walk::NextNode() {
  if (size_ == room_) {
    room_ = std::max<std::size_t>(64, size_ * 2);
    index_.nodes_.resize(room_);
    nodes_ = index_.nodes_.data();
  }
  JsonNode& node = nodes_[size_];
  node.depth = static_cast<std::uint8_t>(depth_);
  node.parent = depth_ == 0 ? JsonNode::kNone : frames_[depth_].node;
  return node;
}

inline const char* JsonIndex::Walk::ScalarEnd() const {
  const char* end = json_ + (token_ == tokens_end_ ? json_size_ : *token_);
  while (IsSpace(end[-1])) --end;  // what begins the scalar is none
  return end;
}

inline JsonError JsonIndex::Walk::ReadString(std::uint32_t begin, std::uint32_t& end,
                                             std::string_view& text) {
  const char* const first = json_ + begin + 1;
  const char* const last = ScalarEnd() - 1;
  if (last < first || *last != '"') return JsonError::kSyntax;
  end = static_cast<std::uint32_t>(last + 1 - json_);
  text = std::string_view(first, static_cast<std::size_t>(last - first));
  return has_escapes_ ? Unescape(text) : JsonError::kNone;
}

JsonError JsonIndex::Walk::Run() {
  std::uint32_t place = 0;
  if (!Take(place)) return JsonError::kSyntax;
  JsonNode& root = NextNode();
  SetNameless(root);
  root.begin = place;
  if (const JsonError error = Open(root, json_[place]); error != JsonError::kNone) return error;
  // One round reads one value, with its name if it is a member, and then what may follow a value.
  for (bool is_empty = token_ != tokens_end_ && json_[*token_] == frames_[1].closer;;) {
    if (!is_empty) {
      JsonNode& node = NextNode();
      if (frames_[depth_].closer == '}') {
        if (const JsonError error = ReadName(node, place); error != JsonError::kNone) return error;
      } else {
        SetNameless(node);
        if (!Take(place)) return JsonError::kSyntax;
      }
      if (size_ >= limits_.max_nodes) return JsonError::kTooManyNodes;
      node.begin = place;
      const char first = json_[place];
      if (first == '{' || first == '[') {
        if (const JsonError error = Open(node, first); error != JsonError::kNone) return error;
        is_empty = token_ != tokens_end_ && json_[*token_] == frames_[depth_].closer;
        continue;
      }
      if (const JsonError error = ReadScalar(node); error != JsonError::kNone) return error;
      node.next = static_cast<std::uint32_t>(++size_);
    }
    is_empty = false;
    for (;;) {
      if (!Take(place)) return JsonError::kSyntax;
      if (json_[place] == ',') break;
      if (const JsonError error = Close(place); error != JsonError::kNone) return error;
      if (depth_ == 0) return token_ == tokens_end_ ? JsonError::kNone : JsonError::kSyntax;
    }
  }
}

JsonError JsonIndex::Walk::Open(JsonNode& node, char bracket) {
  if (bracket != '{' && bracket != '[') return JsonError::kSyntax;
  if (++depth_ > max_depth_) return JsonError::kTooDeep;
  const bool is_object = bracket == '{';
  node.type = is_object ? JsonType::kObject : JsonType::kArray;
  node.text = {};
  frames_[depth_] = {.node = static_cast<std::uint32_t>(size_),
                     .closer = is_object ? '}' : ']',
                     .may_repeat = false,
                     .name_bits = 0,
                     .members = 0};
  ++size_;
  return JsonError::kNone;
}

JsonError JsonIndex::Walk::Close(std::uint32_t bracket) {
  const Frame& frame = frames_[depth_];
  if (json_[bracket] != frame.closer) return JsonError::kSyntax;
  if (frame.may_repeat && !limits_.allow_repeated_names) {
    if (const JsonError error = CheckNames(frame); error != JsonError::kNone) return error;
  }
  JsonNode& closed = nodes_[frame.node];
  closed.end = bracket + 1;
  closed.next = static_cast<std::uint32_t>(size_);
  --depth_;
  return JsonError::kNone;
}

JsonError JsonIndex::Walk::ReadName(JsonNode& node, std::uint32_t& value) {
  std::uint32_t place = 0;
  if (!Take(place) || json_[place] != '"') return JsonError::kSyntax;
  node.key_begin = place;
  if (const JsonError error = ReadString(place, node.key_end, node.key);
      error != JsonError::kNone) {
    return error;
  }
  // Only an escape can spell one.
  if (node.key.size() != node.key_end - node.key_begin - 2 &&
      node.key.find('\0') != std::string_view::npos) {
    return JsonError::kNulInName;
  }
  if (!Take(place) || json_[place] != ':' || !Take(value)) return JsonError::kSyntax;
  Frame& frame = frames_[depth_];
  if (++frame.members > limits_.max_keys_per_object) return JsonError::kTooManyMembers;
  const std::uint64_t bit = NameBit(node.key);
  frame.may_repeat |= (frame.name_bits & bit) != 0;
  frame.name_bits |= bit;
  return JsonError::kNone;
}

JsonError JsonIndex::Walk::ReadScalar(JsonNode& node) {
  if (json_[node.begin] == '"') {
    node.type = JsonType::kString;
    return ReadString(node.begin, node.end, node.text);
  }
  node.text = {};
  node.end = static_cast<std::uint32_t>(ScalarEnd() - json_);
  const std::string_view raw(json_ + node.begin, node.end - node.begin);
  if (raw == "true") {
    node.type = JsonType::kTrue;
  } else if (raw == "false") {
    node.type = JsonType::kFalse;
  } else if (raw == "null") {
    node.type = JsonType::kNull;
  } else {
    node.type = JsonType::kNumber;
    if (!IsNumber(raw)) return JsonError::kSyntax;
    if (raw.size() > limits_.max_number_chars) return JsonError::kNumberTooLong;
  }
  return JsonError::kNone;
}

JsonError JsonIndex::Walk::Unescape(std::string_view& text) {
  if (text.empty() || std::memchr(text.data(), '\\', text.size()) == nullptr) {
    return JsonError::kNone;
  }
  std::string& decoded = index_.decoded_;
  if (decoded.capacity() < json_size_) decoded.reserve(json_size_);
  const std::size_t from = decoded.size();
  if (!AppendJsonUnescaped(decoded, text)) return JsonError::kBadString;
  text = std::string_view(decoded).substr(from);
  return JsonError::kNone;
}

// Compares names in full, never by hash: nobody can choose names that make this slow.
JsonError JsonIndex::Walk::CheckNames(const Frame& object) {
  std::vector<std::string_view>& names = index_.names_;
  names.clear();
  for (std::uint32_t i = object.node + 1; i != size_; i = nodes_[i].next)
    names.push_back(nodes_[i].key);
  std::sort(names.begin(), names.end());
  return std::adjacent_find(names.begin(), names.end()) == names.end() ? JsonError::kNone
                                                                       : JsonError::kRepeatedName;
}

}  // namespace sallyport::agent
