#include "agent/mask/packed_text.h"

#include <algorithm>
#include <array>
#include <bit>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "common/hex_digit.h"

namespace sallyport::agent {
namespace {

constexpr std::size_t kMinText = 12;
// Groups of four characters that must be text for the rest to be looked at: twelve bytes, which a
// hash or a picture has once in a hundred thousand tries.
constexpr std::size_t kProbe = 4;

constexpr std::string_view kStandard =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kUrl =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::array<std::int8_t, 256> DecodeTable() {
  std::array<std::int8_t, 256> table{};
  table.fill(-1);
  for (std::size_t i = 0; i < 64; ++i) {
    table[static_cast<unsigned char>(kStandard[i])] = static_cast<std::int8_t>(i);
    table[static_cast<unsigned char>(kUrl[i])] = static_cast<std::int8_t>(i);
  }
  return table;
}
constexpr std::array<std::int8_t, 256> kDecode = DecodeTable();

unsigned Sextet(char c) { return static_cast<unsigned>(kDecode[static_cast<unsigned char>(c)]); }
bool IsRunCharacter(char c) { return kDecode[static_cast<unsigned char>(c)] >= 0; }

bool IsAsciiText(unsigned char c) {
  return (c >= 0x20 && c < 0x7f) || c == '\n' || c == '\t' || c == '\r';
}
// Once a text has begun, it may go on in another script.
bool IsText(unsigned char c) { return IsAsciiText(c) || c >= 0x80; }

#if defined(__SSE2__)
// Bit i: byte i may stand in a run.
unsigned RunMask(const char* p) {
  const auto in = [](__m128i v, char first, char last) {
    return _mm_and_si128(_mm_cmpgt_epi8(v, _mm_set1_epi8(static_cast<char>(first - 1))),
                         _mm_cmplt_epi8(v, _mm_set1_epi8(static_cast<char>(last + 1))));
  };
  const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  const __m128i letters = in(_mm_or_si128(v, _mm_set1_epi8(0x20)), 'a', 'z');
  const __m128i digits = in(v, '/', '9');  // and the slash
  const __m128i others = _mm_or_si128(
      _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('+')), _mm_cmpeq_epi8(v, _mm_set1_epi8('-'))),
      _mm_cmpeq_epi8(v, _mm_set1_epi8('_')));
  return static_cast<unsigned>(
      _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(letters, digits), others)));
}

std::uint64_t RunMask64(const char* p) {
  return static_cast<std::uint64_t>(RunMask(p)) |
         static_cast<std::uint64_t>(RunMask(p + 16)) << 16 |
         static_cast<std::uint64_t>(RunMask(p + 32)) << 32 |
         static_cast<std::uint64_t>(RunMask(p + 48)) << 48;
}
#endif

std::size_t RunEnd(std::string_view text, std::size_t at) {
#if defined(__SSE2__)
  for (; at + 16 <= text.size(); at += 16) {
    const unsigned mask = RunMask(text.data() + at);
    if (mask != 0xffff) return at + static_cast<unsigned>(std::countr_one(mask));
  }
#endif
  while (at < text.size() && IsRunCharacter(text[at])) ++at;
  return at;
}

// The three bytes of a group.
std::array<unsigned char, 3> Group(std::string_view text, std::size_t at) {
  const unsigned bits = Sextet(text[at]) << 18 | Sextet(text[at + 1]) << 12 |
                        Sextet(text[at + 2]) << 6 | Sextet(text[at + 3]);
  return {static_cast<unsigned char>(bits >> 16), static_cast<unsigned char>(bits >> 8),
          static_cast<unsigned char>(bits)};
}

template <class Is>
bool IsGroupOf(std::string_view text, std::size_t at, Is is) {
  const auto bytes = Group(text, at);
  return is(bytes[0]) && is(bytes[1]) && is(bytes[2]);
}

bool IsProbeText(std::string_view text, std::size_t at, std::size_t end) {
  if (at + kProbe * 4 > end) return false;
  for (std::size_t i = 0; i < kProbe; ++i) {
    if (!IsGroupOf(text, at + i * 4, IsAsciiText)) return false;
  }
  return true;
}

// Where in the run text begins; npos: nowhere.
std::size_t TextBegin(std::string_view text, std::size_t run, std::size_t end) {
  if (IsProbeText(text, run, end)) return run;
  // What stands before it without a space (a path, a name) may have any length.
  const std::size_t middle = run + (end - run) / 2;
  for (std::size_t probe = middle; probe < middle + 4; ++probe) {
    if (!IsProbeText(text, probe, end)) continue;
    std::size_t begin = probe;
    while (begin >= run + 4 && IsGroupOf(text, begin - 4, IsText)) begin -= 4;
    return begin;
  }
  return std::string_view::npos;
}

