#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/mask/field_marks.h"
#include "agent/mask/mask_rules.h"
#include "agent/mask/packed_text.h"
#include "agent/mask/protocol_places.h"
#include "agent/mask/text_arena.h"
#include "agent/mask/text_folding.h"
#include "agent/mask/text_sites.h"
#include "agent/mcp/json_index.h"

namespace sallyport::agent {

// For whom a message is masked.
enum class MaskFor : std::uint8_t {
  kClient,    // a finding in a key or a protocol member blocks
  kRecord,    // everything can be masked
  kApprover,  // likewise; says type and length
};

// A text with an inside: the message, or what a text of another document holds.
struct MaskDocument {
  enum class Encoding : std::uint8_t {
    kJsonString,  // all of a string of the parent
    kEmbedded,    // a range of the arena, as it stands there
    kPacked,      // a range of the arena, in base64 or hex
  };
  std::string_view text;
  Encoding encoding = Encoding::kJsonString;
  // kJsonString: between the quotes of the string that holds it, in the text of `parent`, whose
  // number is lower. The message is its own parent.
  std::uint32_t parent = 0;
  std::uint32_t raw_begin = 0;
  std::uint32_t raw_end = 0;
  // The others.
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  PackedForm form;
};

// A finding: a range of the arena, within one text.
struct MaskHit {
  enum class Source : std::uint8_t { kDetector, kField, kCredential };
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  Source source = Source::kDetector;
  MaskOp op;
  std::string_view name;
  // What was found, where it can be read: in a folded text, if it was found there.
  std::uint32_t found_begin = 0;
  std::uint32_t found_end = 0;
};

// All that is to be looked through in a message, decoded into one arena, so that it takes one
// search: what stands in it, and behind that what can be made of it (escapes undone, base64 and hex
// decoded), as far as there is such. The work memory is kept between messages.
class MessageTexts {
 public:
  // An error: the message is not clean JSON or hides more than can be looked through. `json` must
  // stay where it is.
  absl::Status Collect(std::string_view json, const MaskPlan::Rules& rules, MaskFor mask_for);

  std::string_view arena() const { return arena_.bytes(); }
  const std::vector<MaskText>& texts() const { return arena_.texts(); }
  // Of the arena.
  const TextSites& sites() const { return sites_; }
  const std::vector<MaskDocument>& documents() const { return documents_; }
  // What the field rules alone have found.
  const std::vector<MaskHit>& field_hits() const { return field_hits_; }
  // Of the message.
  const JsonIndex& index() const { return *message_; }

  // The text that holds this place of the arena; nullptr between texts. Cheap where the last place
  // asked for was near and before.
  const MaskText* TextAt(std::size_t place) const { return arena_.At(place); }
  // Masking it in place would break the protocol, or a reader that looks for it.
  bool MustStay(const MaskText& text) const;
  // The range of a text that stands somewhere for a range of one that is folded.
  void Unfold(std::uint32_t& begin, std::uint32_t& end) const;

 private:
  // JSON in a string in JSON in a string ..., or base64 in escapes in base64: more is taken for
  // hiding.
  static constexpr std::size_t kMaxLevels = 8;

  // Of a node of the message.
  bool DescribesMember(std::uint32_t field, std::uint32_t leaf) const {
    return for_ != MaskFor::kApprover && places_->DescribesMember(field, leaf);
  }
  bool IsFixed(std::uint32_t node) const {
    return for_ != MaskFor::kApprover && places_->IsFixed(node);
  }

  // Where the texts of one document go.
  struct Level {
    std::uint32_t document = 0;
    std::size_t depth = 0;         // of indexes_
    std::uint32_t outer_node = 0;  // depth > 0: the node of the message that holds it
    bool is_in_fixed = false;
    std::uint8_t text_level = 0;
  };

  void Clear();
  absl::Status CollectDocument(const Level& level);
  void AddKey(const Level& level, const JsonNode& node, std::uint32_t message_node);
  absl::Status AddString(const Level& level, const JsonNode& node, std::uint32_t message_node);
  void AddNumber(const Level& level, const JsonNode& node, std::uint32_t message_node);
  // True: `document`'s text is JSON, and its texts are collected.
  absl::StatusOr<bool> AddNested(const Level& holder, std::uint32_t message_node,
                                 MaskDocument document);
  // JSON values that stand in a text among others.
  absl::Status AddEmbedded(const Level& level, std::uint32_t message_node, std::string_view text,
                           std::uint32_t arena_begin);
  // Adds a text that is a finding as a whole.
  void AddFound(const MaskText& text, std::string_view decoded, const MaskOp& op,
                std::string_view name, MaskHit::Source source);
  bool IsSearched(const JsonIndex& index, const JsonNode& member) const;
  bool IsClientsId(const Level& level, const JsonNode& node) const {
    return level.depth == 0 && for_ == MaskFor::kClient && places_->IsClientsId(node);
  }
  static MaskText TextOf(const Level& level, const JsonNode& node, std::uint32_t message_node);

  // What stands in the arena from `from` on in another form, appended to it.
  absl::Status AddHidden(std::size_t from);
  absl::Status AddFolded(const MaskText& of, FoldUnit unit);
  absl::Status AddPacked(const MaskText& of, PackedText packed);
  // Counts a text made of `of`; an error when there are too many, or too deep.
  absl::Status Descend(const MaskText& of, std::size_t bytes);

  absl::Status ReadMessage(std::string_view json);
  const JsonIndex& IndexAt(std::size_t depth) const {
    return depth == 0 ? *message_ : *indexes_[depth];
  }
  JsonIndex& NestedIndex(std::size_t depth);

  const MaskPlan::Rules* rules_ = nullptr;
  MaskFor for_ = MaskFor::kClient;
  std::size_t nodes_left_ = 0;
  std::size_t hidden_left_ = 0;  // bytes
  bool has_fields_ = false;
  // Every name is looked through, however short.
  bool needs_names_ = false;
  const JsonIndex* message_ = nullptr;  // the scan's, or the first of ours
  std::optional<ProtocolPlaces> places_;
  std::array<std::unique_ptr<JsonIndex>, kMaxLevels> indexes_;
  std::array<FieldMarks, kMaxLevels> fields_;
  TextArena arena_;
  TextSites sites_;
  std::vector<FoldPiece> pieces_;
  std::string folded_;
  std::vector<MaskDocument> documents_;
  std::vector<MaskHit> field_hits_;
  std::deque<std::string> kept_;  // texts of documents that lie nowhere else
};

}  // namespace sallyport::agent
