#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "agent/mask/detectors/readers.h"

namespace sallyport::agent {
namespace {

class PersonalScan {
 public:
  PersonalScan(std::string_view text, std::vector<PersonalMatch>& found)
      : text_(text), found_(found) {}

  void OnDigits(std::size_t at) {
    // Most digits are years, times and counts.
    constexpr std::size_t kShortest = 13;
    if (at + kShortest > text_.size() || at < digits_done_) return;
    for (std::size_t i = 1; i < 4; ++i) {
      if (!IsDigit(text_[at + i])) return;
    }
    if (!MayBeginCard(text_[at], text_[at + 1])) return;
    if (const auto match = ReadCard(text_, at)) {
      found_.push_back({Detector::kCard, *match});
      digits_done_ = match->end;
    }
  }
  void OnAtSign(std::size_t at) {
    const auto match = ReadEmail(text_, at);
    if (!match.has_value()) return;
    if (!has_searched_) next_scheme_ = text_.find("://");
    has_searched_ = true;
    while (next_scheme_ < at) {
      scheme_ = next_scheme_;
      next_scheme_ = text_.find("://", next_scheme_ + 1);
    }
    const bool has_scheme = scheme_ != std::string_view::npos;
    if (has_scheme && IsInUserinfo(text_, scheme_, match->begin, at)) return;
    found_.push_back({Detector::kEmail, *match});
  }

 private:
  std::string_view text_;
  std::vector<PersonalMatch>& found_;
  std::size_t digits_done_ = 0;
  // The last `://` before the last address, and the next.
  std::size_t scheme_ = std::string_view::npos;
  std::size_t next_scheme_ = std::string_view::npos;
  bool has_searched_ = false;
};

}  // namespace

void FindPersonal(std::string_view text, std::vector<PersonalMatch>& found) {
  PersonalScan scan(text, found);
  const char* const p = text.data();
  std::size_t i = 0;
  bool was_digit = false;
#if defined(__SSE2__)
  const __m128i below = _mm_set1_epi8('0' - 1);
  const __m128i above = _mm_set1_epi8('9' + 1);
  const __m128i at_sign = _mm_set1_epi8('@');
  for (; i + 16 <= text.size(); i += 16) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + i));
    const auto digits = static_cast<unsigned>(
        _mm_movemask_epi8(_mm_and_si128(_mm_cmpgt_epi8(v, below), _mm_cmplt_epi8(v, above))));
    // Four in a row, as far as this block tells.
    unsigned starts = digits & ~(digits << 1 | (was_digit ? 1u : 0u)) & (digits >> 1 | 0x8000) &
                      (digits >> 2 | 0xc000) & (digits >> 3 | 0xe000);
    was_digit = (digits >> 15 & 1) != 0;
    for (; starts != 0; starts &= starts - 1) {
      scan.OnDigits(i + static_cast<unsigned>(__builtin_ctz(starts)));
    }
    auto at_signs = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(v, at_sign)));
    for (; at_signs != 0; at_signs &= at_signs - 1) {
      scan.OnAtSign(i + static_cast<unsigned>(__builtin_ctz(at_signs)));
    }
  }
#endif
  for (; i < text.size(); ++i) {
    if (IsDigit(p[i]) && !was_digit) scan.OnDigits(i);
    was_digit = IsDigit(p[i]);
    if (p[i] == '@') scan.OnAtSign(i);
  }
}

}  // namespace sallyport::agent