bool IsHexProbe(std::string_view text, std::size_t begin, std::size_t end) {
  if (begin + kMinText * 2 > end) return false;
  for (std::size_t i = begin; i < begin + kMinText * 2; i += 2) {
    const int high = HexDigit(text[i]);
    const int low = HexDigit(text[i + 1]);
    if (high < 0 || low < 0 || !IsAsciiText(static_cast<unsigned char>(high << 4 | low))) {
      return false;
    }
  }
  return true;
}

std::optional<PackedText> ReadHex(std::string_view text, std::size_t begin, std::size_t end) {
  if (!IsHexProbe(text, begin, end)) return std::nullopt;
  PackedText packed;
  packed.begin = begin;
  packed.form.base = PackedForm::Base::kHex;
  std::size_t at = begin;
  for (; at + 2 <= end; at += 2) {
    const int high = HexDigit(text[at]);
    const int low = HexDigit(text[at + 1]);
    if (high < 0 || low < 0) break;
    const auto byte = static_cast<unsigned char>(high << 4 | low);
    if (!IsText(byte)) break;
    packed.form.is_upper |=
        (text[at] >= 'A' && text[at] <= 'F') || (text[at + 1] >= 'A' && text[at + 1] <= 'F');
    packed.text.push_back(static_cast<char>(byte));
  }
  packed.end = at;
  return packed;
}

// The break between two lines of base64 at `at`; empty: none.
std::string_view LineBreakAt(std::string_view text, std::size_t at) {
  std::size_t end = at;
  if (end < text.size() && text[end] == '\r') ++end;
  if (end >= text.size() || text[end] != '\n') return {};
  ++end;
  while (end < text.size() && (text[end] == ' ' || text[end] == '\t')) ++end;
  return text.substr(at, end - at);
}

// Goes through the characters of a run and of the lines that continue it.
class LineReader {
 public:
  LineReader(std::string_view text, std::size_t begin, std::size_t run_end, PackedForm& form)
      : text_(text), at_(begin), line_begin_(begin), run_end_(run_end), form_(form) {}

  std::size_t at() const { return at_; }
  // The next character of the text; false: there is none.
  bool Next(char& c) {
    if (at_ == run_end_ && !NextLine()) return false;
    c = text_[at_++];
    return true;
  }

 private:
  bool NextLine() {
    const std::size_t length = at_ - line_begin_;
    if (length < kMinRun || length % 4 != 0 || (form_.line != 0 && length != form_.line))
      return false;
    const std::string_view line_break = LineBreakAt(text_, at_);
    if (line_break.empty()) return false;
    const std::size_t begin = at_ + line_break.size();
    const std::size_t end = RunEnd(text_, begin);
    // Only lines of one length make a text, but for the last one.
    if (end == begin || end - begin > length) return false;
    if (end - begin < length && end < text_.size() && text_[end] != '=' && text_[end] != '\n' &&
        text_[end] != '\r' && text_[end] != '"' && text_[end] != '\'') {
      return false;
    }
    if (form_.line == 0) {
      form_.line = length;
      form_.line_break = line_break;
    }
    at_ = line_begin_ = begin;
    run_end_ = end;
    return true;
  }

  std::string_view text_;
  std::size_t at_;
  std::size_t line_begin_;
  std::size_t run_end_;
  PackedForm& form_;
};

std::size_t BytesOf(const PackedText& packed) {
  return packed.form.head.size() + packed.text.size() + packed.form.tail.size();
}

// How its end is padded. Whole groups do not tell; the alphabet of URLs goes without.
void Complete(std::string_view text, PackedText& packed) {
  packed.form.is_padded = BytesOf(packed) % 3 == 0 && !packed.form.is_url;
  while (packed.end < text.size() && text[packed.end] == '=' && BytesOf(packed) % 3 != 0 &&
         !packed.form.goes_on) {
    packed.form.is_padded = true;
    ++packed.end;
  }
}

