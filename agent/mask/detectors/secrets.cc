#include <algorithm>
#include <array>
#include <cctype>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "agent/mask/detectors/detector.h"

namespace sallyport::agent {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }
bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsAlnum(char c) { return IsDigit(c) || IsUpper(c) || IsLower(c); }
bool IsBase64(char c) { return IsAlnum(c) || c == '+' || c == '/'; }
bool IsBase64Url(char c) { return IsAlnum(c) || c == '-' || c == '_'; }
bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// The end of the run of characters that `is` takes, from `at`.
template <class Is>
std::size_t RunEnd(std::string_view text, std::size_t at, Is is) {
  while (at < text.size() && is(text[at])) ++at;
  return at;
}

// The literal and at least `min` characters of the class behind it.
template <class Is>
std::optional<Match> WithTail(std::string_view text, std::size_t at, std::size_t literal,
                              std::size_t min, Is is) {
  const std::size_t end = RunEnd(text, at + literal, is);
  if (end - (at + literal) < min) return std::nullopt;
  return Match{at, end};
}

bool EndsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

// ghp_xxxxxxxx: what documentation writes for a token.
bool IsOneCharacter(std::string_view text) {
  return text.find_first_not_of(text.substr(0, 1)) == std::string_view::npos;
}

// ---- AWS

// The keys of AWS's own documentation end so; one issued that does is as likely as a guess.
constexpr std::string_view kDocumentation = "EXAMPLE";
constexpr std::string_view kDocumentationSecret = "EXAMPLEKEY";

std::optional<Match> ReadAccessKeyId(std::string_view text, std::size_t at, std::size_t&) {
  constexpr std::size_t kPrefix = 4;
  constexpr std::size_t kTail = 16;
  const auto is_base32 = [](char c) { return IsUpper(c) || (c >= '2' && c <= '7'); };
  const std::size_t end = at + kPrefix + kTail;
  if (RunEnd(text.substr(0, end), at + kPrefix, is_base32) < end) return std::nullopt;
  if (EndsWith(text.substr(at, kPrefix + kTail), kDocumentation)) return std::nullopt;
  return Match{at, end};
}

// 40 characters of base64 alone; not a SHA-1.
bool IsSecretKey(std::string_view text) {
  constexpr std::size_t kSize = 40;
  if (text.size() != kSize || !std::all_of(text.begin(), text.end(), IsBase64)) return false;
  if (EndsWith(text, kDocumentationSecret)) return false;
  return std::any_of(text.begin(), text.end(), IsUpper) &&
         std::any_of(text.begin(), text.end(), IsLower);
}

// `secret_access_key`, then at most a few characters that assign, then the key.
std::optional<Match> ReadNamedSecretKey(std::string_view text, std::size_t at, std::size_t&) {
  const auto is_name = [](char c) { return IsAlnum(c) || c == '_' || c == '-'; };
  const auto is_assignment = [](char c) {
    return IsSpace(c) || c == '"' || c == '\'' || c == ':' || c == '=' || c == '>' || c == '\\' ||
           c == '|' || c == '`' || c == ',';
  };
  constexpr std::size_t kMaxAssignment = 24;
  constexpr std::size_t kMaxName = 64;
  constexpr std::size_t kMaxKey = 41;  // one more than a key has
  const std::size_t name_end = RunEnd(text.substr(0, at + kMaxName), at, is_name);
  const std::size_t begin = RunEnd(text, name_end, is_assignment);
  if (begin == name_end || begin - name_end > kMaxAssignment) return std::nullopt;
  const std::size_t end = RunEnd(text.substr(0, begin + kMaxKey), begin, IsBase64);
  if (!IsSecretKey(text.substr(begin, end - begin))) return std::nullopt;
  return Match{begin, end};
}

std::optional<Match> ReadSessionToken(std::string_view text, std::size_t at, std::size_t&) {
  constexpr std::size_t kMin = 100;
  std::size_t end = RunEnd(text, at, [](char c) { return IsBase64(c) || c == '%'; });
  if (end - at < kMin) return std::nullopt;
  end = RunEnd(text, end, [](char c) { return c == '='; });
  return Match{at, end};
}

std::optional<Match> ReadBedrockKey(std::string_view text, std::size_t at, std::size_t&) {
  // Four letters turn up inside any long base64: an image must not be taken for a key.
  if (at > 0 && IsBase64(text[at - 1])) return std::nullopt;
  return WithTail(text, at, 4, 100, [](char c) { return IsBase64(c) || c == '='; });
}

// ---- GitHub

std::optional<Match> ReadGithubToken(std::string_view text, std::size_t at, std::size_t&) {
  constexpr std::size_t kPrefix = 4;
  const auto match = WithTail(text, at, kPrefix, 36, IsAlnum);
  if (!match.has_value()) return std::nullopt;
  const std::string_view tail = text.substr(at + kPrefix, match->end - at - kPrefix);
  return IsOneCharacter(tail) ? std::nullopt : match;
}

