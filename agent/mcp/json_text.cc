#include "agent/mcp/json_text.h"

#include <algorithm>
#include <cstdint>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "common/hex_digit.h"
#include "common/json_string.h"

namespace sallyport::agent {
namespace {

// The four digits at raw[i..i+4), or -1.
int HexQuad(std::string_view raw, std::size_t i) {
  if (raw.size() < i + 4) return -1;
  int value = 0;
  for (std::size_t k = i; k < i + 4; ++k) {
    const int digit = HexDigit(raw[k]);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

// The first backslash or control character from `i` on, or the end.
std::size_t PlainEnd(std::string_view raw, std::size_t i) {
#if defined(__SSE2__)
  const __m128i backslash = _mm_set1_epi8('\\');
  const __m128i last_control = _mm_set1_epi8(0x1f);
  for (; i + 16 <= raw.size(); i += 16) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(raw.data() + i));
    const __m128i is_control = _mm_cmpeq_epi8(_mm_min_epu8(v, last_control), v);
    const int hits = _mm_movemask_epi8(_mm_or_si128(is_control, _mm_cmpeq_epi8(v, backslash)));
    if (hits != 0) return i + static_cast<std::size_t>(__builtin_ctz(static_cast<unsigned>(hits)));
  }
#endif
  while (i < raw.size() && raw[i] != '\\' && static_cast<unsigned char>(raw[i]) >= 0x20) ++i;
  return i;
}

void AppendUtf8(std::string& out, std::uint32_t c) {
  if (c < 0x80) {
    out.push_back(static_cast<char>(c));
  } else if (c < 0x800) {
    out.push_back(static_cast<char>(0xc0 | c >> 6));
    out.push_back(static_cast<char>(0x80 | (c & 0x3f)));
  } else if (c < 0x10000) {
    out.push_back(static_cast<char>(0xe0 | c >> 12));
    out.push_back(static_cast<char>(0x80 | (c >> 6 & 0x3f)));
    out.push_back(static_cast<char>(0x80 | (c & 0x3f)));
  } else {
    out.push_back(static_cast<char>(0xf0 | c >> 18));
    out.push_back(static_cast<char>(0x80 | (c >> 12 & 0x3f)));
    out.push_back(static_cast<char>(0x80 | (c >> 6 & 0x3f)));
    out.push_back(static_cast<char>(0x80 | (c & 0x3f)));
  }
}

bool IsHighSurrogate(int c) { return c >= 0xd800 && c < 0xdc00; }
bool IsLowSurrogate(int c) { return c >= 0xdc00 && c < 0xe000; }

}  // namespace

void AppendJsonEscaped(std::string& out, std::string_view text) {
  const bool is_plain = std::all_of(text.begin(), text.end(), [](char c) {
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
  });
  if (is_plain) {
    out.append(text);
    return;
  }
  const std::string quoted = JsonString(text);
  out.append(quoted, 1, quoted.size() - 2);
}

bool AppendJsonUnescaped(std::string& out, std::string_view raw) {
  for (std::size_t i = 0; i < raw.size();) {
    const std::size_t plain_end = PlainEnd(raw, i);
    out.append(raw, i, plain_end - i);
    i = plain_end;
    if (i == raw.size()) break;
    if (raw[i] != '\\') return false;  // a control character
    if (i + 1 == raw.size()) return false;
    const char c = raw[i + 1];
    i += 2;
    switch (c) {
      case '"':
      case '\\':
      case '/':
        out.push_back(c);
        break;
      case 'b':
        out.push_back('\b');
        break;
      case 'f':
        out.push_back('\f');
        break;
      case 'n':
        out.push_back('\n');
        break;
      case 'r':
        out.push_back('\r');
        break;
      case 't':
        out.push_back('\t');
        break;
      case 'u': {
        const int first = HexQuad(raw, i);
        if (first < 0 || IsLowSurrogate(first)) return false;
        i += 4;
        std::uint32_t code = static_cast<std::uint32_t>(first);
        if (IsHighSurrogate(first)) {
          if (raw.substr(i, 2) != "\\u") return false;
          const int second = HexQuad(raw, i + 2);
          if (!IsLowSurrogate(second)) return false;
          i += 6;
          code = 0x10000 + ((code - 0xd800) << 10) + static_cast<std::uint32_t>(second - 0xdc00);
        }
        AppendUtf8(out, code);
        break;
      }
      default:
        return false;
    }
  }
  return true;
}

UnescapeCursor::Unit UnescapeCursor::At(std::size_t raw_offset) const {
  if (raw_[raw_offset] != '\\') return {1, 1};
  if (raw_[raw_offset + 1] != 'u') return {2, 1};
  const int code = HexQuad(raw_, raw_offset + 2);
  if (code < 0x80) return {6, 1};
  if (code < 0x800) return {6, 2};
  if (IsHighSurrogate(code)) return {12, 4};
  return {6, 3};
}

std::size_t UnescapeCursor::BeginOf(std::size_t offset) {
  while (raw_offset_ < raw_.size()) {
    const Unit unit = At(raw_offset_);
    if (decoded_offset_ + unit.decoded_size > offset) break;
    raw_offset_ += unit.raw_size;
    decoded_offset_ += unit.decoded_size;
  }
  return raw_offset_;
}

std::size_t UnescapeCursor::EndOf(std::size_t offset) {
  if (offset == 0) return 0;
  const std::size_t begin = BeginOf(offset - 1);
  return begin == raw_.size() ? begin : begin + At(begin).raw_size;
}

}  // namespace sallyport::agent
