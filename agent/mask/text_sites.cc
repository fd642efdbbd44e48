#include "agent/mask/text_sites.h"

#include <array>
#include <bit>
#include <cstring>

#include "agent/mask/packed_text.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sallyport::agent {
namespace {

// What a character may be part of. Those of runs are below those of units.
constexpr unsigned char kDigit = 0x01;
constexpr unsigned char kUpperHalf = 0x02;  // A to O, a to o
constexpr unsigned char kLowerHalf = 0x04;  // P to Z, p to z
constexpr unsigned char kSign = 0x08;       // + - /
constexpr unsigned char kUnderscore = 0x10;
constexpr unsigned char kLastOfRun = 0x1f;
constexpr unsigned char kPercent = 0x20;  // and &
constexpr unsigned char kEquals = 0x40;
constexpr unsigned char kBackslash = 0x80;

// The kinds of an ASCII character are those that both of its halves allow.
constexpr std::array<unsigned char, 16> LowTable() {
  std::array<unsigned char, 16> table{};
  for (unsigned i = 0; i < 16; ++i) {
    unsigned kinds = 0;
    if (i <= 9) kinds |= kDigit;
    if (i >= 1) kinds |= kUpperHalf;
    if (i <= 10) kinds |= kLowerHalf;
    if (i == 11 || i == 13 || i == 15) kinds |= kSign;
    if (i == 15) kinds |= kUnderscore;
    if (i == 5 || i == 6) kinds |= kPercent;
    if (i == 13) kinds |= kEquals;
    if (i == 12) kinds |= kBackslash;
    table[i] = static_cast<unsigned char>(kinds);
  }
  return table;
}
alignas(16) constexpr std::array<unsigned char, 16> kLow = LowTable();
alignas(16) constexpr std::array<unsigned char, 16> kHigh = {0,
                                                             0,
                                                             kSign | kPercent,
                                                             kDigit | kEquals,
                                                             kUpperHalf,
                                                             kLowerHalf | kUnderscore | kBackslash,
                                                             kUpperHalf,
                                                             kLowerHalf};

constexpr unsigned KindsOf(unsigned char c) {
  return c < 0x80 ? static_cast<unsigned>(kLow[c & 15] & kHigh[c >> 4]) : 0u;
}
static_assert([] {
  for (unsigned c = 0; c < 0x80; ++c) {
    const bool is_digit = c >= '0' && c <= '9';
    const bool is_run = is_digit || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '+' ||
                        c == '/' || c == '-' || c == '_';
    const bool is_unit = c == '\\' || c == '%' || c == '&' || c == '=';
    const unsigned kinds = KindsOf(static_cast<unsigned char>(c));
    if ((kinds == kDigit) != is_digit) return false;
    if ((kinds != 0 && kinds <= kLastOfRun) != is_run) return false;
    if ((kinds > kLastOfRun) != is_unit) return false;
  }
  return true;
}());

void ClassifyByTable(const char* text, std::size_t count, TextSites::Block* out) {
  for (std::size_t i = 0; i < count; ++i) {
    TextSites::Block block;
    for (unsigned k = 0; k < 64; ++k) {
      const auto c = static_cast<unsigned char>(text[i * 64 + k]);
      const std::uint64_t bit = std::uint64_t{1} << k;
      if (KindsOf(c) > kLastOfRun || c >= 0x80) block.units |= bit;
      if (KindsOf(c) != 0 && KindsOf(c) <= kLastOfRun) block.runs |= bit;
      if (KindsOf(c) == kDigit) block.digits |= bit;
      if (c == '@') block.at_signs |= bit;
    }
    out[i] = block;
  }
}

#if defined(__x86_64__)

#define SALLYPORT_SSSE3 __attribute__((target("ssse3")))
#define SALLYPORT_AVX2 __attribute__((target("avx2")))

// Which of 16 bytes are what: bit i is byte i's.
struct Kinds16 {
  SALLYPORT_SSSE3 explicit Kinds16(const char* p)
      : bytes(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))) {
    const __m128i low = _mm_load_si128(reinterpret_cast<const __m128i*>(kLow.data()));
    const __m128i high = _mm_load_si128(reinterpret_cast<const __m128i*>(kHigh.data()));
    const __m128i upper = _mm_and_si128(_mm_srli_epi16(bytes, 4), _mm_set1_epi8(15));
    // A shuffle gives 0 for a byte from 0x80 on.
    kinds = _mm_and_si128(_mm_shuffle_epi8(low, bytes), _mm_shuffle_epi8(high, upper));
  }
  SALLYPORT_SSSE3 static std::uint64_t TopBits(__m128i v) {
    return static_cast<unsigned>(_mm_movemask_epi8(v));
  }
  SALLYPORT_SSSE3 std::uint64_t Units() const {
    return TopBits(_mm_or_si128(bytes, _mm_adds_epu8(kinds, _mm_set1_epi8(0x7f - kLastOfRun))));
  }
  SALLYPORT_SSSE3 std::uint64_t Any() const {
    return TopBits(_mm_adds_epu8(kinds, _mm_set1_epi8(0x7f)));
  }
  SALLYPORT_SSSE3 std::uint64_t Digits() const { return TopBits(_mm_slli_epi16(kinds, 7)); }
  SALLYPORT_SSSE3 std::uint64_t AtSigns() const {
    return TopBits(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('@')));
  }

  __m128i bytes;
  __m128i kinds;
};

