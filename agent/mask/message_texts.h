#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/mask/mask_rules.h"
#include "agent/mask/packed_text.h"
#include "agent/mask/text_folding.h"
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

// What is looked through at once.
struct MaskText {
  enum class Kind : std::uint8_t {
    kString,
    kKey,
    kNumber,
    kFlag,
    kWhole,   // a document that is no JSON
    kFolded,  // what another text says when its escapes are undone; it stands nowhere
  };
  std::uint32_t begin = 0;  // in the arena
  std::uint32_t end = 0;
  std::uint32_t document = 0;
  // In the document's text: between the quotes of strings and keys. kFolded: its pieces.
  std::uint32_t raw_begin = 0;
  std::uint32_t raw_end = 0;
  // The node of the message that it is, or is in.
  std::uint32_t node = 0;
  Kind kind = Kind::kString;
  bool is_escaped = false;
  // It is packed in a text that must stay, see MessageTexts::MustStay.
  bool is_in_fixed = false;
  // How often something had to be undone to see it.
  std::uint8_t level = 0;
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

// All that is to be looked through in a message, decoded into one arena with a NUL between texts,
// so that it takes one search: what stands in it, and behind that what can be made of it (escapes
// undone, base64 and hex decoded), as far as there is such. The work memory is kept between
// messages.
class MessageTexts {
 public:
  // An error: the message is not clean JSON or hides more than can be looked through. `json` must
  // stay where it is.
  absl::Status Collect(std::string_view json, const MaskPlan::Rules& rules, MaskFor mask_for);

  std::string_view arena() const { return arena_; }
  const std::vector<MaskText>& texts() const { return texts_; }
  const std::vector<MaskDocument>& documents() const { return documents_; }
  // What the field rules alone have found.
  const std::vector<MaskHit>& field_hits() const { return field_hits_; }
  // Of the message.
  const JsonIndex& index() const { return *message_; }

  // The text that holds this place of the arena; nullptr between texts. Cheap where the last place
  // asked for was near and before.
  const MaskText* TextAt(std::size_t place) const;
  // Masking it in place would break the protocol, or a reader that looks for it.
  bool MustStay(const MaskText& text) const;
  // The range of a text that stands somewhere for a range of one that is folded.
  void Unfold(std::uint32_t& begin, std::uint32_t& end) const;

 private:
  // JSON in a string in JSON in a string ..., or base64 in escapes in base64: more is taken for
  // hiding.
  static constexpr std::size_t kMaxLevels = 8;

  // Where a node stands in the protocol.
  enum class Place : std::uint8_t { kTop, kBody, kEnvelope, kNamed, kMeta, kError, kData, kFixed };
  static Place PlaceOf(Place parent, const JsonNode& node, bool parent_is_array);
  // Of a node of the message.
  Place PlaceOf(std::uint32_t node) const;
  bool IsFixed(std::uint32_t node) const;
  bool IsClientsId(const JsonNode& node) const;

  // Where the texts of one document go.
  struct Level {
    std::uint32_t document = 0;
    std::size_t depth = 0;         // of indexes_
    std::uint32_t outer_node = 0;  // depth > 0: the node of the message that holds it
    bool is_in_fixed = false;
    std::uint8_t text_level = 0;
  };

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
  void AddText(MaskText text, std::string_view decoded);
  bool IsSecretMember(const Level& level, const JsonNode& node) const;
  void MarkPointers(std::size_t depth);
  MaskText TextOf(const Level& level, const JsonNode& node, std::uint32_t message_node) const;

  // What stands in the arena from `from` on in another form, appended to it.
  absl::Status AddHidden(std::size_t from);
  absl::Status AddFolded(const MaskText& of, const FoldUnit& first);
  absl::Status AddPacked(const MaskText& of, PackedText packed);
  // Counts a text made of `of`; an error when there are too many, or too deep.
  absl::Status Descend(const MaskText& of, std::size_t bytes);
  // Pictures and the like, in which text may stand anywhere.
  bool IsBinaryMember(const MaskText& text) const;

  absl::Status ReadMessage(std::string_view json);
  const JsonIndex& IndexAt(std::size_t depth) const {
    return depth == 0 ? *message_ : *indexes_[depth];
  }
  JsonIndex& NestedIndex(std::size_t depth);

  const MaskPlan::Rules* rules_ = nullptr;
  MaskFor for_ = MaskFor::kClient;
  std::size_t nodes_left_ = 0;
  std::size_t hidden_left_ = 0;  // bytes
  bool is_response_ = false;
  bool has_fields_ = false;
  bool has_patterns_ = false;
  const JsonIndex* message_ = nullptr;  // the scan's, or the first of ours
  std::array<std::unique_ptr<JsonIndex>, kMaxLevels> indexes_;
  // Nodes that pointer rules name, by index.
  std::array<std::vector<std::pair<std::uint32_t, MaskOp>>, kMaxLevels> marks_;
  std::string arena_;
  std::vector<MaskText> texts_;
  std::vector<FoldPiece> pieces_;
  std::vector<MaskDocument> documents_;
  std::vector<MaskHit> field_hits_;
  std::deque<std::string> kept_;  // texts of documents that lie nowhere else
  mutable std::size_t last_text_ = 0;
};

}  // namespace sallyport::agent
