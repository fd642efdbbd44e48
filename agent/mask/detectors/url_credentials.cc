#include <algorithm>

#include "agent/mask/detectors/readers.h"

namespace sallyport::agent {
namespace {

constexpr std::size_t kMaxUserinfo = 1024;
constexpr std::size_t kMaxScheme = 32;
constexpr std::size_t kMinToken = 20;

// A form to fill in, and nothing but that: a password that merely holds a `$` or a `<` is one.
bool IsPlaceholder(std::string_view password) {
  const auto is_within = [password](std::string_view open, std::string_view close) {
    if (password.size() <= open.size() + close.size() || !password.starts_with(open) ||
        !password.ends_with(close)) {
      return false;
    }
    const std::string_view name =
        password.substr(open.size(), password.size() - open.size() - close.size());
    return std::all_of(name.begin(), name.end(), [](char c) {
      return IsAlnum(c) || c == '_' || c == '-' || c == '.' || c == ' ';
    });
  };
  if (is_within("${", "}") || is_within("{{", "}}") || is_within("{", "}") || is_within("<", ">") ||
      is_within("[REDACTED:", "]")) {
    return true;
  }
  if (password.size() > 1 && password[0] == '$' &&
      std::all_of(password.begin() + 1, password.end(),
                  [](char c) { return IsUpper(c) || c == '_'; })) {
    return true;
  }
  return std::all_of(password.begin(), password.end(),
                     [](char c) { return c == '*' || c == 'x' || c == 'X' || c == '.'; });
}

// Paths of these hold at signs (packages, user names); those of databases and queues do not.
bool HasPaths(std::string_view text, std::size_t at) {
  std::size_t begin = at;
  while (begin > 0 && at - begin < kMaxScheme && IsAlnum(text[begin - 1])) --begin;
  const std::string_view scheme = text.substr(begin, at - begin);
  for (const std::string_view name : {"http", "https", "ws", "wss", "ftp", "file"}) {
    if (scheme.ends_with(name)) return true;
  }
  return false;
}

// The last at sign of `region` behind which a host stands; npos: none.
std::size_t LastAt(std::string_view region) {
  for (std::size_t at = region.size(); (at = region.substr(0, at).rfind('@')) != region.npos;) {
    if (at + 1 < region.size() && (IsAlnum(region[at + 1]) || region[at + 1] == '[')) return at;
  }
  return region.npos;
}

bool IsUserCharacter(char c) {
  return IsAlnum(c) ||
         (c != '\0' && std::string_view("-._~!$&*+=%{}[]\\").find(c) != std::string_view::npos) ||
         static_cast<unsigned char>(c) >= 0x80;
}

// `:8080` and then the end of a host, not the begin of a password.
bool BeginsWithPort(std::string_view behind_colon) {
  const std::size_t end = RunEnd(behind_colon, 0, IsDigit);
  return end > 0 && end <= 5 && end < behind_colon.size() &&
         std::string_view("/?#'|,;)]>").find(behind_colon[end]) != std::string_view::npos;
}

// What stands where a name should, and is none: https://<token>@github.com.
bool IsToken(std::string_view user) {
  return user.size() >= kMinToken && std::any_of(user.begin(), user.end(), IsDigit) &&
         std::any_of(user.begin(), user.end(), IsLetter) &&
         std::all_of(user.begin(), user.end(),
                     [](char c) { return IsAlnum(c) || c == '_' || c == '-'; });
}

bool IsTokenMark(std::string_view password) {
  return password.empty() || password == "x-oauth-basic" || password == "X-OAUTH-BASIC";
}

// What may belong to the URL whose authority is at `begin`: to a blank or a quote, or to another
// one's `://`.
std::string_view RegionAt(std::string_view text, std::size_t begin) {
  const std::string_view rest = text.substr(begin, kMaxUserinfo);
  std::size_t end = 0;
  for (; end < rest.size(); ++end) {
    const char c = rest[end];
    if (static_cast<unsigned char>(c) <= 0x20 || c == '"' || c == '`' || c == '\\') break;
    if (c == ':' && rest.substr(end, 3) == "://") break;
  }
  return rest.substr(0, end);
}

std::optional<Match> Found(std::string_view text, std::size_t begin, std::size_t end) {
  if (begin >= end || IsPlaceholder(text.substr(begin, end - begin))) return std::nullopt;
  return Match{begin, end};
}

}  // namespace

std::optional<Match> ReadUrlCredentials(std::string_view text, std::size_t at, std::size_t&) {
  const std::size_t begin = at + 3;
  const std::string_view region = RegionAt(text, begin);
  if (region.find('@') == region.npos) return std::nullopt;
  const std::string_view authority = region.substr(0, region.find_first_of("/?#"));
  const std::size_t user_end = RunEnd(authority, 0, IsUserCharacter);
  const bool has_password = user_end < authority.size() && authority[user_end] == ':';
  std::size_t end = LastAt(authority);
  if (has_password) {
    const std::string_view behind = region.substr(user_end + 1);
    const bool has_paths = HasPaths(text, at);
    if (has_paths && end == region.npos && BeginsWithPort(behind)) return std::nullopt;
    if (BeginsWithPort(behind) && authority.find_first_of("'|,;)>") != authority.npos) {
      return std::nullopt;  // 'http://host:80','x@y'
    }
    // A password with a slash, a question mark or a hash in it.
    if (!has_paths || end == region.npos) end = LastAt(region);
    if (end == region.npos || end < user_end + 1) return std::nullopt;
    const std::string_view password = region.substr(user_end + 1, end - user_end - 1);
    if (IsTokenMark(password)) return Found(text, begin, begin + user_end);
    return Found(text, begin + user_end + 1, begin + end);
  }
  if (end == region.npos || end != user_end || !IsToken(authority.substr(0, end))) {
    return std::nullopt;
  }
  return Found(text, begin, begin + end);
}

}  // namespace sallyport::agent