std::optional<Match> ReadGithubFineGrained(std::string_view text, std::size_t at, std::size_t&) {
  return WithTail(text, at, 11, 40, [](char c) { return IsAlnum(c) || c == '_'; });
}

// ---- Slack

std::optional<Match> ReadSlackToken(std::string_view text, std::size_t at,
                                    std::size_t& barren_until) {
  const auto match =
      WithTail(text, at, 5, 10, [](char c) { return IsAlnum(c) || c == '-' || c == '.'; });
  if (!match.has_value()) return std::nullopt;
  // Real ones carry numbers; `xoxb-your-token` does not.
  const std::string_view token = text.substr(match->begin, match->end - match->begin);
  if (std::any_of(token.begin(), token.end(), IsDigit)) return match;
  barren_until = match->end;
  return std::nullopt;
}

std::optional<Match> ReadSlackWebhook(std::string_view text, std::size_t at, std::size_t&) {
  const std::size_t host_end = at + std::string_view("hooks.slack.com/").size();
  const std::size_t kind_end = RunEnd(text, host_end, IsLower);
  if (kind_end >= text.size() || text[kind_end] != '/') return std::nullopt;
  const auto is_path = [](char c) { return IsBase64Url(c) || c == '/' || c == '+'; };
  const std::size_t end = RunEnd(text, kind_end + 1, is_path);
  constexpr std::size_t kMin = 20;
  if (end - kind_end - 1 < kMin) return std::nullopt;
  return Match{kind_end + 1, end};
}

// ---- JWT

// `{"alg":...` in base64url, as far as a header is looked at.
bool IsJoseHeader(std::string_view segment) {
  constexpr std::size_t kProbe = 1024;
  std::string header;
  const std::string_view probe = segment.substr(0, kProbe);
  if (!absl::WebSafeBase64Unescape(absl::string_view(probe.data(), probe.size()), &header)) {
    return false;
  }
  return header.size() > 2 && header[0] == '{' && absl::StrContains(header, "\"alg\"");
}

std::optional<Match> ReadJwt(std::string_view text, std::size_t at, std::size_t& barren_until) {
  // A header is no longer than this; a longer run is looked at from its last such stretch only.
  constexpr std::size_t kMaxHeader = 8192;
  std::size_t end = RunEnd(text, at, IsBase64Url);
  if (end >= text.size() || text[end] != '.') {
    barren_until = end;
    return std::nullopt;
  }
  if (end - at > kMaxHeader) {
    barren_until = end - kMaxHeader;
    return std::nullopt;
  }
  if (!IsJoseHeader(text.substr(at, end - at))) return std::nullopt;
  // Two more segments of a JWS, four of a JWE; a signature may be cut off.
  for (int segment = 0; segment < 4 && end < text.size() && text[end] == '.'; ++segment) {
    const std::size_t next = RunEnd(text, end + 1, IsBase64Url);
    if (next == end + 1 && segment != 0) break;
    end = next;
  }
  return Match{at, end};
}

// ---- PEM

// White space, and line ends that are spelled out: \n, \\n, \r.
std::size_t SkipLineEnds(std::string_view text, std::size_t at) {
  for (;;) {
    if (at < text.size() && IsSpace(text[at])) {
      ++at;
    } else if (at + 1 < text.size() && text[at] == '\\' &&
               (text[at + 1] == 'n' || text[at + 1] == 'r' || text[at + 1] == '\\')) {
      at += text[at + 1] == '\\' ? 1 : 2;
    } else {
      return at;
    }
  }
}

std::optional<Match> ReadPrivateKey(std::string_view text, std::size_t at, std::size_t&) {
  constexpr std::size_t kMaxLabel = 64;
  constexpr std::string_view kDashes = "-----";
  constexpr std::string_view kEnd = "-----END";
  const std::size_t label = at + std::string_view("-----BEGIN ").size();
  const std::size_t label_end = text.substr(0, label + kMaxLabel).find(kDashes, label);
  if (label_end == std::string_view::npos) return std::nullopt;
  if (text.substr(label, label_end - label).find("PRIVATE KEY") == std::string_view::npos) {
    return std::nullopt;
  }
  const std::size_t begin = SkipLineEnds(text, label_end + kDashes.size());
  std::size_t end = std::min(text.find(kDashes, begin), text.size());
  if (text.substr(end, kEnd.size()) != kEnd) {
    // Cut off: to the last character that may belong to it.
    end = RunEnd(text.substr(0, end), begin, [](char c) {
      return IsBase64(c) || IsSpace(c) || c == '=' || c == '\\' || c == ':' || c == ',' || c == '-';
    });
  }
  while (end > begin && IsSpace(text[end - 1])) --end;
  if (end <= begin) return std::nullopt;
  return Match{begin, end};
}

