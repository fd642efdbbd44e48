#include "common/policy/uri_readings.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <utility>

#include "common/hex_digit.h"
#include "common/policy/plain_text.h"
#include "common/utf8.h"

namespace sallyport {
namespace {

// Encoded once more than any server that decodes twice would undo.
constexpr int kDecodings = 3;

bool IsMark(char c) { return c == kStarMark || c == kAnyRunMark; }

bool IsLetter(char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }

bool IsSchemeChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
         c == '-' || c == '.' || IsMark(c);
}

// The length of `scheme:` at the front; 0: there is none.
std::size_t SchemeLength(std::string_view uri) {
  std::size_t i = 0;
  while (i < uri.size() && IsSchemeChar(uri[i])) ++i;
  const bool begins_well = i > 0 && (IsLetter(uri[0]) || IsMark(uri[0]));
  return begins_well && i < uri.size() && uri[i] == ':' ? i + 1 : 0;
}

std::string PercentDecoded(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && HexDigit(text[i + 1]) >= 0 &&
        HexDigit(text[i + 2]) >= 0) {
      decoded += static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2]));
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

bool HasControlCharacter(std::string_view text, UriKind kind) {
  return std::any_of(text.begin(), text.end(), [&](char c) {
    if (kind != UriKind::kUri && IsMark(c)) return false;
    return IsControl(c);
  });
}

// Dots alone, or with spaces, which some file systems drop.
bool IsDots(std::string_view name) {
  return name.find('.') != std::string_view::npos &&
         name.find_first_not_of(". ") == std::string_view::npos;
}

// `.`, `..` or more dots between separators, with or without `;parameters`. Every character that
// some server takes for a separator is one.
bool HasDotSegment(std::string_view uri) {
  std::string_view rest = uri.substr(SchemeLength(uri));
  while (true) {
    const std::size_t end = std::min(rest.find_first_of("/\\?#"), rest.size());
    const std::string_view segment = rest.substr(0, end);
    const std::string_view name = segment.substr(0, segment.find(';'));
    if (IsDots(name)) return true;
    if (end == rest.size()) return false;
    rest.remove_prefix(end + 1);
  }
}

// Without what its server is not asked for.
std::string_view Bare(std::string_view uri) {
  uri = uri.substr(0, uri.find('#'));
  const std::size_t query = uri.find('?');
  if (uri.starts_with("file:") || query + 1 == uri.size()) uri = uri.substr(0, query);
  return uri;
}

// Without the empty segments after the authority's `//`, and with `/` for each `\`.
std::string SlashesCollapsed(std::string_view uri) {
  std::size_t begin = SchemeLength(uri);
  if (uri.substr(begin, 2) == "//") begin += 2;
  std::string collapsed(uri.substr(0, begin));
  for (char c : uri.substr(begin)) {
    if (c == '\\') c = '/';
    if (c == '/' && collapsed.size() > begin && collapsed.back() == '/') continue;
    collapsed += c;
  }
  return collapsed;
}

// The schemes whose URIs all programs read alike, and their ports.
constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kWeb = {
    {{"http", "80"}, {"https", "443"}, {"ws", "80"}, {"wss", "443"}, {"ftp", "21"}}};

bool IsWeb(std::string_view scheme) {
  return std::any_of(kWeb.begin(), kWeb.end(),
                     [&](const auto& one) { return one.first == scheme; });
}

bool IsDefaultPort(std::string_view scheme, std::string_view port) {
  const bool is_open = std::any_of(scheme.begin(), scheme.end(), IsMark);
  return std::any_of(kWeb.begin(), kWeb.end(), [&](const auto& one) {
    return (is_open || one.first == scheme) && one.second == port;
  });
}

// The one way to write an address that can be written in several; nullopt: it is none.
std::optional<std::string> Address(std::string_view host) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  in_addr four{};
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    in6_addr six{};
    const std::string inner(host.substr(1, host.size() - 2));
    if (inet_pton(AF_INET6, inner.c_str(), &six) != 1) return std::nullopt;
    if (!IN6_IS_ADDR_V4MAPPED(&six)) {
      inet_ntop(AF_INET6, &six, text.data(), text.size());
      return "[" + std::string(text.data()) + "]";
    }
    std::copy(&six.s6_addr[12], &six.s6_addr[16], reinterpret_cast<unsigned char*>(&four));
  } else {
    const std::string number(host);
    const bool is_number = number.find_first_not_of("0123456789abcdefx.") == std::string::npos;
    if (!is_number || inet_aton(number.c_str(), &four) == 0) return std::nullopt;
  }
  inet_ntop(AF_INET, &four, text.data(), text.size());
  return std::string(text.data());
}

// `host:port` as who connects to it reads it.
std::string HostAsRead(std::string_view scheme, std::string_view host_and_port) {
  const std::size_t bracket = host_and_port.rfind(']');
  const std::size_t colon =
      host_and_port.find(':', bracket == std::string_view::npos ? 0 : bracket);
  std::string host(host_and_port.substr(0, colon));
  std::string_view port = colon == std::string_view::npos ? "" : host_and_port.substr(colon + 1);
  for (char& c : host) {
    if (c >= 'A' && c <= 'Z') c |= 0x20;
  }
  while (!host.empty() && host.back() == '.') host.pop_back();
  if (IsWeb(scheme)) host = Address(host).value_or(host);
  while (port.size() > 1 && port.front() == '0') port.remove_prefix(1);
  if (!port.empty() && !IsDefaultPort(scheme, port)) host.append(":").append(port);
  return host;
}

bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
}

// What of a URI says where to connect.
struct Authority {
  std::string_view scheme;
  std::string_view user;  // with its `@`
  std::string_view host;  // with its port
  std::string_view rest;  // what follows
};

// nullopt: the URI has none. Browsers and their like look for a host after any number of slashes.
std::optional<Authority> AuthorityOf(std::string_view uri) {
  const std::size_t scheme = SchemeLength(uri);
  if (scheme == 0) return std::nullopt;
  Authority found{.scheme = uri.substr(0, scheme - 1), .user = {}, .host = {}, .rest = {}};
  std::string_view rest = uri.substr(scheme);
  if (IsWeb(found.scheme)) {
    rest.remove_prefix(std::min(rest.find_first_not_of('/'), rest.size()));
  } else if (rest.starts_with("//")) {
    rest.remove_prefix(2);
  } else if (found.scheme == "file") {
    found.rest = rest;
    return found;
  } else {
    return std::nullopt;
  }
  const std::size_t end = std::min(rest.find_first_of("/?#"), rest.size());
  found.host = rest.substr(0, end);
  found.rest = rest.substr(end);
  const std::size_t at = found.host.rfind('@');
  if (at == std::string_view::npos) return found;
  found.user = found.host.substr(0, at + 1);
  found.host.remove_prefix(at + 1);
  return found;
}

// The URI by whom it connects to. Of a pattern, what it says of the user stands; of a URI, no user
// and no host of a file matter to most who read it.
void AddHosts(const Authority& authority, UriKind kind, std::vector<std::string>& forms) {
  const auto& [scheme, user, host, rest] = authority;
  const std::string begin = std::string(scheme) + "://";
  const std::string as_read = HostAsRead(scheme, host);
  const bool ends_open = !host.empty() && IsMark(host.back());
  const bool lacks_slash =
      (IsWeb(scheme) || scheme == "file") && !rest.starts_with('/') && !ends_open;
  const std::string end = (lacks_slash ? "/" : "") + std::string(rest);
  if (scheme == "file" && (kind != UriKind::kPattern || as_read == "localhost")) {
    forms.push_back(begin + end);
  }
  forms.push_back(begin + std::string(user) + as_read + end);
  if (kind != UriKind::kPattern && !user.empty()) forms.push_back(begin + as_read + end);
}

// What a pattern says of a fragment stands where it restricts, so its hosts are left as they are.
void AddBare(std::string_view stripped, std::string_view collapsed, UriKind kind,
             UriReadings& readings) {
  for (const std::string_view form : {stripped, collapsed}) {
    const std::string_view bare = Bare(form);
    if (bare != form) readings.bare.emplace_back(bare);
  }
  const auto authority = AuthorityOf(Bare(collapsed));
  if (authority && kind != UriKind::kPattern) AddHosts(*authority, kind, readings.hosts);
}

}  // namespace

void LowerScheme(std::string& uri) {
  const std::size_t length = SchemeLength(uri);
  for (std::size_t i = 0; i < length; ++i) {
    if (uri[i] >= 'A' && uri[i] <= 'Z') uri[i] |= 0x20;
  }
}

bool HasMixedScheme(std::string_view uri) {
  const std::string_view scheme = uri.substr(0, SchemeLength(uri));
  return std::any_of(scheme.begin(), scheme.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

UriReadings ReadUri(std::string_view text, UriKind kind) {
  UriReadings readings;
  const auto refused = [&](std::string_view why) {
    readings.refusal = why;
    return readings;
  };
  std::string decoded;
  for (int i = 0;; ++i) {
    const std::string_view form = i == 0 ? text : std::string_view(decoded);
    if (!IsUtf8(form)) return refused("the uri is not UTF-8 once it is decoded");
    if (HasControlCharacter(form, kind)) return refused("the uri holds a control character");
    std::string plain = PlainText(form);
    // Parsers of URLs drop the spaces around them.
    std::string stripped = WithoutSpacesBefore(WithoutSpacesBehind(plain));
    LowerScheme(stripped);
    std::string collapsed = SlashesCollapsed(stripped);
    if (HasDotSegment(form) || HasDotSegment(collapsed)) {
      return refused("the uri holds a dot segment");
    }
    if (const auto authority = AuthorityOf(collapsed)) {
      if (IsWeb(authority->scheme) && !IsAscii(authority->host)) {
        return refused("the host of the uri is not ASCII: write it in its xn-- form");
      }
      AddHosts(*authority, kind, readings.hosts);
    }
    AddBare(stripped, collapsed, kind, readings);
    if (collapsed != stripped) readings.forms.push_back(std::move(collapsed));
    if (stripped != plain) readings.forms.push_back(std::move(stripped));
    if (plain != form) readings.forms.push_back(std::move(plain));
    if (form.find('%') == std::string_view::npos) break;
    std::string next = PercentDecoded(form);
    if (next == form) break;
    if (i == kDecodings) return refused("the uri is encoded too many times");
    LowerScheme(next);
    // What stands for a variable may be decoded to slashes.
    if (kind == UriKind::kTemplate) std::replace(next.begin(), next.end(), kStarMark, kAnyRunMark);
    decoded = std::move(next);
    readings.forms.push_back(decoded);
  }
  std::erase(readings.hosts, text);
  return readings;
}

}  // namespace sallyport
