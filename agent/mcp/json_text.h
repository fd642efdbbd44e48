#pragma once

#include <cstddef>
#include <string>
#include <string_view>

// JSON strings, as RFC 8259 has them.
namespace sallyport::agent {

// Appends `text` as the inside of a JSON string: quotes, backslashes and control characters
// escaped, the rest as it is. Invalid UTF-8 becomes U+FFFD.
void AppendJsonEscaped(std::string& out, std::string_view text);

// Appends what the inside of a JSON string means. False, with `out` possibly extended, on a bad
// escape, a lone surrogate or an unescaped control character. Does not judge UTF-8.
bool AppendJsonUnescaped(std::string& out, std::string_view raw);

// Where in `raw` (the inside of a valid JSON string) the decoded byte `offset` comes from: walks
// forward only, so that asking for rising offsets costs one pass.
class UnescapeCursor {
 public:
  explicit UnescapeCursor(std::string_view raw) : raw_(raw) {}
  // The begin of the raw characters that hold the decoded byte at `offset`. Offsets must not fall.
  std::size_t BeginOf(std::size_t offset);
  // The end of the raw characters that hold the decoded byte before `offset`; 0 for offset 0.
  std::size_t EndOf(std::size_t offset);

 private:
  struct Unit {
    std::size_t raw_size;
    std::size_t decoded_size;
  };
  Unit At(std::size_t raw_offset) const;

  std::string_view raw_;
  std::size_t raw_offset_ = 0;
  std::size_t decoded_offset_ = 0;
};

}  // namespace sallyport::agent