// `run`: no group before it is the text's.
std::optional<PackedText> ReadBase64(std::string_view text, std::size_t run, std::size_t begin,
                                     std::size_t run_end) {
  PackedText packed;
  if (begin >= run + 4) {
    const auto before = Group(text, begin - 4);
    std::size_t of_text = 0;
    while (of_text < 3 && IsAsciiText(before[2 - of_text])) ++of_text;
    if (of_text != 0) {
      begin -= 4;
      packed.form.head.assign(reinterpret_cast<const char*>(before.data()), 3 - of_text);
    }
  }
  packed.begin = packed.end = begin;
  LineReader reader(text, begin, run_end, packed.form);
  std::size_t of_head = packed.form.head.size();
  for (;;) {
    std::array<char, 4> group{};
    std::size_t n = 0;
    while (n < 4 && reader.Next(group[n])) ++n;
    if (n < 2) break;
    const std::size_t bytes = n - 1;
    for (std::size_t i = n; i < 4; ++i) group[i] = 'A';
    const auto decoded = Group(std::string_view(group.data(), 4), 0);
    std::size_t of_text = of_head;
    while (of_text < bytes && IsText(decoded[of_text])) ++of_text;
    const auto* const first = reinterpret_cast<const char*>(decoded.data());
    packed.text.append(first + of_head, of_text - of_head);
    if (of_text != 0) {
      packed.form.tail.assign(first + of_text, bytes - of_text);
      for (std::size_t i = 0; i < n; ++i) packed.form.is_url |= group[i] == '-' || group[i] == '_';
      packed.end = reader.at();
    }
    packed.form.goes_on = of_text < bytes;
    if (of_text < bytes || n < 4) break;
    of_head = 0;
  }
  packed.form.goes_on |= packed.end < text.size() && IsRunCharacter(text[packed.end]);
  Complete(text, packed);
  if (packed.text.size() < kMinText) return std::nullopt;
  return packed;
}

}  // namespace

std::size_t NextRun(std::string_view text, std::size_t from) {
  std::size_t i = from;
  std::size_t length = 0;  // of the run that reaches up to i
#if defined(__SSE2__)
  for (; i + 64 <= text.size(); i += 64) {
    const std::uint64_t mask = RunMask64(text.data() + i);
    const auto head = static_cast<std::size_t>(std::countr_one(mask));
    if (length + head >= kMinRun) return i - length;
    // Bit k: 20 bits are set from bit k on.
    std::uint64_t runs = mask & mask >> 1;
    runs &= runs >> 2;
    runs &= runs >> 4;
    runs &= runs >> 8;
    runs &= runs >> 4;
    if (runs != 0) return i + static_cast<std::size_t>(std::countr_zero(runs));
    length = static_cast<std::size_t>(std::countl_one(mask));
  }
#endif
  for (; i < text.size(); ++i) {
    if (!IsRunCharacter(text[i])) {
      length = 0;
    } else if (++length == kMinRun) {
      return i + 1 - length;
    }
  }
  return std::string_view::npos;
}

std::optional<PackedText> ReadPacked(std::string_view text, std::size_t run, std::size_t& next) {
  const std::size_t end = RunEnd(text, run);
  next = end;
  std::optional<PackedText> packed = ReadHex(text, run, end);
  if (!packed.has_value()) {
    const std::size_t begin = TextBegin(text, run, end);
    if (begin == std::string_view::npos) return std::nullopt;
    packed = ReadBase64(text, run, begin, end);
  }
  if (packed.has_value()) next = packed->end;
  return packed;
}

struct BinaryTexts::Group {
  Place begin;
  Place end;  // with its padding
  std::array<unsigned char, 3> bytes{};
  std::size_t size = 0;
  bool is_url = false;
};

BinaryTexts::BinaryTexts(std::string_view text, std::size_t run) : place_{run, 0} {
  const std::size_t line_end = RunEnd(text, run);
  const std::string_view line_break = LineBreakAt(text, line_end);
  const std::size_t next = line_end + line_break.size();
  if (line_break.empty() || next == text.size() || !IsRunCharacter(text[next])) return;
  line_ = line_end - run;
  line_break_ = line_break;
}

bool BinaryTexts::Read(std::string_view text, Group& group) {
  group = {.begin = place_};
  std::array<char, 4> characters{'A', 'A', 'A', 'A'};
  std::size_t n = 0;
  while (n < 4) {
    if (place_.at < text.size() && IsRunCharacter(text[place_.at])) {
      if (n == 0) group.begin = place_;
      group.is_url |= text[place_.at] == '-' || text[place_.at] == '_';
      characters[n++] = text[place_.at++];
      ++place_.characters;
      continue;
    }
    const std::string_view line_break = LineBreakAt(text, place_.at);
    const std::size_t next = place_.at + line_break.size();
    if (line_break.empty() || next == text.size() || !IsRunCharacter(text[next])) break;
    place_.at = next;
  }
  if (n < 2) return false;
  group.bytes = sallyport::agent::Group(std::string_view(characters.data(), 4), 0);
  group.size = n - 1;
  group.end = place_;
  return true;
}

