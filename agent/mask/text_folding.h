#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

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

// The first unit from `from` on. False: there is none. Costs little where there is none.
bool NextUnit(std::string_view text, std::size_t from, FoldUnit& unit);

// Appends the folded surroundings of `unit`, and of those that follow closely, to `out`, and to
// `pieces` where it comes from: offsets of `text` plus `source`, and of `out`. True: `unit` is the
// next one, further away.
bool AppendFolded(std::string_view text, std::uint32_t source, FoldUnit& unit, std::string& out,
                  std::vector<FoldPiece>& pieces);

}  // namespace sallyport::agent
