#include "agent/mask/message_texts.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/mcp/json_scan.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

// Of a message and of all that its strings hold.
constexpr std::size_t kMaxNodes = 400'000;
// Shorter numbers are no card and no credential.
constexpr std::size_t kMinNumber = 8;
// The shortest that a detector finds, unless it holds one of the characters below.
constexpr std::size_t kMinPlain = 13;
constexpr std::size_t kKeptBytes = 1u << 20;
// What may be made of a message, as a multiple of it and beside that.
constexpr std::size_t kMaxHiddenRatio = 6;
constexpr std::size_t kMinHiddenBytes = 64u << 10;

constexpr std::string_view kModernPrefix = "io.modelcontextprotocol/";

template <std::size_t n>
bool IsOneOf(std::string_view text, const std::string_view (&words)[n]) {
  return std::find(std::begin(words), std::end(words), text) != std::end(words);
}

// Members of results, params and their items that the protocol itself reads, or that a client sends
// back.
constexpr std::string_view kFixedMembers[] = {
    "type",       "role",   "mimeType",      "uri",        "uriTemplate",     "cursor",
    "nextCursor", "taskId", "progressToken", "requestId",  "protocolVersion", "level",
    "mode",       "action", "elicitationId", "stopReason", "toolUseId"};

// Members whose value is the server's data, whatever their names.
constexpr std::string_view kDataMembers[] = {
    "structuredContent", "inputSchema", "outputSchema", "requestedSchema", "data",
    "arguments",         "input",       "metadata",     "capabilities"};

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

bool LooksLikeJson(std::string_view text) {
  while (!text.empty() && IsSpace(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsSpace(text.back())) text.remove_suffix(1);
  return text.size() > 2 && ((text.front() == '{' && text.back() == '}') ||
                             (text.front() == '[' && text.back() == ']'));
}

// Where the object or array that may begin at `at` ends; 0: none begins, or it does not end. Quotes
// are minded; whether it is JSON is judged elsewhere.
std::size_t BracketEnd(std::string_view text, std::size_t at) {
  std::size_t next = at + 1;
  while (next < text.size() && IsSpace(text[next])) ++next;
  const std::string_view first = text.substr(next, 1);
  if (text[at] == '{' ? first != "\"" : first != "{" && first != "[") return 0;
  std::size_t depth = 0;
  for (std::size_t i = at; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') {
      for (++i; i < text.size() && text[i] != '"'; ++i) {
        if (text[i] == '\\') ++i;
      }
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if ((c == '}' || c == ']') && --depth == 0) {
      return i + 1;
    }
  }
  return 0;
}

// False: too short for anything but an address, and none of those, in any spelling.
bool MayHold(std::string_view text) {
  return text.size() >= kMinPlain || std::any_of(text.begin(), text.end(), [](char c) {
           return c == '@' || c == '%' || c == '&' || c == '\\' || static_cast<signed char>(c) < 0;
         });
}

// Also in base64, as Kubernetes keeps its secrets.
bool IsSecretValue(std::string_view value) {
  constexpr std::size_t kMaxPacked = 56;
  if (IsAwsSecretValue(value)) return true;
  if (value.size() > kMaxPacked || NextRun(value, 0) != 0) return false;
  std::size_t next = 0;
  const std::optional<PackedText> packed = ReadPacked(value, 0, false, next);
  return packed.has_value() && packed->end == value.size() && IsAwsSecretValue(packed->text);
}

// The digits of a number that is whole, however it is written (4111.0, 4.111e3); empty: it is not,
// or is too short or too long for a card.
std::string WholeDigits(std::string_view number) {
  constexpr std::size_t kMin = 13;
  constexpr std::size_t kMax = 19;
  constexpr std::size_t kMaxExponentDigits = 2;
  std::string digits;
  std::size_t at = number.substr(0, 1) == "-" ? 1 : 0;
  std::size_t whole = 0;
  bool has_point = false;
  for (; at < number.size() && number[at] != 'e' && number[at] != 'E'; ++at) {
    if (number[at] == '.') {
      has_point = true;
      continue;
    }
    digits.push_back(number[at]);
    if (!has_point) ++whole;
  }
  if (at < number.size()) {
    ++at;
    const bool is_negative = number.substr(at, 1) == "-";
    if (is_negative || number.substr(at, 1) == "+") ++at;
    if (is_negative || number.size() - at > kMaxExponentDigits) return {};
    std::size_t exponent = 0;
    for (; at < number.size(); ++at)
      exponent = exponent * 10 + static_cast<std::size_t>(number[at] - '0');
    whole += exponent;
  }
  while (digits.size() > whole) {
    if (digits.back() != '0') return {};
    digits.pop_back();
  }
  if (whole < kMin || whole > kMax) return {};
  digits.resize(whole, '0');
  return digits;
}

}  // namespace

