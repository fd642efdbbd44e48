#include "agent/mask/text_folding.h"

#include <algorithm>
#include <array>
#include <optional>

#include "common/hex_digit.h"
#include "common/utf8.h"

namespace sallyport::agent {
namespace {

// The value of exactly `n` hex digits at `at`.
std::optional<std::uint32_t> Hex(std::string_view text, std::size_t at, std::size_t n) {
  if (at + n > text.size()) return std::nullopt;
  std::uint32_t value = 0;
  for (std::size_t i = at; i < at + n; ++i) {
    const int digit = HexDigit(text[i]);
    if (digit < 0) return std::nullopt;
    value = value << 4 | static_cast<std::uint32_t>(digit);
  }
  return value;
}

void SetMeaning(FoldUnit& unit, std::uint32_t code) {
  char* out = unit.meaning;
  if (code < 0x80) {
    *out++ = static_cast<char>(code);
  } else if (code < 0x800) {
    *out++ = static_cast<char>(0xc0 | code >> 6);
    *out++ = static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    *out++ = static_cast<char>(0xe0 | code >> 12);
    *out++ = static_cast<char>(0x80 | (code >> 6 & 0x3f));
    *out++ = static_cast<char>(0x80 | (code & 0x3f));
  } else {
    *out++ = static_cast<char>(0xf0 | code >> 18);
    *out++ = static_cast<char>(0x80 | (code >> 12 & 0x3f));
    *out++ = static_cast<char>(0x80 | (code >> 6 & 0x3f));
    *out++ = static_cast<char>(0x80 | (code & 0x3f));
  }
  unit.meaning_size = static_cast<std::size_t>(out - unit.meaning);
}

bool Finish(FoldUnit& unit, std::size_t end, std::uint32_t code) {
  // A NUL would end a text in the arena.
  if (code == 0 || code > 0x10ffff) return false;
  unit.size = end - unit.begin;
  SetMeaning(unit, code);
  return true;
}

bool FinishSilent(FoldUnit& unit, std::size_t end) {
  unit.size = end - unit.begin;
  unit.meaning_size = 0;
  return true;
}

std::size_t SkipBlanks(std::string_view text, std::size_t at) {
  while (at < text.size() && (text[at] == ' ' || text[at] == '\t')) ++at;
  return at;
}

// The end of a run of backslashes, each of which may itself be spelled \u005c.
std::size_t SkipBackslashes(std::string_view text, std::size_t at) {
  for (;;) {
    if (at < text.size() && text[at] == '\\') {
      ++at;
    } else if (text.substr(at, 3) == "u00" && Hex(text, at + 3, 2) == 0x5c) {
      at += 5;
    } else {
      return at;
    }
  }
}

// What follows `\u`: `{1f600}`, or four digits, of a surrogate with its other half.
bool ReadCodePoint(std::string_view text, std::size_t at, FoldUnit& unit) {
  if (text.substr(at, 1) == "{") {
    const std::size_t close = text.substr(0, at + 8).find('}', at);
    if (close == std::string_view::npos) return false;
    const auto code = Hex(text, at + 1, close - at - 1);
    return code.has_value() && Finish(unit, close + 1, *code);
  }
  const auto code = Hex(text, at, 4);
  if (!code.has_value()) return false;
  if (*code >= 0xd800 && *code < 0xdc00) {
    // The other half, behind as many backslashes.
    std::size_t low = at + 4;
    while (low < text.size() && text[low] == '\\') ++low;
    if (low == at + 4 || text.substr(low, 1) != "u") return false;
    const auto second = Hex(text, low + 1, 4);
    if (!second.has_value() || *second < 0xdc00 || *second >= 0xe000) return false;
    return Finish(unit, low + 5, 0x10000 + ((*code - 0xd800) << 10) + (*second - 0xdc00));
  }
  if (*code >= 0xdc00 && *code < 0xe000) return false;
  return Finish(unit, at + 4, *code);
}

// A run of backslashes and what they escape: each level of escaping only makes the run longer.
// Where they escape nothing, the unit's size is that of the run.
bool ReadBackslashes(std::string_view text, FoldUnit& unit) {
  const std::size_t at = SkipBackslashes(text, unit.begin + 1);
  unit.size = at - unit.begin;
  if (at >= text.size()) return false;
  const char c = text[at];
  const std::size_t end = at + 1;
  switch (c) {
    case '"':
    case '\'':
    case '/':
      return Finish(unit, end, static_cast<unsigned char>(c));
    case 'n':
      return Finish(unit, end, '\n');
    case 'r':
      return Finish(unit, end, '\r');
    case 't':
      return Finish(unit, end, '\t');
    case '\n':  // a line that goes on
      return FinishSilent(unit, SkipBlanks(text, end));
    case '\r':
      if (text.substr(end, 1) != "\n") return false;
      return FinishSilent(unit, SkipBlanks(text, end + 1));
    case 'x':
      if (const auto code = Hex(text, end, 2)) return Finish(unit, end + 2, *code);
      return false;
    case 'U':
      if (const auto code = Hex(text, end, 8)) return Finish(unit, end + 8, *code);
      return false;
    case 'u':
      return ReadCodePoint(text, end, unit);
    default:
      return false;
  }
}

// `%41` is a byte, be it of UTF-8 or not.
bool ReadPercent(std::string_view text, FoldUnit& unit) {
  const auto byte = Hex(text, unit.begin + 1, 2);
  if (!byte.has_value() || *byte == 0) return false;
  unit.size = 3;
  unit.meaning[0] = static_cast<char>(*byte);
  unit.meaning_size = 1;
  return true;
}

struct NamedReference {
  std::string_view name;
  char meaning;
};
constexpr NamedReference kNamed[] = {
    {"amp;", '&'},   {"lt;", '<'},     {"gt;", '>'},     {"quot;", '"'},
    {"apos;", '\''}, {"nbsp;", ' '},   {"commat;", '@'}, {"sol;", '/'},
    {"colon;", ':'}, {"period;", '.'}, {"num;", '#'},    {"equals;", '='},
    {"plus;", '+'},  {"lowbar;", '_'}, {"hyphen;", '-'}, {"dash;", '-'}};

bool ReadReference(std::string_view text, FoldUnit& unit) {
  constexpr std::size_t kMaxDigits = 8;
  const std::size_t at = unit.begin + 1;
  if (text.substr(at, 1) != "#") {
    for (const NamedReference& named : kNamed) {
      if (text.substr(at, named.name.size()) == named.name) {
        return Finish(unit, at + named.name.size(), static_cast<unsigned char>(named.meaning));
      }
    }
    return false;
  }
  const bool is_hex = text.substr(at + 1, 1) == "x" || text.substr(at + 1, 1) == "X";
  const std::size_t first = at + 1 + (is_hex ? 1 : 0);
  std::size_t end = first;
  std::uint32_t code = 0;
  for (; end < text.size() && end - first < kMaxDigits; ++end) {
    const int digit = HexDigit(text[end]);
    if (digit < 0 || (!is_hex && digit > 9)) break;
    code = code * (is_hex ? 16u : 10u) + static_cast<std::uint32_t>(digit);
  }
  if (end == first || text.substr(end, 1) != ";") return false;
  return Finish(unit, end + 1, code);
}

// The equals sign at `at` may be quoted-printable's own: its lines are short, what stands under a
// heading is none, and what ends whole groups of base64 is padding.
bool MayBreakSoftly(std::string_view text, std::size_t at) {
  constexpr std::size_t kMaxLine = 75;
  constexpr std::size_t kMinPacked = 20;
  std::size_t line = at;
  std::size_t word = at;
  while (line > 0 && static_cast<unsigned char>(text[line - 1]) >= 0x20) {
    const char c = text[--line];
    if (at - line > kMaxLine) return false;
    const bool is_packed = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                           (c >= 'A' && c <= 'Z') || c == '+' || c == '/';
    if (is_packed && word == line + 1) word = line;
  }
  if (line == at || text[at - 1] == '=') return false;
  return at - word < kMinPacked || (at - word) % 4 != 3;
}

// A soft line break of quoted-printable, and its equals sign. Not `=41` in general, which half of
// all assignments read like.
bool ReadSoftBreak(std::string_view text, FoldUnit& unit) {
  std::size_t next = unit.begin + 1;
  if (next < text.size() && text[next] == '\r') ++next;
  if (next < text.size() && text[next] == '\n') {
    ++next;
    const bool goes_on = next < text.size() && static_cast<unsigned char>(text[next]) > 0x20;
    return goes_on && MayBreakSoftly(text, unit.begin) && FinishSilent(unit, next);
  }
  return text.substr(unit.begin, 3) == "=3D" && Finish(unit, unit.begin + 3, '=');
}

struct CodeRange {
  char32_t first;
  char32_t last;
};
constexpr CodeRange kInvisible[] = {{0xad, 0xad},     {0x34f, 0x34f},   {0x61c, 0x61c},
                                    {0x115f, 0x1160}, {0x17b4, 0x17b5}, {0x180b, 0x180f},
                                    {0x200b, 0x200f}, {0x202a, 0x202e}, {0x2060, 0x206f},
                                    {0xfe00, 0xfe0f}, {0xfeff, 0xfeff}, {0xe0000, 0xe01ef}};
constexpr CodeRange kSpaces[] = {
    {0xa0, 0xa0}, {0x2000, 0x200a}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}};
constexpr CodeRange kDashes[] = {
    {0x2010, 0x2015}, {0x2212, 0x2212}, {0xfe58, 0xfe58}, {0xfe63, 0xfe63}};
// Ten digits from each of these on.
constexpr char32_t kZeros[] = {0x660,  0x6f0,  0x7c0,  0x966,   0x9e6,   0xa66,   0xae6,   0xb66,
                               0xbe6,  0xc66,  0xce6,  0xd66,   0xe50,   0xed0,   0xf20,   0x1040,
                               0x17e0, 0x1810, 0x2080, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6};

template <std::size_t n>
bool IsIn(char32_t code, const CodeRange (&ranges)[n]) {
  for (const CodeRange& range : ranges) {
    if (code >= range.first && code <= range.last) return true;
  }
  return false;
}

// The plain character for another one; 0: none.
char32_t PlainOf(char32_t code) {
  if (code >= 0xff01 && code <= 0xff5e) return code - 0xff01 + '!';
  if (IsIn(code, kSpaces)) return ' ';
  if (IsIn(code, kDashes)) return '-';
  if (code == 0xfe6b) return '@';
  if (code == 0xfe52) return '.';
  if (code == 0xb9) return '1';
  if (code == 0xb2 || code == 0xb3) return code - 0xb0 + '0';
  if (code == 0x2070 || (code >= 0x2074 && code <= 0x2079)) return code - 0x2070 + '0';
  if (code >= 0x2460 && code <= 0x2468) return code - 0x2460 + '1';
  for (const char32_t zero : kZeros) {
    if (code >= zero && code < zero + 10) return code - zero + '0';
  }
  if (code >= 0x1d400 && code < 0x1d6a4) {
    const char32_t letter = (code - 0x1d400) % 52;
    return letter < 26 ? 'A' + letter : 'a' + letter - 26;
  }
  return 0;
}

bool ReadCharacter(std::string_view text, FoldUnit& unit) {
  char32_t code = 0;
  const std::size_t size = DecodeUtf8(text.substr(unit.begin, 4), &code);
  if (size == 0) return false;
  if (IsIn(code, kInvisible)) return FinishSilent(unit, unit.begin + size);
  const char32_t plain = PlainOf(code);
  return plain != 0 && Finish(unit, unit.begin + size, plain);
}

// First bytes of the characters above.
constexpr std::array<bool, 256> LeadTable() {
  std::array<bool, 256> leads{};
  for (const int lead :
       {0xc2, 0xcd, 0xd8, 0xd9, 0xdb, 0xdf, 0xe0, 0xe1, 0xe2, 0xe3, 0xef, 0xf0, 0xf3})
    leads[static_cast<std::size_t>(lead)] = true;
  return leads;
}
constexpr std::array<bool, 256> kLeads = LeadTable();

// What an escape may be part of reaches no further, unless it is one word.
constexpr std::size_t kReach = 512;
constexpr std::size_t kMaxWord = 16384;

bool IsBlank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

std::size_t SurroundingsBegin(std::string_view text, std::size_t at) {
  if (at <= kReach) return 0;
  const std::size_t last = at - kReach;
  const std::size_t first = last > kMaxWord ? last - kMaxWord : 0;
  std::size_t begin = last;
  while (begin > first && !IsBlank(text[begin - 1])) --begin;
  return begin;
}

std::size_t SurroundingsEnd(std::string_view text, std::size_t at) {
  if (text.size() - at <= kReach) return text.size();
  const std::size_t last = std::min(text.size(), at + kReach + kMaxWord);
  std::size_t end = at + kReach;
  while (end < last && !IsBlank(text[end])) ++end;
  return end;
}

bool ReadUnit(std::string_view text, std::size_t at, FoldUnit& unit) {
  unit.begin = at;
  switch (text[at]) {
    case '\\':
      return ReadBackslashes(text, unit);
    case '%':
      return ReadPercent(text, unit);
    case '&':
      return ReadReference(text, unit);
    case '=':
      return ReadSoftBreak(text, unit);
    default:
      return kLeads[static_cast<unsigned char>(text[at])] && ReadCharacter(text, unit);
  }
}

}  // namespace

