#include "agent/mask/message_texts.h"

#include <algorithm>
#include <utility>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "agent/mask/aws_members.h"
#include "agent/mask/clear_and_shrink.h"
#include "agent/mask/inner_json.h"
#include "agent/mask/whole_number.h"
#include "agent/mcp/json_scan.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

// Of a message and of all that its strings hold.
constexpr std::size_t kMaxNodes = 400'000;
// Shorter numbers are no card and no credential.
constexpr std::size_t kMinNumber = 8;
// The shortest that a detector finds, unless it holds an odd character.
constexpr std::size_t kMinPlain = 13;
// What may be made of a message, as a multiple of it and beside that.
constexpr std::size_t kMaxHiddenRatio = 6;
constexpr std::size_t kMinHiddenBytes = 64u << 10;

// A character of an address, or one that may stand for another. `name` is shorter than kMinPlain
// and stands in `json`.
bool HasOddCharacter(std::string_view name, [[maybe_unused]] std::string_view json) {
#if defined(__SSE2__)
  static_assert(kMinPlain <= 16);
  if (static_cast<std::size_t>(json.data() + json.size() - name.data()) >= 16) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(name.data()));
    const auto is = [&](char c) { return _mm_cmpeq_epi8(v, _mm_set1_epi8(c)); };
    // The sign of a byte is that of its comparison: bytes from 0x80 on come along.
    const __m128i odd = _mm_or_si128(_mm_or_si128(is('@'), is('%')),
                                     _mm_or_si128(_mm_or_si128(is('&'), is('\\')), v));
    return (static_cast<unsigned>(_mm_movemask_epi8(odd)) & ((1u << name.size()) - 1)) != 0;
  }
#endif
  return std::any_of(name.begin(), name.end(), [](char c) {
    return c == '@' || c == '%' || c == '&' || c == '\\' || static_cast<signed char>(c) < 0;
  });
}

}  // namespace

void MessageTexts::Clear() {
  arena_.Clear();
  sites_.Clear();
  ClearAndShrink(pieces_);
  ClearAndShrink(documents_);
  ClearAndShrink(field_hits_);
  if (!kept_.empty()) kept_.clear();
}

absl::Status MessageTexts::Collect(std::string_view json, const MaskPlan::Rules& rules,
                                   MaskFor mask_for) {
  rules_ = &rules;
  for_ = mask_for;
  has_fields_ = !rules.keys.empty() || !rules.pointers.empty();
  needs_names_ = mask_for != MaskFor::kClient || !rules.patterns.empty();
  Clear();
  RETURN_IF_ERROR(ReadMessage(json));
  places_.emplace(*message_);
  nodes_left_ = kMaxNodes - message_->nodes().size();
  hidden_left_ = json.size() * kMaxHiddenRatio + kMinHiddenBytes;
  documents_.push_back({json});
  RETURN_IF_ERROR(CollectDocument(Level{}));
  // What is found hidden may hide more.
  for (std::size_t from = 0; from < arena().size();) {
    const std::size_t end = arena().size();
    sites_.Find(arena(), from);
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

bool MessageTexts::MustStay(const MaskText& text) const {
  if (for_ != MaskFor::kClient) return false;
  if (text.is_in_fixed) return true;
  if (text.document != 0) return false;
  return text.kind == MaskText::Kind::kKey || IsFixed(text.node);
}

absl::Status MessageTexts::CollectDocument(const Level& level) {
  const JsonIndex& index = IndexAt(level.depth);
  const std::span<const JsonNode> nodes = index.nodes();
  const bool is_message = level.depth == 0;
  FieldMarks& fields = fields_[level.depth];
  if (has_fields_) fields.Find(index, *rules_, is_message && for_ != MaskFor::kApprover);
  std::uint32_t marked = 0;  // the field that a rule names
  std::uint32_t marked_end = 0;
  MaskOp marked_op;
  for (std::uint32_t i = 0; i < nodes.size(); ++i) {
    const JsonNode& node = nodes[i];
    const std::uint32_t message_node = is_message ? i : level.outer_node;
    if (node.is_member() && IsSearched(index, node)) AddKey(level, node, message_node);
    if (has_fields_ && i >= marked_end) {
      const MaskOp* const op = fields.OpOf(i, node);
      if (op != nullptr && !(is_message && IsFixed(i))) {
        marked_op = *op;
        marked = i;
        marked_end = node.next;
      }
    }
    if (node.is_object() || node.is_array() || node.type == JsonType::kNull) continue;
    if (i < marked_end && !(is_message && (IsFixed(i) || DescribesMember(marked, i)))) {
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
                              std::uint32_t message_node) {
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

// Nearly all names are short. A credential in one is found in the bytes that go out.
bool MessageTexts::IsSearched(const JsonIndex& index, const JsonNode& member) const {
  return needs_names_ || member.key.size() >= kMinPlain ||
         member.key.size() != member.key_end - member.key_begin - 2 ||
         HasOddCharacter(member.key, index.json());
}

void MessageTexts::AddKey(const Level& level, const JsonNode& node, std::uint32_t message_node) {
  MaskText text;
  text.kind = MaskText::Kind::kKey;
  text.document = level.document;
  text.node = message_node;
  text.raw_begin = node.key_begin + 1;
  text.raw_end = node.key_end - 1;
  text.is_escaped = node.key.size() != node.key_end - node.key_begin - 2;
  text.is_in_fixed = level.is_in_fixed;
  text.level = level.text_level;
  arena_.Add(text, node.key);
}

absl::Status MessageTexts::AddString(const Level& level, const JsonNode& node,
                                     std::uint32_t message_node) {
  if (node.text.empty() || IsClientsId(level, node)) return absl::OkStatus();
  const bool is_message = level.depth == 0;
  if (LooksLikeJson(node.text) && !(is_message && IsFixed(message_node))) {
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
  if (rules_->Has(Detector::kAws) && IsAwsSecretMember(IndexAt(level.depth), node)) {
    AddFound(text, node.text, rules_->OpOf(Detector::kAws), NameOf(Detector::kAws),
             MaskHit::Source::kDetector);
    return absl::OkStatus();
  }
  const std::uint32_t begin = arena_.Add(text, node.text).begin;
  return has_fields_ ? AddEmbedded(level, message_node, node.text, begin) : absl::OkStatus();
}

void MessageTexts::AddNumber(const Level& level, const JsonNode& node, std::uint32_t message_node) {
  if (IsClientsId(level, node)) return;
  const std::string_view literal = IndexAt(level.depth).Raw(node);
  const MaskText text = arena_.Add(TextOf(level, node, message_node), literal);
  if (literal.find_first_of(".eE") == std::string_view::npos) return;
  const std::string digits = WholeDigits(literal);
  if (digits.empty()) return;
  MaskText folded = text;
  folded.kind = MaskText::Kind::kFolded;
  folded.raw_begin = static_cast<std::uint32_t>(pieces_.size());
  folded.raw_end = folded.raw_begin + 1;
  pieces_.push_back({static_cast<std::uint32_t>(arena().size()), text.begin,
                     static_cast<std::uint32_t>(literal.size())});
  arena_.Add(folded, digits);
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

void MessageTexts::AddFound(const MaskText& text, std::string_view decoded, const MaskOp& op,
                            std::string_view name, MaskHit::Source source) {
  if (decoded.empty()) return;
  const MaskText& added = arena_.Add(text, decoded);
  field_hits_.push_back({added.begin, added.end, source, op, name, added.begin, added.end});
}

}  // namespace sallyport::agent
