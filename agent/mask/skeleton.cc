#include "agent/mask/skeleton.h"

#include <array>

#if defined(__x86_64__)
#include <tmmintrin.h>
#endif

namespace sallyport::agent {
namespace {

// 0: not in a skeleton.
constexpr char Kept(char c) {
  if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')) return c;
  if (c >= 'A' && c <= 'Z') return static_cast<char>(c - 'A' + 'a');
  return 0;
}

#if defined(__x86_64__)

// For each set of bytes of eight that are kept, the order that brings them to the front.
constexpr std::array<std::array<std::uint8_t, 8>, 256> Orders() {
  std::array<std::array<std::uint8_t, 8>, 256> orders{};
  for (unsigned set = 0; set < 256; ++set) {
    std::size_t n = 0;
    for (std::uint8_t i = 0; i < 8; ++i) {
      if ((set >> i & 1) != 0) orders[set][n++] = i;
    }
  }
  return orders;
}
alignas(64) constexpr std::array<std::array<std::uint8_t, 8>, 256> kOrders = Orders();

constexpr std::array<std::uint8_t, 256> Counts() {
  std::array<std::uint8_t, 256> counts{};
  for (unsigned set = 1; set < 256; ++set)
    counts[set] = static_cast<std::uint8_t>(counts[set / 2] + set % 2);
  return counts;
}
alignas(64) constexpr std::array<std::uint8_t, 256> kCounts = Counts();

// SSSE3 is what the literal search needs too; whoever has no such processor gets no masker.
__attribute__((target("ssse3"))) std::size_t Compress(const char* text, std::size_t blocks,
                                                      char* out) {
  const __m128i to_lower = _mm_set1_epi8(0x20);
  char* const begin = out;
  for (std::size_t i = 0; i < blocks; ++i) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text + i * 16));
    const __m128i low = _mm_or_si128(v, to_lower);
    const __m128i letters = _mm_and_si128(_mm_cmpgt_epi8(low, _mm_set1_epi8('a' - 1)),
                                          _mm_cmplt_epi8(low, _mm_set1_epi8('z' + 1)));
    const __m128i digits = _mm_and_si128(_mm_cmpgt_epi8(v, _mm_set1_epi8('0' - 1)),
                                         _mm_cmplt_epi8(v, _mm_set1_epi8('9' + 1)));
    const __m128i kept = _mm_or_si128(v, _mm_and_si128(letters, to_lower));
    const auto set = static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(letters, digits)));
    const auto& first = kOrders[set & 255];
    const auto& second = kOrders[set >> 8];
    const __m128i front =
        _mm_shuffle_epi8(kept, _mm_loadl_epi64(reinterpret_cast<const __m128i*>(first.data())));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(out), front);
    out += kCounts[set & 255];
    const __m128i back = _mm_shuffle_epi8(
        _mm_srli_si128(kept, 8), _mm_loadl_epi64(reinterpret_cast<const __m128i*>(second.data())));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(out), back);
    out += kCounts[set >> 8];
  }
  return static_cast<std::size_t>(out - begin);
}

#endif

}  // namespace

std::string_view MakeSkeleton(std::string_view text, std::string& memory) {
  constexpr std::size_t kSlack = 16;  // what a whole store may write beyond
  if (memory.size() < text.size() + kSlack) memory.resize(text.size() + kSlack);
  std::size_t n = 0;
  std::size_t i = 0;
#if defined(__x86_64__)
  n = Compress(text.data(), text.size() / 16, memory.data());
  i = text.size() / 16 * 16;
#endif
  for (; i < text.size(); ++i) {
    if (const char c = Kept(text[i]); c != 0) memory[n++] = c;
  }
  return std::string_view(memory).substr(0, n);
}

std::vector<std::uint32_t> SkeletonOffsets(std::string_view text) {
  std::vector<std::uint32_t> offsets;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (Kept(text[i]) != 0) offsets.push_back(static_cast<std::uint32_t>(i));
  }
  return offsets;
}

}  // namespace sallyport::agent