bool NextUnit(const FoldSource& source, std::size_t from, FoldUnit& unit) {
  const std::size_t end = source.begin + source.text.size();
  for (std::size_t place = source.sites.NextUnit(source.begin + from); place < end;) {
    const std::size_t at = place - source.begin;
    if (ReadUnit(source.text, at, unit)) return true;
    // A run of backslashes that escapes nothing is looked at once.
    place = source.sites.NextUnit(place + (source.text[at] == '\\' ? unit.size : 1));
  }
  return false;
}

bool Fold(const FoldSource& source, std::uint32_t folded, FoldUnit& unit, std::string& out,
          std::vector<FoldPiece>& pieces) {
  const std::string_view text = source.text;
  out.clear();
  constexpr std::string_view kKey = "PRIVATE KEY";
  bool is_key = false;
  std::size_t searched = 0;  // for that
  // A key reaches to its end, however far.
  const auto surroundings_end = [&](std::size_t at) {
    is_key = is_key || out.find(kKey, searched) != out.npos;
    searched = std::max(searched, out.size() - std::min(out.size(), kKey.size()));
    return is_key ? text.size() : SurroundingsEnd(text, at);
  };
  std::size_t copied = SurroundingsBegin(text, unit.begin);
  const auto add_piece = [&](std::size_t at, std::size_t size) {
    pieces.push_back({folded + static_cast<std::uint32_t>(out.size()),
                      source.begin + static_cast<std::uint32_t>(at),
                      static_cast<std::uint32_t>(size)});
  };
  const auto copy_to = [&](std::size_t end) {
    if (end <= copied) return;
    add_piece(copied, 0);
    out.append(text, copied, end - copied);
    copied = end;
  };
  bool has_unit = true;
  std::size_t end = unit.begin;  // of the surroundings
  while (has_unit) {
    if (unit.begin > end) end = surroundings_end(copied);
    if (unit.begin > end) break;
    copy_to(unit.begin);
    if (unit.meaning_size != 0) {
      add_piece(unit.begin, unit.size);
      out.append(unit.meaning, unit.meaning_size);
    }
    copied = unit.begin + unit.size;
    has_unit = NextUnit(source, copied, unit);
  }
  copy_to(surroundings_end(copied));
  return has_unit;
}

}  // namespace sallyport::agent
