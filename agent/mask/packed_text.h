#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// Text that stands in another text as base64 (either alphabet, padded or not, in one line or
// wrapped) or as hex.
namespace sallyport::agent {

// The shortest run that is looked at: a card number is 22 characters of base64; less holds little
// that we look for.
inline constexpr std::size_t kMinRun = 20;

// Bytes of a group of base64 that are none of the text.
class GroupRest {
 public:
  GroupRest() = default;
  // At most two.
  explicit GroupRest(std::string_view bytes) : size_(static_cast<std::uint8_t>(bytes.size())) {
    bytes.copy(bytes_, sizeof bytes_);
  }
  std::string_view view() const { return {bytes_, size_}; }

 private:
  char bytes_[2] = {};
  std::uint8_t size_ = 0;
};

struct PackedForm {
  enum class Base : std::uint8_t { kBase64, kHex };
  Base base = Base::kBase64;
  bool is_url = false;     // - and _ for + and /
  bool is_padded = false;  // with = at its end
  bool is_upper = false;   // hex
  std::size_t line = 0;    // characters in a line; 0: one line
  std::string line_break;  // with the indentation of the next line
  std::size_t column = 0;  // where in its line it begins
  // Base64: the bytes before and behind the text in the groups of its first and its last byte.
  GroupRest head;
  GroupRest tail;
  // Base64: groups of other bytes follow, which have to stay where groups begin.
  bool goes_on = false;
};

struct PackedText {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string text;
  PackedForm form;
};

// From `from` on the first run of characters that is long enough to hold something;
// std::string_view::npos: none.
std::size_t NextRun(std::string_view text, std::size_t from);

// Where the run at `run` ends.
std::size_t EndOfRun(std::string_view text, std::size_t run);

// All stretches of text in what is packed in a run, one after the other; no two of them share a
// group. They are read from the run's beginning, in bytes of hex or in groups of base64, whatever
// else it holds; where there is none so, its middle is probed, for what stands before it without a
// space (a path, a name) may have any length. Most runs are names, hashes and pictures.
class PackedTexts {
 public:
  // Of the run from `run` to `run_end`, and of the lines that continue it.
  PackedTexts(std::size_t run, std::size_t run_end);
  // nullopt: there are no more, and `end` is where to look on. `text` as it was, wherever it is
  // kept now.
  std::optional<PackedText> Next(std::string_view text);
  std::size_t end() const { return end_; }

 private:
  enum class Stage : std::uint8_t { kHex, kGroups, kShifted };
  // Where reading has come to; a line is read on in the next one.
  struct Place {
    std::size_t at = 0;
    std::size_t line_begin = 0;
    std::size_t line_end = 0;
  };
  struct Group;
  class Stretch;

  std::optional<PackedText> NextInHex(std::string_view text);
  std::optional<PackedText> NextInBase64(std::string_view text);
  bool Read(std::string_view text, Group& group);
  bool NextLine(std::string_view text);
  void Begin(Stage stage, std::size_t at);

  const std::size_t run_;
  const std::size_t run_end_;
  std::size_t end_;
  Stage stage_ = Stage::kHex;
  bool is_found_ = false;
  Place place_;
  std::size_t line_ = 0;
  std::string line_break_;
};

// `text` in that form. Where groups follow it is filled up with spaces.
std::string Pack(std::string_view text, const PackedForm& form);

}  // namespace sallyport::agent