// The same of 32.
struct Kinds32 {
  SALLYPORT_AVX2 explicit Kinds32(const char* p)
      : bytes(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))) {
    const __m256i low =
        _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(kLow.data())));
    const __m256i high =
        _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(kHigh.data())));
    const __m256i upper = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), _mm256_set1_epi8(15));
    kinds = _mm256_and_si256(_mm256_shuffle_epi8(low, bytes), _mm256_shuffle_epi8(high, upper));
  }
  SALLYPORT_AVX2 static std::uint64_t TopBits(__m256i v) {
    return static_cast<unsigned>(_mm256_movemask_epi8(v));
  }
  SALLYPORT_AVX2 std::uint64_t Units() const {
    return TopBits(
        _mm256_or_si256(bytes, _mm256_adds_epu8(kinds, _mm256_set1_epi8(0x7f - kLastOfRun))));
  }
  SALLYPORT_AVX2 std::uint64_t Any() const {
    return TopBits(_mm256_adds_epu8(kinds, _mm256_set1_epi8(0x7f)));
  }
  SALLYPORT_AVX2 std::uint64_t Digits() const { return TopBits(_mm256_slli_epi16(kinds, 7)); }
  SALLYPORT_AVX2 std::uint64_t AtSigns() const {
    return TopBits(_mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('@')));
  }

  __m256i bytes;
  __m256i kinds;
};

SALLYPORT_SSSE3 void ClassifyBySsse3(const char* text, std::size_t count, TextSites::Block* out) {
  for (std::size_t i = 0; i < count; ++i) {
    TextSites::Block block;
    for (unsigned part = 0; part < 64; part += 16) {
      const Kinds16 kinds(text + i * 64 + part);
      block.units |= kinds.Units() << part;
      block.runs |= kinds.Any() << part;
      block.digits |= kinds.Digits() << part;
      block.at_signs |= kinds.AtSigns() << part;
    }
    block.runs &= ~block.units;
    out[i] = block;
  }
}

SALLYPORT_AVX2 void ClassifyByAvx2(const char* text, std::size_t count, TextSites::Block* out) {
  for (std::size_t i = 0; i < count; ++i) {
    const Kinds32 first(text + i * 64);
    const Kinds32 second(text + i * 64 + 32);
    TextSites::Block block;
    block.units = first.Units() | second.Units() << 32;
    block.runs = (first.Any() | second.Any() << 32) & ~block.units;
    block.digits = first.Digits() | second.Digits() << 32;
    block.at_signs = first.AtSigns() | second.AtSigns() << 32;
    out[i] = block;
  }
}

