#include <algorithm>
#include <array>
#include <cctype>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "agent/mask/detectors/readers.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

bool IsBase64(char c) { return IsAlnum(c) || c == '+' || c == '/'; }
bool IsBase64Url(char c) { return IsAlnum(c) || c == '-' || c == '_'; }

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

// Rarer kinds, whose prefixes are words of a gene: twenty characters alone, of more than a few
// kinds.
std::optional<Match> ReadRareKeyId(std::string_view text, std::size_t at, std::size_t& barren) {
  constexpr std::size_t kMinKinds = 6;
  const auto match = ReadAccessKeyId(text, at, barren);
  if (!match.has_value() || (at > 0 && IsAlnum(text[at - 1])) ||
      (match->end < text.size() && IsAlnum(text[match->end]))) {
    return std::nullopt;
  }
  std::string kinds(text.substr(at, match->end - at));
  std::sort(kinds.begin(), kinds.end());
  const auto count = std::unique(kinds.begin(), kinds.end()) - kinds.begin();
  return static_cast<std::size_t>(count) < kMinKinds ? std::nullopt : match;
}

// 40 characters of base64 alone; not a SHA-1.
bool IsSecretKey(std::string_view text) {
  constexpr std::size_t kSize = 40;
  if (text.size() != kSize || !std::all_of(text.begin(), text.end(), IsBase64)) return false;
  if (EndsWith(text, kDocumentationSecret)) return false;
  return std::any_of(text.begin(), text.end(), IsUpper) &&
         std::any_of(text.begin(), text.end(), IsLower);
}

