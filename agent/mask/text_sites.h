#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace sallyport::agent {

// Where in texts something begins that is worth a closer look, found in one pass over them: a bit
// for each byte and kind. Texts stand one behind the other with a NUL behind each.
class TextSites {
 public:
  // Which of 64 bytes.
  struct Block {
    std::uint64_t units = 0;
    std::uint64_t runs = 0;
    std::uint64_t digits = 0;
    std::uint64_t at_signs = 0;
  };
  static constexpr std::size_t kNone = std::string_view::npos;

  // Says of `count` times 64 bytes which are what; in `runs` and `digits` every character of one.
  using Classifier = void (*)(const char* text, std::size_t count, Block* out);
  // Those that this processor can run, the fastest first. All of them find the same.
  static std::span<const Classifier> Classifiers();

  explicit TextSites(Classifier classifier = Classifiers().front()) : classify_(classifier) {}

  void Clear() {
    if (blocks_.capacity() > kKeptBlocks) std::vector<Block>().swap(blocks_);
    blocks_.clear();
    any_ = Block{};
  }
  // Adds those of text[from, text.size()), where a text begins at `from`; what stands before it
  // has been added.
  void Find(std::string_view text, std::size_t from);

  // The first place from `from` on, kNone behind the last one: of what may stand for something
  // else (text_folding.h),
  std::size_t NextUnit(std::size_t from) const { return Next(&Block::units, from); }
  // of at least kMinRun characters of base64 or hex (packed_text.h),
  std::size_t NextRun(std::size_t from) const { return Next(&Block::runs, from); }
  // of digits, where there may be four or more,
  std::size_t NextDigits(std::size_t from) const { return Next(&Block::digits, from); }
  // and of at signs.
  std::size_t NextAtSign(std::size_t from) const { return Next(&Block::at_signs, from); }

 private:
  static constexpr std::size_t kKeptBlocks = 1u << 14;

  std::size_t Next(std::uint64_t Block::*kind, std::size_t from) const {
    if (any_.*kind == 0) return kNone;
    std::size_t i = from / 64;
    if (i >= blocks_.size()) return kNone;
    const Block* const blocks = blocks_.data();
    std::uint64_t bits = blocks[i].*kind & ~std::uint64_t{0} << from % 64;
    while (bits == 0) {
      if (++i == blocks_.size()) return kNone;
      bits = blocks[i].*kind;
    }
    return i * 64 + static_cast<std::size_t>(std::countr_zero(bits));
  }

  const Classifier classify_;
  std::vector<Block> blocks_;
  Block any_;  // all of them, or-ed
};

}  // namespace sallyport::agent
