#pragma once

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <memory>

#include "agent/mcp/json_index.h"

// For json_index.cc and json_walk.cc alone.
namespace sallyport::agent {

struct JsonIndex::Stage1 {
  std::unique_ptr<simdjson::internal::dom_parser_implementation> parser;
};

// The grammar, over the tokens that stage 1 has found: the places of all brackets, colons and
// commas and the first ones of all scalars, in valid UTF-8 in which every string is closed. So
// between the opening quote of a string and the next token stand the string, its closing quote and
// white space, and nothing else.
class JsonIndex::Walk {
 public:
  Walk(JsonIndex& index, const JsonLimits& limits);

  // Writes the index's nodes.
  JsonError Run();
  // How many.
  std::size_t size() const { return size_; }

 private:
  static constexpr std::size_t kMaxDepth = 255;

  // A container that is open.
  struct Frame {
    std::uint32_t node;
    char closer;
    // Two names may be equal: they have one bit. Nobody gains by choosing such names, for then all
    // are compared, as they would be without bits.
    bool may_repeat;
    std::uint64_t name_bits;
    std::size_t members;
  };

  // The next one, with its place among the others; the rest is as it happens to be.
  JsonNode& NextNode();
  JsonError Open(JsonNode& node, char bracket);
  JsonError Close(std::uint32_t bracket);
  // `value`: where that of the name begins.
  JsonError ReadName(JsonNode& node, std::uint32_t& value);
  JsonError ReadScalar(JsonNode& node);
  // The string whose opening quote is at `begin`, the last token taken.
  JsonError ReadString(std::uint32_t begin, std::uint32_t& end, std::string_view& text);
  // Replaces what is spelled by what it means.
  JsonError Unescape(std::string_view& text);
  JsonError CheckNames(const Frame& object);

  bool Take(std::uint32_t& place) {
    if (token_ == tokens_end_) return false;
    place = *token_++;
    return true;
  }
  // Where the last scalar taken ends: before the next token, and white space.
  const char* ScalarEnd() const;

  JsonIndex& index_;
  JsonNode* nodes_;  // the index's
  std::size_t room_;
  const JsonLimits& limits_;
  const char* const json_;
  const std::uint32_t json_size_;
  const std::uint32_t* token_;
  const std::uint32_t* const tokens_end_;
  const bool has_escapes_;
  const std::size_t max_depth_;
  std::size_t size_ = 0;
  std::size_t depth_ = 0;
  std::array<Frame, kMaxDepth + 1> frames_;  // [1, depth_]
};

}  // namespace sallyport::agent