// `secret_access_key`, then at most a few characters that assign, with `value` on its own line
// where names and values are listed, then the key.
std::optional<Match> ReadNamedSecretKey(std::string_view text, std::size_t at, std::size_t&) {
  const auto is_name = [](char c) { return IsAlnum(c) || c == '_' || c == '-'; };
  const auto is_assignment = [](char c) {
    return IsSpace(c) || c == '"' || c == '\'' || c == ':' || c == '=' || c == '>' || c == '\\' ||
           c == '|' || c == '`' || c == ',';
  };
  constexpr std::size_t kMaxAssignment = 24;
  constexpr std::size_t kMaxName = 64;
  constexpr std::size_t kMaxKey = 41;  // one more than a key has
  // The shortest name; spaces may stand in it.
  constexpr std::size_t kMinName = 14;
  const std::size_t name_end = RunEnd(text.substr(0, at + kMaxName), at + kMinName, is_name);
  std::size_t begin = RunEnd(text, name_end, is_assignment);
  if (begin == name_end || begin - name_end > kMaxAssignment) return std::nullopt;
  constexpr std::string_view kValue = "value";
  if (absl::StartsWithIgnoreCase(ToAbsl(text.substr(begin)), ToAbsl(kValue))) {
    const std::size_t assigned = RunEnd(text, begin + kValue.size(), is_assignment);
    if (assigned != begin + kValue.size() && assigned - begin <= kMaxAssignment) begin = assigned;
  }
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

// `bedrock-api-key-` and a presigned URL in base64, good for hours.
std::optional<Match> ReadBedrockShortKey(std::string_view text, std::size_t at, std::size_t&) {
  constexpr std::size_t kPrefix = 16;
  return WithTail(text, at, kPrefix, 100,
                  [](char c) { return IsBase64(c) || c == '=' || c == '&' || c == '-'; });
}

// ---- GitHub

std::optional<Match> ReadGithubToken(std::string_view text, std::size_t at, std::size_t&) {
  constexpr std::size_t kPrefix = 4;
  const auto match = WithTail(text, at, kPrefix, 36, IsAlnum);
  if (!match.has_value()) return std::nullopt;
  const std::string_view tail = text.substr(at + kPrefix, match->end - at - kPrefix);
  return IsOneCharacter(tail) ? std::nullopt : match;
}

// Installation tokens may hold a JWT: ghs_<app>_<header>.<payload>.<signature>.
std::optional<Match> ReadGithubInstallation(std::string_view text, std::size_t at,
                                            std::size_t& barren_until) {
  const auto match = WithTail(text, at, 4, 36, [](char c) { return IsBase64Url(c) || c == '.'; });
  if (!match.has_value()) return std::nullopt;
  const std::string_view tail = text.substr(at + 4, match->end - at - 4);
  // Words with dots between them are none.
  if (IsOneCharacter(tail) || std::none_of(tail.begin(), tail.end(), IsDigit)) {
    barren_until = match->end;
    return std::nullopt;
  }
  std::size_t end = match->end;
  while (text[end - 1] == '.') --end;
  return Match{at, end};
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

// The cookie that goes with a browser's token: base64, or that percent-encoded.
std::optional<Match> ReadSlackCookie(std::string_view text, std::size_t at,
                                     std::size_t& barren_until) {
  const auto match = WithTail(text, at, 5, 12, [](char c) {
    return IsBase64(c) || c == '-' || c == '_' || c == '%' || c == '=';
  });
  if (!match.has_value()) return std::nullopt;
  const std::string_view token = text.substr(match->begin, match->end - match->begin);
  if (std::any_of(token.begin(), token.end(), IsDigit)) return match;
  barren_until = match->end;
  return std::nullopt;
}

std::optional<Match> ReadSlackWebhook(std::string_view text, std::size_t at, std::size_t&) {
  const std::size_t host_end = text.find('/', at) + 1;
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

constexpr auto kAnchors = std::to_array<Anchor>({
    {"AKIA", false, Detector::kAws, ReadAccessKeyId},
    {"ASIA", false, Detector::kAws, ReadAccessKeyId},
    {"ABIA", false, Detector::kAws, ReadRareKeyId},
    {"ACCA", false, Detector::kAws, ReadRareKeyId},
    {"secret_access_key", true, Detector::kAws, ReadNamedSecretKey},
    {"secretaccesskey", true, Detector::kAws, ReadNamedSecretKey},
    {"secret-access-key", true, Detector::kAws, ReadNamedSecretKey},
    {"secret access key", true, Detector::kAws, ReadNamedSecretKey},
    {"aws_secret_key", true, Detector::kAws, ReadNamedSecretKey},
    {"IQoJb3JpZ2lu", false, Detector::kAws, ReadSessionToken},
    {"FwoGZXIv", false, Detector::kAws, ReadSessionToken},
    {"ABSK", false, Detector::kAws, ReadBedrockKey},
    {"bedrock-api-key-", false, Detector::kAws, ReadBedrockShortKey},
    {"ghp_", false, Detector::kGithub, ReadGithubToken},
    {"gho_", false, Detector::kGithub, ReadGithubToken},
    {"ghu_", false, Detector::kGithub, ReadGithubToken},
    {"ghs_", false, Detector::kGithub, ReadGithubInstallation},
    {"ghr_", false, Detector::kGithub, ReadGithubToken},
    {"github_pat_", false, Detector::kGithub, ReadGithubFineGrained},
    {"xwfp-", false, Detector::kSlack, ReadSlackToken},
    {"xoxc-", false, Detector::kSlack, ReadSlackToken},
    {"xoxd-", false, Detector::kSlack, ReadSlackCookie},
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
    {"hooks.slack-gov.com/", true, Detector::kSlack, ReadSlackWebhook},
    {"eyJ", false, Detector::kJwt, ReadJwt},
    {"-----BEGIN ", false, Detector::kPem, ReadPrivateKey},
    {"://", false, Detector::kUrlCredentials, ReadUrlCredentials},
});

}  // namespace

absl::Span<const Anchor> Anchors() { return kAnchors; }

bool IsAwsSecretValue(std::string_view value) { return IsSecretKey(value); }

bool IsAwsSecretName(std::string_view name) {
  constexpr std::string_view kName = "secretaccesskey";
  if (name.size() < kName.size()) return false;
  std::string letters;
  for (const char c : name) {
    if (IsAlnum(c))
      letters.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
  }
  return letters.ends_with(kName);
}

}  // namespace sallyport::agent