#endif

// From the characters of a kind to where they begin something, over the blocks in order.
class Beginnings {
 public:
  void Find(TextSites::Block& block) {
    FindRuns(block);
    const std::uint64_t digits = block.digits;
    if (digits != 0) {
      // Four in a row, as far as this block tells.
      block.digits &=
          ~(digits << 1 | (was_digit_ ? 1 : 0)) & (digits >> 1 | std::uint64_t{1} << 63) &
          (digits >> 2 | std::uint64_t{3} << 62) & (digits >> 3 | std::uint64_t{7} << 61);
    }
    was_digit_ = digits >> 63 != 0;
    any_.units |= block.units;
    any_.runs |= block.runs;
    any_.digits |= block.digits;
    any_.at_signs |= block.at_signs;
  }
  // What has been found, or-ed.
  const TextSites::Block& any() const { return any_; }

 private:
  static_assert(kMinRun == 20);

  void FindRuns(TextSites::Block& block) {
    const std::uint64_t characters = block.runs;
    const auto head = static_cast<std::size_t>(std::countr_one(characters));
    if (run_ != 0 && run_ < kMinRun && run_ + head >= kMinRun) {
      // It began in the block before.
      const std::uint64_t bit = std::uint64_t{1} << (64 - run_);
      (&block)[-1].runs |= bit;
      any_.runs |= bit;
    }
    // Bit k: 20 bits are set from bit k on.
    std::uint64_t whole = characters & characters >> 1;
    whole &= whole >> 2;
    whole &= whole >> 4;
    whole &= whole >> 8;
    whole &= whole >> 4;
    block.runs = whole & ~(characters << 1 | (run_ != 0 ? 1 : 0));
    const auto tail = static_cast<std::size_t>(std::countl_one(characters));
    run_ = tail == 64 ? run_ + 64 : tail;
  }

  TextSites::Block any_;
  std::size_t run_ = 0;  // the characters of a run that reaches up to here
  bool was_digit_ = false;
};

}  // namespace

std::span<const TextSites::Classifier> TextSites::Classifiers() {
  static const std::vector<Classifier> classifiers = [] {
    std::vector<Classifier> all;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) all.push_back(ClassifyByAvx2);
    if (__builtin_cpu_supports("ssse3")) all.push_back(ClassifyBySsse3);
#endif
    all.push_back(ClassifyByTable);
    return all;
  }();
  return classifiers;
}

void TextSites::Find(std::string_view text, std::size_t from) {
  const std::size_t first = from / 64;
  const Block before = first < blocks_.size() ? blocks_[first] : Block{};
  blocks_.resize((text.size() + 63) / 64);
  const std::size_t whole = text.size() / 64;
  classify_(text.data() + first * 64, whole - first, blocks_.data() + first);
  if (whole != blocks_.size()) {
    char rest[64] = {};
    std::memcpy(rest, text.data() + whole * 64, text.size() % 64);
    classify_(rest, 1, &blocks_[whole]);
  }
  Beginnings beginnings;
  for (std::size_t i = first; i < blocks_.size(); ++i) beginnings.Find(blocks_.data()[i]);
  any_.units |= beginnings.any().units;
  any_.runs |= beginnings.any().runs;
  any_.digits |= beginnings.any().digits;
  any_.at_signs |= beginnings.any().at_signs;
  if (from % 64 != 0) {
    // What stands before `from` in its block is as it was.
    const std::uint64_t added = ~std::uint64_t{0} << from % 64;
    Block& block = blocks_[first];
    block.units = (block.units & added) | (before.units & ~added);
    block.runs = (block.runs & added) | (before.runs & ~added);
    block.digits = (block.digits & added) | (before.digits & ~added);
    block.at_signs = (block.at_signs & added) | (before.at_signs & ~added);
  }
}

}  // namespace sallyport::agent