absl::Status MessageTexts::Collect(std::string_view json, const MaskPlan::Rules& rules,
                                   MaskFor mask_for) {
  rules_ = &rules;
  for_ = mask_for;
  has_fields_ = !rules.keys.empty() || !rules.pointers.empty();
  has_patterns_ = !rules.patterns.empty();
  if (arena_.capacity() > kKeptBytes) std::string().swap(arena_);
  arena_.clear();
  arena_.reserve(json.size());
  texts_.clear();
  last_text_ = 0;
  pieces_.clear();
  documents_.clear();
  field_hits_.clear();
  kept_.clear();
  RETURN_IF_ERROR(ReadMessage(json));
  const JsonIndex& message = *message_;
  nodes_left_ = kMaxNodes - message.nodes().size();
  hidden_left_ = json.size() * kMaxHiddenRatio + kMinHiddenBytes;
  is_response_ = message.Member(&message.root(), "method") == nullptr;
  documents_.push_back({json});
  RETURN_IF_ERROR(CollectDocument(Level{}));
  // What is found hidden may hide more.
  for (std::size_t from = 0; from < arena_.size();) {
    const std::size_t end = arena_.size();
    RETURN_IF_ERROR(AddHidden(from));
    from = end;
  }
  return absl::OkStatus();
}

absl::Status MessageTexts::ReadMessage(std::string_view json) {
  message_ = ScannedIndex(json);
  if (message_ != nullptr) return absl::OkStatus();
  JsonIndex& own = NestedIndex(0);
  const JsonError error =
      own.Parse(json, JsonLimits{.max_bytes = json.size(), .max_nodes = kMaxNodes});
  if (error != JsonError::kNone) return absl::InvalidArgumentError(ToAbsl(JsonErrorText(error)));
  message_ = &own;
  return absl::OkStatus();
}

JsonIndex& MessageTexts::NestedIndex(std::size_t depth) {
  if (indexes_[depth] == nullptr) indexes_[depth] = std::make_unique<JsonIndex>();
  return *indexes_[depth];
}

MessageTexts::Place MessageTexts::PlaceOf(Place parent, const JsonNode& node,
                                          bool parent_is_array) {
  const bool is_leaf = !node.is_object() && !node.is_array();
  switch (parent) {
    case Place::kTop:
      if (node.key == "result" || node.key == "params") return Place::kBody;
      if (node.key == "error") return Place::kError;
      return node.key == "jsonrpc" || node.key == "id" || node.key == "method" ? Place::kFixed
                                                                               : Place::kData;
    case Place::kError:
      return node.key == "code" ? Place::kFixed : Place::kData;
    case Place::kMeta:
      return node.key == "progressToken" ||
                     node.key.substr(0, kModernPrefix.size()) == kModernPrefix
                 ? Place::kFixed
                 : Place::kData;
    case Place::kBody:
    case Place::kEnvelope:
    case Place::kNamed:
      if (parent_is_array) return parent;
      if (node.key == "_meta") return Place::kMeta;
      if (is_leaf) {
        const bool is_handle = parent == Place::kNamed && node.key == "name";
        return is_handle || IsOneOf(node.key, kFixedMembers) ? Place::kFixed : Place::kData;
      }
      if (IsOneOf(node.key, kDataMembers)) return Place::kData;
      return parent == Place::kBody && (node.key == "tools" || node.key == "prompts")
                 ? Place::kNamed
                 : Place::kEnvelope;
    case Place::kData:
    case Place::kFixed:
      return parent;
  }
  return Place::kData;
}