// ---- user:password@ in a URL

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
  if (is_within("${", "}") || is_within("{{", "}}") || is_within("{", "}") || is_within("<", ">")) {
    return true;
  }
  if (password.size() > 1 && password[0] == '$' &&
      std::all_of(password.begin() + 1, password.end(),
                  [](char c) { return (c >= 'A' && c <= 'Z') || c == '_'; })) {
    return true;
  }
  return std::all_of(password.begin(), password.end(),
                     [](char c) { return c == '*' || c == 'x' || c == 'X' || c == '.'; });
}

std::optional<Match> ReadUrlPassword(std::string_view text, std::size_t at, std::size_t&) {
  constexpr std::size_t kMaxUserinfo = 1024;
  const std::size_t begin = at + 3;
  const auto is_userinfo = [](char c) {
    return static_cast<unsigned char>(c) > 0x20 && c != '/' && c != '?' && c != '#' && c != '"' &&
           c != '\'' && c != '`' && c != '|' && c != '\\';
  };
  const std::size_t authority_end =
      RunEnd(text.substr(0, std::min(text.size(), begin + kMaxUserinfo)), begin, is_userinfo);
  const std::string_view authority = text.substr(begin, authority_end - begin);
  const std::size_t colon = authority.find(':');
  const std::size_t last = authority.rfind('@');
  if (colon == std::string_view::npos || last == std::string_view::npos || last < colon + 2) {
    return std::nullopt;
  }
  // Behind the last at sign stands a host: user:a@b@host has the password a@b, but mail@x in a list
  // does not extend it.
  if (last + 1 >= authority.size() ||
      !(IsAlnum(authority[last + 1]) || authority[last + 1] == '[')) {
    return std::nullopt;
  }
  if (IsPlaceholder(authority.substr(colon + 1, last - colon - 1))) return std::nullopt;
  return Match{begin + colon + 1, begin + last};
}

constexpr auto kAnchors = std::to_array<Anchor>({
    {"AKIA", false, Detector::kAws, ReadAccessKeyId},
    {"ASIA", false, Detector::kAws, ReadAccessKeyId},
    {"secret_access_key", true, Detector::kAws, ReadNamedSecretKey},
    {"secretaccesskey", true, Detector::kAws, ReadNamedSecretKey},
    {"aws_secret_key", true, Detector::kAws, ReadNamedSecretKey},
    {"IQoJb3JpZ2lu", false, Detector::kAws, ReadSessionToken},
    {"FwoGZXIv", false, Detector::kAws, ReadSessionToken},
    {"ABSK", false, Detector::kAws, ReadBedrockKey},
    {"ghp_", false, Detector::kGithub, ReadGithubToken},
    {"gho_", false, Detector::kGithub, ReadGithubToken},
    {"ghu_", false, Detector::kGithub, ReadGithubToken},
    {"ghs_", false, Detector::kGithub, ReadGithubToken},
    {"ghr_", false, Detector::kGithub, ReadGithubToken},
    {"github_pat_", false, Detector::kGithub, ReadGithubFineGrained},
    {"xoxa-", false, Detector::kSlack, ReadSlackToken},
    {"xoxb-", false, Detector::kSlack, ReadSlackToken},
    {"xoxe-", false, Detector::kSlack, ReadSlackToken},
    {"xoxe.", false, Detector::kSlack, ReadSlackToken},
    {"xoxo-", false, Detector::kSlack, ReadSlackToken},
    {"xoxp-", false, Detector::kSlack, ReadSlackToken},
    {"xoxr-", false, Detector::kSlack, ReadSlackToken},
    {"xoxs-", false, Detector::kSlack, ReadSlackToken},
    {"xapp-", false, Detector::kSlack, ReadSlackToken},
    {"hooks.slack.com/", true, Detector::kSlack, ReadSlackWebhook},
    {"eyJ", false, Detector::kJwt, ReadJwt},
    {"-----BEGIN ", false, Detector::kPem, ReadPrivateKey},
    {"://", false, Detector::kUrlCredentials, ReadUrlPassword},
});

}  // namespace

absl::Span<const Anchor> Anchors() { return kAnchors; }

bool IsAwsSecretMember(std::string_view key, std::string_view value) {
  constexpr std::string_view kName = "secretaccesskey";
  if (value.size() != 40 || key.size() < kName.size()) return false;
  std::string letters;
  for (const char c : key) {
    if (IsAlnum(c))
      letters.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
  }
  return letters.size() >= kName.size() &&
         std::string_view(letters).substr(letters.size() - kName.size()) == kName &&
         IsSecretKey(value);
}

}  // namespace sallyport::agent
