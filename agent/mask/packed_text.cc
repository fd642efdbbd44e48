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

// Where in the run a group begins from which on text can be read that its middle holds; npos:
// nowhere.
std::size_t ShiftedGroup(std::string_view text, std::size_t run, std::size_t end) {
  const std::size_t middle = run + (end - run) / 2;
  for (std::size_t probe = middle; probe < middle + 4; ++probe) {
    if (!IsProbeText(text, probe, end)) continue;
    std::size_t begin = probe;
    while (begin >= run + 4 && IsGroupOf(text, begin - 4, IsText)) begin -= 4;
    return begin >= run + 4 ? begin - 4 : begin;
  }
  return std::string_view::npos;
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

std::size_t BytesOf(const PackedText& packed) {
  return packed.form.head.view().size() + packed.text.size() + packed.form.tail.view().size();
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

}  // namespace

std::size_t EndOfRun(std::string_view text, std::size_t run) {
  std::size_t at = run;
#if defined(__SSE2__)
  for (; at + 16 <= text.size(); at += 16) {
    const unsigned mask = RunMask(text.data() + at);
    if (mask != 0xffff) return at + static_cast<unsigned>(std::countr_one(mask));
  }
#endif
  while (at < text.size() && IsRunCharacter(text[at])) ++at;
  return at;
}

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

struct PackedTexts::Group {
  Place begin;
  Place end;
  std::array<unsigned char, 3> bytes{};
  std::size_t size = 0;
  bool is_url = false;

  std::string_view view() const { return {reinterpret_cast<const char*>(bytes.data()), size}; }
};

// A stretch of text as it is read, group by group.
class PackedTexts::Stretch {
 public:
  // False: it is over.
  bool Take(const Group& group) {
    bool goes_on = true;
    for (std::size_t i = 0; i < group.size && goes_on; ++i) goes_on = TakeByte(group, i);
    if (!packed_.text.empty()) packed_.form.is_url |= group.is_url;
    return goes_on;
  }
  bool is_text() const { return packed_.text.size() >= kMinText; }
  // Where it ends, if that is not where reading has ended.
  std::optional<Place> end() const { return cut_ ? std::optional(cut_->end) : std::nullopt; }
  PackedText Finish() && {
    if (cut_) {
      packed_.text.resize(cut_->text_size);
      packed_.form.tail = cut_->tail;
    }
    return std::move(packed_);
  }

 private:
  // Up to here it is text for sure: behind it are bytes that are none, and maybe text again before
  // the group is over, which is no stretch of its own.
  struct Cut {
    std::size_t text_size;
    Place end;
    GroupRest tail;
  };

  bool TakeByte(const Group& group, std::size_t i) {
    const bool is_ascii = IsAsciiText(group.bytes[i]);
    const bool is_in_text = is_text() && !cut_;
    if (is_ascii && ++ascii_ >= kMinText) cut_.reset();
    if (is_ascii || (is_in_text && IsText(group.bytes[i]))) {
      if (packed_.text.empty()) Begin(group, i);
      packed_.text.push_back(group.view()[i]);
      return true;
    }
    ascii_ = 0;
    if (is_in_text) return CutBefore(group, i);
    if (!cut_) {
      packed_.text.clear();
      packed_.form.is_url = false;
      return true;
    }
    packed_.text.push_back(group.view()[i]);
    return group.begin.at < cut_->end.at;
  }

  void Begin(const Group& group, std::size_t i) {
    packed_.begin = group.begin.at;
    packed_.form.head = GroupRest(group.view().substr(0, i));
    packed_.form.column = group.begin.at - group.begin.line_begin;
  }

  // A stretch that begins in the same group is taken along, for the group can be put anew once.
  bool CutBefore(const Group& group, std::size_t i) {
    const std::string_view rest = group.view().substr(i);
    cut_ = i == 0 ? Cut{packed_.text.size(), group.begin, {}}
                  : Cut{packed_.text.size(), group.end, GroupRest(rest)};
    packed_.text.push_back(rest[0]);
    return i != 0 && std::ranges::any_of(
                         rest, [](char c) { return IsAsciiText(static_cast<unsigned char>(c)); });
  }

  PackedText packed_;
  std::optional<Cut> cut_;
  std::size_t ascii_ = 0;  // bytes in a row that a text may begin with
};

PackedTexts::PackedTexts(std::size_t run, std::size_t run_end)
    : run_(run), run_end_(run_end), end_(run_end) {
  Begin(Stage::kHex, run);
}

void PackedTexts::Begin(Stage stage, std::size_t at) {
  stage_ = stage;
  place_ = {at, at, run_end_};
  line_ = 0;
  line_break_.clear();
}

std::optional<PackedText> PackedTexts::Next(std::string_view text) {
  std::optional<PackedText> packed;
  if (stage_ == Stage::kHex) {
    packed = NextInHex(text);
    is_found_ |= packed.has_value();
    if (packed || is_found_) {
      end_ = place_.at;
      return packed;
    }
    Begin(Stage::kGroups, run_);
  }
  packed = NextInBase64(text);
  is_found_ |= packed.has_value();
  end_ = std::max(end_, place_.at);
  if (is_found_ || stage_ == Stage::kShifted) return packed;
  const std::size_t begin = ShiftedGroup(text, run_, run_end_);
  if (begin == std::string_view::npos) return std::nullopt;
  Begin(Stage::kShifted, begin);
  packed = NextInBase64(text);
  end_ = std::max(end_, place_.at);
  return packed;
}

std::optional<PackedText> PackedTexts::NextInHex(std::string_view text) {
  PackedText packed;
  packed.form.base = PackedForm::Base::kHex;
  const auto is_upper = [&](std::size_t at) { return text[at] >= 'A' && text[at] <= 'F'; };
  for (; place_.at + 2 <= run_end_; place_.at += 2) {
    const int high = HexDigit(text[place_.at]);
    const int low = HexDigit(text[place_.at + 1]);
    if (high < 0 || low < 0) break;
    const auto byte = static_cast<unsigned char>(high << 4 | low);
    const bool is_text = packed.text.size() >= kMinText ? IsText(byte) : IsAsciiText(byte);
    if (!is_text && packed.text.size() >= kMinText) break;
    if (!is_text) {
      packed.text.clear();
      packed.form.is_upper = false;
      continue;
    }
    if (packed.text.empty()) packed.begin = place_.at;
    packed.form.is_upper |= is_upper(place_.at) || is_upper(place_.at + 1);
    packed.text.push_back(static_cast<char>(byte));
  }
  packed.end = place_.at;
  return packed.text.size() < kMinText ? std::nullopt : std::optional(std::move(packed));
}

bool PackedTexts::NextLine(std::string_view text) {
  const std::size_t length = place_.at - place_.line_begin;
  if (length < kMinRun || length % 4 != 0 || (line_ != 0 && length != line_)) return false;
  const std::string_view line_break = LineBreakAt(text, place_.at);
  if (line_break.empty()) return false;
  const std::size_t begin = place_.at + line_break.size();
  const std::size_t end = EndOfRun(text, begin);
  // Only lines of one length make a text, but for the last one.
  if (end == begin || end - begin > length) return false;
  if (end - begin < length && end < text.size() && text[end] != '=' && text[end] != '\n' &&
      text[end] != '\r' && text[end] != '"' && text[end] != '\'') {
    return false;
  }
  if (line_ == 0) {
    line_ = length;
    line_break_ = line_break;
  }
  place_ = {begin, begin, end};
  return true;
}

bool PackedTexts::Read(std::string_view text, Group& group) {
  group = {};
  std::array<char, 4> characters{'A', 'A', 'A', 'A'};
  std::size_t n = 0;
  for (; n < 4 && (place_.at != place_.line_end || NextLine(text)); ++n) {
    if (n == 0) group.begin = place_;
    characters[n] = text[place_.at++];
    group.is_url |= characters[n] == '-' || characters[n] == '_';
  }
  if (n < 2) return false;
  group.bytes = sallyport::agent::Group(std::string_view(characters.data(), 4), 0);
  group.size = n - 1;
  group.end = place_;
  return true;
}

std::optional<PackedText> PackedTexts::NextInBase64(std::string_view text) {
  Stretch stretch;
  Group group;
  while (Read(text, group) && stretch.Take(group)) {
  }
  if (!stretch.is_text()) return std::nullopt;
  const std::optional<Place> end = stretch.end();
  PackedText packed = std::move(stretch).Finish();
  if (end) {
    place_ = *end;
    packed.form.goes_on = Read(text, group);
    place_ = *end;
  }
  packed.end = place_.at;
  packed.form.line = line_;
  packed.form.line_break = line_break_;
  Complete(text, packed);
  end_ = std::max(end_, packed.end);
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
  std::string bytes(form.head.view());
  bytes.append(text);
  while (form.goes_on && (bytes.size() + form.tail.view().size()) % 3 != 0) bytes.push_back(' ');
  bytes.append(form.tail.view());
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