MessageTexts::Place MessageTexts::PlaceOf(std::uint32_t node) const {
  if (node == 0) return Place::kTop;
  const std::vector<JsonNode>& nodes = index().nodes();
  const std::uint32_t parent = nodes[node].parent;
  return PlaceOf(PlaceOf(parent), nodes[node], nodes[parent].is_array());
}

bool MessageTexts::IsFixed(std::uint32_t node) const {
  return for_ != MaskFor::kApprover && PlaceOf(node) == Place::kFixed;
}

// The id of a response is the client's own.
bool MessageTexts::IsClientsId(const JsonNode& node) const {
  return is_response_ && for_ != MaskFor::kApprover && node.depth == 1 && node.key == "id";
}

bool MessageTexts::MustStay(const MaskText& text) const {
  if (for_ != MaskFor::kClient) return false;
  if (text.is_in_fixed) return true;
  if (text.document != 0) return false;
  return text.kind == MaskText::Kind::kKey || IsFixed(text.node);
}

absl::Status MessageTexts::CollectDocument(const Level& level) {
  const JsonIndex& index = IndexAt(level.depth);
  const std::vector<JsonNode>& nodes = index.nodes();
  MarkPointers(level.depth);
  auto mark = marks_[level.depth].begin();
  std::uint32_t marked_end = 0;  // inside a field that a rule names
  MaskOp marked_op;
  for (std::uint32_t i = 0; i < nodes.size(); ++i) {
    const JsonNode& node = nodes[i];
    const std::uint32_t message_node = level.depth == 0 ? i : level.outer_node;
    if (node.is_member()) AddKey(level, node, message_node);
    if (has_fields_ && i >= marked_end) {
      while (mark != marks_[level.depth].end() && mark->first < i) ++mark;
      const MaskOp* op = node.is_member() ? rules_->OpOfKey(node.key) : nullptr;
      if (mark != marks_[level.depth].end() && mark->first == i && op == nullptr)
        op = &mark->second;
      if (op != nullptr && !(level.depth == 0 && IsFixed(i))) {
        marked_op = *op;
        marked_end = node.next;
      }
    }
    if (node.is_object() || node.is_array() || node.type == JsonType::kNull) continue;
    if (i < marked_end && !(level.depth == 0 && IsFixed(i))) {
      AddFound(TextOf(level, node, message_node), node.is_string() ? node.text : index.Raw(node),
               marked_op, "field", MaskHit::Source::kField);
    } else if (node.is_string()) {
      RETURN_IF_ERROR(AddString(level, node, message_node));
    } else if (node.type == JsonType::kNumber && node.end - node.begin >= kMinNumber) {
      AddNumber(level, node, message_node);
    }
  }
  return absl::OkStatus();
}

MaskText MessageTexts::TextOf(const Level& level, const JsonNode& node,
                              std::uint32_t message_node) const {
  MaskText text;
  text.document = level.document;
  text.node = message_node;
  text.is_in_fixed = level.is_in_fixed;
  text.level = level.text_level;
  text.raw_begin = node.begin;
  text.raw_end = node.end;
  if (node.is_string()) {
    text.kind = MaskText::Kind::kString;
    text.is_escaped = node.is_escaped();
    ++text.raw_begin;
    --text.raw_end;
  } else {
    text.kind = node.type == JsonType::kNumber ? MaskText::Kind::kNumber : MaskText::Kind::kFlag;
  }
  return text;
}

void MessageTexts::AddKey(const Level& level, const JsonNode& node, std::uint32_t message_node) {
  const bool is_escaped = node.key.size() != node.key_end - node.key_begin - 2;
  // Nearly all are short. A credential in one is found in the bytes that go out.
  if (for_ == MaskFor::kClient && !has_patterns_ && !is_escaped && !MayHold(node.key)) return;
  MaskText text;
  text.kind = MaskText::Kind::kKey;
  text.document = level.document;
  text.node = message_node;
  text.raw_begin = node.key_begin + 1;
  text.raw_end = node.key_end - 1;
  text.is_escaped = is_escaped;
  text.is_in_fixed = level.is_in_fixed;
  text.level = level.text_level;
  AddText(text, node.key);
}

