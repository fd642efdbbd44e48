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
  std::string head;
  std::string tail;
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

// What the run at `run` holds, if that is text: of a run that holds other bytes too, the first
// stretch of text. Only the run's beginning and its middle are probed, since most runs are names,
// hashes and pictures. `next`: where to look on.
std::optional<PackedText> ReadPacked(std::string_view text, std::size_t run, std::size_t& next);

// All stretches of text in base64 that may hold any bytes, one after the other; no two of them
// share a group.
class BinaryTexts {
 public:
  // The base64 that begins at `run`.
  BinaryTexts(std::string_view text, std::size_t run);
  // nullopt: there are no more, and `end` is where the base64 ends. `text` as it was, wherever it
  // is kept now.
  std::optional<PackedText> Next(std::string_view text);
  std::size_t end() const { return place_.at; }

 private:
  struct Place {
    std::size_t at = 0;
    std::size_t characters = 0;  // of the base64, without line breaks
  };
  struct Group;
  bool Read(std::string_view text, Group& group);

  Place place_;
  std::size_t line_ = 0;
  std::string line_break_;
};

// `text` in that form. Where groups follow it is filled up with spaces.
std::string Pack(std::string_view text, const PackedForm& form);

}  // namespace sallyport::agent
