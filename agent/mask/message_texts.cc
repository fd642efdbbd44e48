#include "agent/mask/message_texts.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "common/utf8.h"

namespace sallyport::agent {
namespace {

// Of a message and of all that its strings hold.
constexpr std::size_t kMaxNodes = 400'000;
// Shorter numbers are no card and no credential.
constexpr std::size_t kMinNumber = 8;
// What is looked at to tell text from a picture.
constexpr std::size_t kBlobProbe = 1024;
constexpr std::size_t kMinBlob = 24;
constexpr std::size_t kKeptBytes = 1u << 20;

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

bool IsPlainText(std::string_view bytes) {
  return std::none_of(bytes.begin(), bytes.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && !IsSpace(c)) || c == 0x7f;
  });
}

MaskText TextOf(const JsonNode& node, std::uint32_t document, std::uint32_t outer_node) {
  MaskText text;
  text.document = document;
  text.node = outer_node;
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

}  // namespace

absl::Status MessageTexts::Collect(std::string_view json, const MaskPlan::Rules& rules,
                                   MaskFor mask_for) {
  rules_ = &rules;
  for_ = mask_for;
  if (arena_.capacity() > kKeptBytes) std::string().swap(arena_);
  arena_.clear();
  texts_.clear();
  documents_.clear();
  field_hits_.clear();
  kept_.clear();
  JsonIndex& message = IndexAt(0);
  const JsonError error =
      message.Parse(json, JsonLimits{.max_bytes = json.size(), .max_nodes = kMaxNodes});
  if (error != JsonError::kNone) return absl::InvalidArgumentError(ToAbsl(JsonErrorText(error)));
  nodes_left_ = kMaxNodes - message.nodes().size();
  is_response_ = message.Member(&message.root(), "method") == nullptr;
  documents_.push_back({json});
  return CollectDocument(Level{});
}