// By its own name, or by the name that stands beside it: {"name": "...", "value": "..."}.
bool MessageTexts::IsSecretMember(const Level& level, const JsonNode& node) const {
  if (!rules_->Has(Detector::kAws)) return false;
  if (IsAwsSecretName(node.key)) return IsSecretValue(node.text);
  if (node.key != "value" && node.key != "Value") return false;
  if (!IsSecretValue(node.text)) return false;
  const JsonIndex& index = IndexAt(level.depth);
  for (const JsonNode& sibling : index.Children(index.nodes()[node.parent])) {
    if (sibling.is_string() && IsAwsSecretName(sibling.text)) return true;
  }
  return false;
}

absl::Status MessageTexts::AddString(const Level& level, const JsonNode& node,
                                     std::uint32_t message_node) {
  if (node.text.empty()) return absl::OkStatus();
  const bool is_message = level.depth == 0;
  if (is_message && IsClientsId(node)) return absl::OkStatus();
  const bool looks_like_json = LooksLikeJson(node.text);
  if (looks_like_json && !(is_message && IsFixed(message_node))) {
    std::string_view inner = node.text;
    // What this index has decoded is gone when its next document is read; the message's stays.
    if (node.is_escaped() && !is_message) inner = kept_.emplace_back(inner);
    ASSIGN_OR_RETURN(const bool is_document,
                     AddNested(level, message_node,
                               {.text = inner,
                                .encoding = MaskDocument::Encoding::kJsonString,
                                .parent = level.document,
                                .raw_begin = node.begin + 1,
                                .raw_end = node.end - 1}));
    if (is_document) return absl::OkStatus();
  }
  const MaskText text = TextOf(level, node, message_node);
  if (IsSecretMember(level, node)) {
    AddFound(text, node.text, rules_->OpOf(Detector::kAws), NameOf(Detector::kAws),
             MaskHit::Source::kDetector);
    return absl::OkStatus();
  }
  AddText(text, node.text);
  if (!has_fields_) return absl::OkStatus();
  return AddEmbedded(level, message_node, node.text, texts_.back().begin);
}

void MessageTexts::AddNumber(const Level& level, const JsonNode& node, std::uint32_t message_node) {
  if (level.depth == 0 && IsClientsId(node)) return;
  const std::string_view literal = IndexAt(level.depth).Raw(node);
  AddText(TextOf(level, node, message_node), literal);
  if (literal.find_first_of(".eE") == std::string_view::npos) return;
  const std::string digits = WholeDigits(literal);
  if (digits.empty()) return;
  MaskText folded = texts_.back();
  folded.kind = MaskText::Kind::kFolded;
  folded.raw_begin = static_cast<std::uint32_t>(pieces_.size());
  folded.raw_end = folded.raw_begin + 1;
  pieces_.push_back({static_cast<std::uint32_t>(arena_.size()), texts_.back().begin,
                     static_cast<std::uint32_t>(literal.size())});
  AddText(folded, digits);
}

absl::StatusOr<bool> MessageTexts::AddNested(const Level& holder, std::uint32_t message_node,
                                             MaskDocument document) {
  const std::size_t depth = holder.depth + 1;
  const std::string_view text = document.text;
  if (!LooksLikeJson(text)) return false;
  if (depth == kMaxLevels) return absl::InvalidArgumentError("JSON in strings is nested too deep");
  JsonIndex& index = NestedIndex(depth);
  switch (index.Parse(text, JsonLimits{.max_bytes = text.size(),
                                       .max_keys_per_object = nodes_left_,
                                       .max_nodes = nodes_left_,
                                       .max_number_chars = text.size(),
                                       .allow_repeated_names = true})) {
    case JsonError::kNone:
      break;
    case JsonError::kTooDeep:
    case JsonError::kTooManyNodes:
    case JsonError::kTooManyMembers:
      return absl::InvalidArgumentError("JSON in a string is beyond the limits");
    default:
      return false;  // it only looked like it: plain text
  }
  nodes_left_ -= index.nodes().size();
  documents_.push_back(std::move(document));
  Level level = holder;
  level.document = static_cast<std::uint32_t>(documents_.size() - 1);
  level.depth = depth;
  level.outer_node = message_node;
  RETURN_IF_ERROR(CollectDocument(level));
  return true;
}

