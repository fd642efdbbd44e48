#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// A JSON text as a flat table of its values, in the order in which they stand, each with its place
// in the bytes: what the scan, the list filter and the masker work on, so that bytes are judged
// once and the rest of the room only looks things up.
//
// simdjson's first stage finds the structure and validates UTF-8; the grammar is judged here, over
// its structural indexes, because simdjson's on-demand front end accepts bad scalars that nobody
// asks for, text after the end, lone low surrogates and any depth.
namespace sallyport::agent {

enum class JsonType : std::uint8_t { kObject, kArray, kString, kNumber, kTrue, kFalse, kNull };

struct JsonNode {
  static constexpr std::uint32_t kNone = 0xffffffff;

  JsonType type = JsonType::kNull;
  std::uint8_t depth = 0;  // 0: the root
  // Where it stands, with its quotes or brackets.
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  // A member's name with its quotes; both 0 for array elements and the root.
  std::uint32_t key_begin = 0;
  std::uint32_t key_end = 0;
  // kNone for the root.
  std::uint32_t parent = kNone;
  // The node after all that is inside this one.
  std::uint32_t next = 0;
  // Decoded. `text` is a string's; empty for others.
  std::string_view key;
  std::string_view text;

  bool is_member() const { return key_end != 0; }
  bool is_string() const { return type == JsonType::kString; }
  bool is_object() const { return type == JsonType::kObject; }
  bool is_array() const { return type == JsonType::kArray; }
  // The decoded string is shorter than what stands between the quotes: it holds escapes.
  bool is_escaped() const { return is_string() && text.size() + 2 != end - begin; }
};

struct JsonLimits {
  std::size_t max_bytes = 16u << 20;
  std::size_t max_depth = 64;  // at most 255
  std::size_t max_keys_per_object = 4096;
  std::size_t max_nodes = 200'000;
  std::size_t max_number_chars = 64;
  // Text that is only data (JSON inside a string) may repeat a name; a message may not.
  bool allow_repeated_names = false;
};

enum class JsonError : std::uint8_t {
  kNone,
  kSyntax,
  kNotUtf8,
  kBadString,  // a bad escape, a lone surrogate, a control character
  kNulInName,
  kTooLarge,
  kTooDeep,
  kTooManyNodes,
  kTooManyMembers,
  kNumberTooLong,
  kRepeatedName,
};

// "a member name is repeated": a constant, never anything of the input.
std::string_view JsonErrorText(JsonError error);

class JsonIndex {
 public:
  JsonIndex();
  ~JsonIndex();
  JsonIndex(const JsonIndex&) = delete;
  JsonIndex& operator=(const JsonIndex&) = delete;

  // Judges `json`: one object or array, and white space around it. On success nodes() describe it
  // until the next Parse, and refer to `json`, which must stay where it is. The work memory is
  // kept, unless it has become large.
  JsonError Parse(std::string_view json, const JsonLimits& limits);

  // The same over a copy of its own, which nobody can change, so that the text can be compared with
  // another later; a long text is not copied.
  JsonError ParseCopy(std::string_view json, const JsonLimits& limits);
  // Its last ParseCopy was of this very text, and succeeded.
  bool IsOf(std::string_view json) const { return is_copy_ && size_ != 0 && json_ == json; }

  std::span<const JsonNode> nodes() const { return {nodes_.data(), size_}; }
  const JsonNode& root() const { return nodes_.front(); }
  std::string_view json() const { return json_; }
  std::string_view Raw(const JsonNode& node) const {
    return json_.substr(node.begin, node.end - node.begin);
  }
  std::uint32_t IndexOf(const JsonNode& node) const {
    return static_cast<std::uint32_t>(&node - nodes_.data());
  }

  // The member of that name; nullptr if there is none or `object` is null or no object.
  const JsonNode* Member(const JsonNode* object, std::string_view name) const;

  // for (const JsonNode& child : index.Children(node))
  class Iterator {
   public:
    Iterator(const JsonNode* nodes, std::uint32_t i) : nodes_(nodes), i_(i) {}
    const JsonNode& operator*() const { return nodes_[i_]; }
    Iterator& operator++() {
      i_ = nodes_[i_].next;
      return *this;
    }
    bool operator!=(const Iterator& other) const { return i_ != other.i_; }

   private:
    const JsonNode* nodes_;
    std::uint32_t i_;
  };
  struct Range {
    Iterator first, last;
    Iterator begin() const { return first; }
    Iterator end() const { return last; }
  };
  Range Children(const JsonNode& node) const {
    return {Iterator(nodes_.data(), IndexOf(node) + 1), Iterator(nodes_.data(), node.next)};
  }

 private:
  struct Stage1;
  class Walk;  // json_walk.cc

  JsonError FindStructure();

  std::unique_ptr<Stage1> stage1_;
  std::string_view json_;
  std::string copy_;
  bool is_copy_ = false;  // json_ is copy_
  // Work memory: the first size_ of them are the text's.
  std::vector<JsonNode> nodes_;
  std::size_t size_ = 0;
  std::string decoded_;  // never grows during a Parse: texts point into it
  std::vector<std::string_view> names_;
};

}  // namespace sallyport::agent