JsonIndex& MessageTexts::IndexAt(std::size_t depth) {
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

absl::Status MessageTexts::CollectDocument(const Level& level) {
  const JsonIndex& index = *indexes_[level.depth];
  const bool is_message = level.depth == 0 && for_ != MaskFor::kApprover;
  const std::vector<JsonNode>& nodes = index.nodes();
  MarkPointers(level.depth);
  auto mark = marks_[level.depth].begin();
  if (is_message) places_.assign(nodes.size(), Place::kTop);
  std::uint32_t marked_end = 0;  // inside a field that a rule names
  MaskOp marked_op;
  for (std::uint32_t i = 0; i < nodes.size(); ++i) {
    const JsonNode& node = nodes[i];
    const std::uint32_t message_node = level.depth == 0 ? i : level.outer_node;
    Place place = Place::kData;
    if (is_message) {
      if (i != 0) place = PlaceOf(places_[node.parent], node, nodes[node.parent].is_array());
      if (i == 0) place = Place::kTop;
      places_[i] = place;
    }
    if (node.is_member()) AddKey(level, node, message_node);
    while (mark != marks_[level.depth].end() && mark->first < i) ++mark;
    if (i >= marked_end && place != Place::kFixed) {
      const MaskOp* op = node.is_member() ? rules_->OpOfKey(node.key) : nullptr;
      if (mark != marks_[level.depth].end() && mark->first == i && op == nullptr)
        op = &mark->second;
      if (op != nullptr) {
        marked_op = *op;
        marked_end = node.next;
      }
    }
    if (node.is_object() || node.is_array() || node.type == JsonType::kNull) continue;
    if (i < marked_end && place != Place::kFixed) {
      AddFound(TextOf(node, level.document, message_node),
               node.is_string() ? node.text : index.Raw(node), marked_op, "field",
               MaskHit::Source::kField);
    } else if (node.is_string()) {
      RETURN_IF_ERROR(AddString(level, node, message_node, place));
    } else if (node.type == JsonType::kNumber && node.end - node.begin >= kMinNumber &&
               place != Place::kFixed) {
      AddText(TextOf(node, level.document, message_node), index.Raw(node));
    }
  }
  return absl::OkStatus();
}

void MessageTexts::AddKey(const Level& level, const JsonNode& node, std::uint32_t message_node) {
  MaskText text;
  text.kind = MaskText::Kind::kKey;
  text.document = level.document;
  text.node = message_node;
  text.raw_begin = node.key_begin + 1;
  text.raw_end = node.key_end - 1;
  text.is_escaped = node.key.size() != text.raw_end - text.raw_begin;
  text.must_stay = for_ == MaskFor::kClient && level.depth == 0;
  AddText(text, node.key);
}

absl::Status MessageTexts::AddString(const Level& level, const JsonNode& node,
                                     std::uint32_t message_node, Place place) {
  if (node.text.empty()) return absl::OkStatus();
  // The id of a response is the client's own.
  if (place == Place::kFixed && node.depth == 1 && node.key == "id" && is_response_) {
    return absl::OkStatus();
  }
  if (place != Place::kFixed) {
    if (LooksLikeJson(node.text)) {
      ASSIGN_OR_RETURN(const bool is_document, AddNested(level, node, node.text, message_node,
                                                         MaskDocument::Encoding::kJsonString));
      if (is_document) return absl::OkStatus();
    } else if (level.depth == 0 && node.key == "blob") {
      ASSIGN_OR_RETURN(const bool is_document, AddBlob(level, node, message_node));
      if (is_document) return absl::OkStatus();
    }
  }
  MaskText text = TextOf(node, level.document, message_node);
  if (rules_->Has(Detector::kAws) && IsAwsSecretMember(node.key, node.text)) {
    AddFound(text, node.text, rules_->OpOf(Detector::kAws), NameOf(Detector::kAws),
             MaskHit::Source::kDetector);
    return absl::OkStatus();
  }
  text.must_stay = for_ == MaskFor::kClient && place == Place::kFixed;
  AddText(text, node.text);
  return absl::OkStatus();
}

absl::StatusOr<bool> MessageTexts::AddNested(const Level& level, const JsonNode& node,
                                             std::string_view text, std::uint32_t message_node,
                                             MaskDocument::Encoding encoding) {
  const std::size_t depth = level.depth + 1;
  if (depth == kMaxLevels) return absl::InvalidArgumentError("JSON in strings is nested too deep");
  // What this index has decoded is gone when its next document is read; the message's stays.
  if (encoding == MaskDocument::Encoding::kJsonString && node.is_escaped() && level.depth > 0) {
    text = kept_.emplace_back(text);
  }
  JsonIndex& index = IndexAt(depth);
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
  documents_.push_back({text, level.document, node.begin + 1, node.end - 1, encoding});
  RETURN_IF_ERROR(
      CollectDocument({static_cast<std::uint32_t>(documents_.size() - 1), depth, message_node}));
  return true;
}

absl::StatusOr<bool> MessageTexts::AddBlob(const Level& level, const JsonNode& node,
                                           std::uint32_t message_node) {
  const std::string_view encoded = node.text;
  if (encoded.size() < kMinBlob || encoded.size() % 4 != 0) return false;
  std::string decoded;
  if (!absl::Base64Unescape(ToAbsl(encoded.substr(0, kBlobProbe)), &decoded) &&
      encoded.size() > kBlobProbe) {
    return false;
  }
  if (!IsPlainText(decoded)) return false;
  if (!absl::Base64Unescape(ToAbsl(encoded), &decoded) || !IsPlainText(decoded) ||
      !IsUtf8(decoded)) {
    return false;
  }
  const std::string_view text = kept_.emplace_back(std::move(decoded));
  if (LooksLikeJson(text)) {
    ASSIGN_OR_RETURN(const bool is_document,
                     AddNested(level, node, text, message_node, MaskDocument::Encoding::kBase64));
    if (is_document) return true;
  }
  documents_.push_back(
      {text, level.document, node.begin + 1, node.end - 1, MaskDocument::Encoding::kBase64});
  MaskText whole;
  whole.document = static_cast<std::uint32_t>(documents_.size() - 1);
  whole.raw_end = static_cast<std::uint32_t>(text.size());
  whole.node = message_node;
  AddText(whole, text);
  return true;
}

void MessageTexts::AddFound(const MaskText& text, std::string_view decoded, const MaskOp& op,
                            std::string_view name, MaskHit::Source source) {
  if (decoded.empty()) return;
  AddText(text, decoded);
  field_hits_.push_back({texts_.back().begin, texts_.back().end, source, op, name});
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
  const JsonIndex& index = *indexes_[depth];
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