absl::Status MessageTexts::AddEmbedded(const Level& level, std::uint32_t message_node,
                                       std::string_view text, std::uint32_t arena_begin) {
  // Brackets that never close would be read to the end of the text from each of them.
  std::size_t work_left = text.size() * kMaxLevels;
  for (std::size_t at = 0; (at = text.find_first_of("{[", at)) != std::string_view::npos;) {
    const std::size_t end = BracketEnd(text.substr(0, at + work_left), at);
    work_left -= std::min(work_left, (end == 0 ? text.size() : end) - at);
    if (work_left == 0) break;
    const std::string_view inner = end == 0 ? std::string_view() : text.substr(at, end - at);
    if (LooksLikeJson(inner)) {
      const std::string_view kept = kept_.emplace_back(inner);
      const auto begin = arena_begin + static_cast<std::uint32_t>(at);
      ASSIGN_OR_RETURN(const bool is_document,
                       AddNested(level, message_node,
                                 {.text = kept,
                                  .encoding = MaskDocument::Encoding::kEmbedded,
                                  .begin = begin,
                                  .end = begin + static_cast<std::uint32_t>(inner.size())}));
      if (is_document) {
        at = end;
        continue;
      }
      kept_.pop_back();
    }
    ++at;
  }
  return absl::OkStatus();
}

const MaskText* MessageTexts::TextAt(std::size_t place) const {
  constexpr std::size_t kNear = 8;
  for (std::size_t i = last_text_; i < std::min(texts_.size(), last_text_ + kNear); ++i) {
    if (place < texts_[i].begin) break;
    if (place < texts_[i].end) {
      last_text_ = i;
      return &texts_[i];
    }
  }
  const auto after =
      std::upper_bound(texts_.begin(), texts_.end(), place,
                       [](std::size_t value, const MaskText& text) { return value < text.begin; });
  if (after == texts_.begin()) return nullptr;
  const MaskText& text = *std::prev(after);
  last_text_ = static_cast<std::size_t>(&text - texts_.data());
  return place < text.end ? &text : nullptr;
}

void MessageTexts::AddFound(const MaskText& text, std::string_view decoded, const MaskOp& op,
                            std::string_view name, MaskHit::Source source) {
  if (decoded.empty()) return;
  AddText(text, decoded);
  const MaskText& added = texts_.back();
  field_hits_.push_back({added.begin, added.end, source, op, name, added.begin, added.end});
}

void MessageTexts::AddText(MaskText text, std::string_view decoded) {
  text.begin = static_cast<std::uint32_t>(arena_.size());
  arena_.append(decoded);
  text.end = static_cast<std::uint32_t>(arena_.size());
  arena_.push_back('\0');
  texts_.push_back(text);
}

namespace {

// Adds what `steps` from the i-th on name below `node`.
void Resolve(const JsonIndex& index, const JsonNode& node, const MaskPlan::Rules::PointerRule& rule,
             std::size_t i, std::vector<std::pair<std::uint32_t, MaskOp>>& marks) {
  if (i == rule.steps.size()) {
    marks.emplace_back(index.IndexOf(node), rule.op);
    return;
  }
  const std::string& step = rule.steps[i];
  if (!node.is_object() && !node.is_array()) return;
  std::size_t position = 0;
  for (const JsonNode& child : index.Children(node)) {
    const bool is_named = node.is_object() ? child.key == step : absl::StrCat(position) == step;
    if (step == "*" || is_named) Resolve(index, child, rule, i + 1, marks);
    ++position;
  }
}

}  // namespace

// From the result, from its structuredContent, and from the root of JSON that stands in a string:
// tools give the same rows in either.
void MessageTexts::MarkPointers(std::size_t depth) {
  auto& marks = marks_[depth];
  marks.clear();
  if (rules_->pointers.empty()) return;
  const JsonIndex& index = IndexAt(depth);
  const bool is_message = depth == 0 && for_ != MaskFor::kApprover;
  const JsonNode* const result = is_message ? index.Member(&index.root(), "result") : &index.root();
  const JsonNode* const structured =
      is_message ? index.Member(result, "structuredContent") : nullptr;
  for (const MaskPlan::Rules::PointerRule& rule : rules_->pointers) {
    if (result != nullptr) Resolve(index, *result, rule, 0, marks);
    if (structured != nullptr) Resolve(index, *structured, rule, 0, marks);
  }
  std::sort(marks.begin(), marks.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : a.second.kind > b.second.kind;
  });
}

}  // namespace sallyport::agent