std::optional<PackedText> BinaryTexts::Next(std::string_view text) {
  // Up to here it is text for sure: behind it are bytes that are none, and maybe text again before
  // the group is over, which is no stretch of its own.
  struct Cut {
    std::size_t text_size;
    Place end;
    std::string tail;
  };
  PackedText packed;
  std::optional<Cut> cut;
  std::size_t ascii = 0;  // bytes in a row that a text may begin with
  bool is_over = false;
  Group group;
  while (!is_over && Read(text, group)) {
    const std::string_view bytes(reinterpret_cast<const char*>(group.bytes.data()), group.size);
    for (std::size_t i = 0; i < group.size && !is_over; ++i) {
      const bool is_ascii = IsAsciiText(group.bytes[i]);
      const bool is_in_text = packed.text.size() >= kMinText && !cut;
      if (is_ascii && ++ascii >= kMinText) cut.reset();
      if (is_ascii || (is_in_text && IsText(group.bytes[i]))) {
        if (packed.text.empty()) {
          packed.begin = group.begin.at;
          packed.form.head = bytes.substr(0, i);
          packed.form.column = line_ == 0 ? 0 : group.begin.characters % line_;
        }
        packed.text.push_back(bytes[i]);
        continue;
      }
      ascii = 0;
      if (is_in_text) {
        cut = Cut{packed.text.size(), i == 0 ? group.begin : group.end,
                  std::string(i == 0 ? std::string_view() : bytes.substr(i))};
        // A stretch that begins in this group is taken along, for the group can be put anew once.
        is_over = i == 0 ||
                  std::none_of(bytes.begin() + static_cast<std::ptrdiff_t>(i), bytes.end(),
                               [](char c) { return IsAsciiText(static_cast<unsigned char>(c)); });
        packed.text.push_back(bytes[i]);
      } else if (cut && group.begin.at < cut->end.at) {
        packed.text.push_back(bytes[i]);
      } else if (cut) {
        is_over = true;
      } else {
        packed.text.clear();
        packed.form.is_url = false;
      }
    }
    if (!packed.text.empty()) packed.form.is_url |= group.is_url;
  }
  if (packed.text.size() < kMinText) return std::nullopt;
  packed.end = place_.at;
  if (cut) {
    packed.text.resize(cut->text_size);
    packed.form.tail = std::move(cut->tail);
    place_ = cut->end;
    packed.form.goes_on = Read(text, group);
    place_ = cut->end;
    packed.end = place_.at;
  }
  packed.form.line = line_;
  packed.form.line_break = line_break_;
  Complete(text, packed);
  if (!cut) place_.at = packed.end;
  return packed;
}

std::string Pack(std::string_view text, const PackedForm& form) {
  std::string out;
  if (form.base == PackedForm::Base::kHex) {
    const std::string_view digits = form.is_upper ? "0123456789ABCDEF" : "0123456789abcdef";
    for (const char c : text) {
      out.push_back(digits[static_cast<unsigned char>(c) >> 4]);
      out.push_back(digits[static_cast<unsigned char>(c) & 15]);
    }
    return out;
  }
  std::string bytes = form.head;
  bytes.append(text);
  while (form.goes_on && (bytes.size() + form.tail.size()) % 3 != 0) bytes.push_back(' ');
  bytes.append(form.tail);
  const std::string_view alphabet = form.is_url ? kUrl : kStandard;
  std::size_t column = form.column;
  const auto put = [&](char c) {
    if (form.line != 0 && column == form.line) {
      out.append(form.line_break);
      column = 0;
    }
    out.push_back(c);
    ++column;
  };
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t n = std::min<std::size_t>(3, bytes.size() - i);
    unsigned bits = 0;
    for (std::size_t k = 0; k < 3; ++k)
      bits = bits << 8 | (k < n ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (std::size_t k = 0; k < n + 1; ++k) put(alphabet[bits >> (18 - 6 * k) & 63]);
    for (std::size_t k = n; form.is_padded && k < 3; ++k) put('=');
  }
  return out;
}

}  // namespace sallyport::agent
