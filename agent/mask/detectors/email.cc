#include <algorithm>

#include "agent/mask/detectors/readers.h"

namespace sallyport::agent {
namespace {

constexpr std::size_t kMaxLocal = 64;
constexpr std::size_t kMaxDomain = 255;

unsigned char Byte(char c) { return static_cast<unsigned char>(c); }
bool IsContinuation(char c) { return (Byte(c) & 0xc0) == 0x80; }
// Letters of Latin, Greek, Cyrillic, Armenian, Hebrew and Arabic: scripts that put spaces between
// words, so that a run of them does not take a sentence along.
bool IsSpacedScript(char c) { return Byte(c) >= 0xc3 && Byte(c) <= 0xdb; }

bool IsLocal(char c) {
  return IsAlnum(c) || c == '_' || c == '.' || c == '%' || c == '+' || c == '-';
}

// "ada l"@example.com: where the quoted part that ends before `at` begins; `at`: nowhere.
std::size_t QuotedBegin(std::string_view text, std::size_t at) {
  std::size_t begin = at - 1;
  while (begin > 0 && at - begin < kMaxLocal) {
    --begin;
    const char c = text[begin];
    if (c == '"') return begin + 2 < at ? begin : at;
    if (c == '\n' || c == '\r' || c == '\0' || c == ',' || c == ':' || c == '{') return at;
  }
  return at;
}

std::size_t LocalBegin(std::string_view text, std::size_t at) {
  if (at > 0 && text[at - 1] == '"') return QuotedBegin(text, at);
  std::size_t begin = at;
  while (begin > 0 && at - begin < kMaxLocal) {
    const char c = text[begin - 1];
    if (IsLocal(c)) {
      --begin;
    } else if (IsContinuation(c) && begin > 1 && IsSpacedScript(text[begin - 2])) {
      begin -= 2;
    } else {
      break;
    }
  }
  while (begin < at && (text[begin] == '.' || text[begin] == '-' || text[begin] == '%')) ++begin;
  return begin;
}

// The size of the character of a domain at `at`; 0: none. Scripts without spaces only right behind
// the at sign or a dot, or behind one of their own.
std::size_t DomainCharacter(std::string_view text, std::size_t at) {
  const char c = text[at];
  if (IsAlnum(c) || c == '.' || c == '-') return 1;
  if (IsSpacedScript(c) && at + 1 < text.size() && IsContinuation(text[at + 1])) return 2;
  // U+3040 to U+D7FF but punctuation.
  const bool is_other = Byte(c) >= 0xe3 && Byte(c) <= 0xed && at + 2 < text.size() &&
                        !(Byte(c) == 0xe3 && Byte(text[at + 1]) == 0x80);
  const char before = text[at - 1];
  return is_other && (before == '@' || before == '.' || IsContinuation(before)) ? 3 : 0;
}

bool IsTopLevel(std::string_view top) {
  if (top.size() < 2) return false;
  if (top.starts_with("xn--")) return true;
  return std::all_of(top.begin(), top.end(), [](char c) { return IsLetter(c) || Byte(c) >= 0x80; });
}

// getty@tty1.service is a unit of systemd.
bool IsUnit(std::string_view top) {
  constexpr std::string_view kUnits[] = {"service", "socket",    "timer", "target",
                                         "mount",   "automount", "swap",  "slice",
                                         "scope",   "device",    "path"};
  return std::find(std::begin(kUnits), std::end(kUnits), top) != std::end(kUnits);
}

// git@host:path, or the hosts that all the world says so of.
bool IsGitRemote(std::string_view local, std::string_view domain, std::string_view behind) {
  if (local != "git") return false;
  constexpr std::string_view kHosts[] = {"github.com", "gitlab.com", "bitbucket.org",
                                         "ssh.dev.azure.com"};
  return (behind.size() > 1 && behind[0] == ':' && !IsSpace(behind[1])) ||
         std::find(std::begin(kHosts), std::end(kHosts), domain) != std::end(kHosts);
}

}  // namespace

std::optional<Match> ReadEmail(std::string_view text, std::size_t at) {
  const std::size_t begin = LocalBegin(text, at);
  if (begin == at || text[at - 1] == '.') return std::nullopt;
  std::size_t end = at + 1;
  while (end < text.size() && end - at <= kMaxDomain) {
    const std::size_t size = DomainCharacter(text, end);
    if (size == 0) break;
    end += size;
  }
  while (end > at + 1 && (text[end - 1] == '.' || text[end - 1] == '-')) --end;
  const std::string_view domain = text.substr(at + 1, end - at - 1);
  const std::size_t dot = domain.rfind('.');
  if (dot == std::string_view::npos || dot == 0 || domain.find("..") != std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view top = domain.substr(dot + 1);
  if (!IsTopLevel(top) || IsUnit(top)) return std::nullopt;
  if (IsGitRemote(text.substr(begin, at - begin), domain, text.substr(end))) return std::nullopt;
  return Match{begin, end};
}

bool IsInUserinfo(std::string_view text, std::size_t scheme, std::size_t begin, std::size_t at) {
  constexpr std::size_t kMaxBefore = 512;
  const std::size_t authority = scheme + 3;
  if (authority > begin || begin - authority > kMaxBefore) return false;
  const std::string_view before = text.substr(authority, begin - authority);
  if (std::any_of(before.begin(), before.end(), [](char c) { return Byte(c) <= 0x20; }))
    return false;
  if (text.substr(0, scheme).ends_with("mailto")) return false;
  std::size_t barren = 0;
  const std::optional<Match> secret = ReadUrlCredentials(text, scheme, barren);
  if (secret.has_value() && secret->end == at) return true;
  return before.find_first_of("/?#,;|<>()\"'`") == std::string_view::npos;
}

}  // namespace sallyport::agent
