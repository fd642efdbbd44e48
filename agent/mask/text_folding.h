#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/mask/text_sites.h"

// What a text says once its escapes are undone and its characters are the plain ones: `\u0041`,
// `\/` and `\n` at any depth of escaping, `%41`, `&#65;`, soft line breaks, characters that nobody
// sees, full-width letters, the digits, spaces and dashes of other scripts. For looking only: edits
// go into the text itself.
namespace sallyport::agent {

// From `folded` on the folded text is, byte for byte, the text from `source` on; or, where `size`
// is not 0, it is what one unit of that size means, up to the next piece.
struct FoldPiece {
  std::uint32_t folded = 0;
  std::uint32_t source = 0;
  std::uint32_t size = 0;
};

// What stands for something else.
struct FoldUnit {
  std::size_t begin = 0;
  std::size_t size = 0;
  char meaning[4] = {};
  std::size_t meaning_size = 0;
};

// A text among others, and what is known of them.
struct FoldSource {
  std::string_view text;
  std::uint32_t begin = 0;  // of the text
  const TextSites& sites;   // of all of them
};

// The first unit from `from` on. False: there is none.
bool NextUnit(const FoldSource& source, std::size_t from, FoldUnit& unit);

// Replaces `out` by the folded surroundings of `unit`, and of those that follow closely; it will
// stand at `folded`. Appends to `pieces` where it comes from, in places of all texts. True: `unit`
// is the next one, further away.
bool Fold(const FoldSource& source, std::uint32_t folded, FoldUnit& unit, std::string& out,
          std::vector<FoldPiece>& pieces);

}  // namespace sallyport::agent
