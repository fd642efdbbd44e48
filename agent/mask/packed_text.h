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
// stretch of text. Without `is_thorough` only the run's beginning and its middle are probed, since
// most runs are names, hashes and pictures. `next`: where to look on.
std::optional<PackedText> ReadPacked(std::string_view text, std::size_t run, bool is_thorough,
                                     std::size_t& next);

// `text` in that form.
std::string Pack(std::string_view text, const PackedForm& form);

}  // namespace sallyport::agent
