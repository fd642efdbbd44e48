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
#include "agent/mcp/json_index.h"

namespace sallyport::agent {

// For whom a message is masked.
enum class MaskFor : std::uint8_t {
  kClient,    // a finding in a key or a protocol member blocks
  kRecord,    // everything can be masked
  kApprover,  // likewise; says type and length
};

// One JSON text: the message, or what a string of another document holds.
struct MaskDocument {
  enum class Encoding : std::uint8_t { kJsonString, kBase64 };
  std::string_view text;
  std::uint32_t parent = 0;  // the message is its own
  // Between the quotes of the string that holds it, in the parent's text.
  std::uint32_t raw_begin = 0;
  std::uint32_t raw_end = 0;
  Encoding encoding = Encoding::kJsonString;
};

// One string, member name, number or literal.
struct MaskText {
  enum class Kind : std::uint8_t { kString, kKey, kNumber, kFlag };
  std::uint32_t begin = 0;  // in the arena
  std::uint32_t end = 0;
  std::uint32_t document = 0;
  // In the document's text: between the quotes of strings and keys.
  std::uint32_t raw_begin = 0;
  std::uint32_t raw_end = 0;
  // The node of the message that it is, or is in.
  std::uint32_t node = 0;
  Kind kind = Kind::kString;
  bool is_escaped = false;
  // Masking it in place would break the protocol, or a reader that looks for it.
  bool must_stay = false;
};

// A finding: a range of the arena, within one text.
struct MaskHit {
  enum class Source : std::uint8_t { kDetector, kField, kCredential };
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  Source source = Source::kDetector;
  MaskOp op;
  std::string_view name;
};

// All that is to be looked through in a message, decoded into one arena with a NUL between texts,
// so that it takes one search. The work memory is kept between messages.
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
  const JsonIndex& index() const { return *indexes_[0]; }

 private:
  // JSON in a string in JSON in a string ...: more is taken for hiding.
  static constexpr std::size_t kMaxLevels = 8;

  // Where a node stands in the protocol.
  enum class Place : std::uint8_t { kTop, kBody, kEnvelope, kNamed, kMeta, kError, kData, kFixed };
  static Place PlaceOf(Place parent, const JsonNode& node, bool parent_is_array);

  // Where the texts of one document go.
  struct Level {
    std::uint32_t document = 0;
    std::size_t depth = 0;         // of indexes_
    std::uint32_t outer_node = 0;  // depth > 0: the node of the message that holds it
  };

  absl::Status CollectDocument(const Level& level);
  void AddKey(const Level& level, const JsonNode& node, std::uint32_t message_node);
  absl::Status AddString(const Level& level, const JsonNode& node, std::uint32_t message_node,
                         Place place);
  // True: the string was a document of its own, and its texts are collected.
  absl::StatusOr<bool> AddNested(const Level& level, const JsonNode& node, std::string_view text,
                                 std::uint32_t message_node, MaskDocument::Encoding encoding);
  absl::StatusOr<bool> AddBlob(const Level& level, const JsonNode& node,
                               std::uint32_t message_node);
  // Adds a text that is a finding as a whole.
  void AddFound(const MaskText& text, std::string_view decoded, const MaskOp& op,
                std::string_view name, MaskHit::Source source);
  void AddText(MaskText text, std::string_view decoded);
  void MarkPointers(std::size_t depth);

  JsonIndex& IndexAt(std::size_t depth);

  const MaskPlan::Rules* rules_ = nullptr;
  MaskFor for_ = MaskFor::kClient;
  std::size_t nodes_left_ = 0;
  bool is_response_ = false;
  std::array<std::unique_ptr<JsonIndex>, kMaxLevels> indexes_;
  // Nodes that pointer rules name, by index.
  std::array<std::vector<std::pair<std::uint32_t, MaskOp>>, kMaxLevels> marks_;
  std::vector<Place> places_;
  std::string arena_;
  std::vector<MaskText> texts_;
  std::vector<MaskDocument> documents_;
  std::vector<MaskHit> field_hits_;
  std::deque<std::string> kept_;  // texts of documents that lie nowhere else
};

}  // namespace sallyport::agent
