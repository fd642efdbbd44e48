#include "controlplane/cli/word_or_file.h"

#include <algorithm>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/cli/holds_token.h"
#include "common/file.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::controlplane {
namespace {

constexpr absl::string_view kScheme = "Bearer ";

std::string Stripped(std::string_view text) {
  return std::string(absl::StripAsciiWhitespace(ToAbsl(text)));
}

// Three parts of base64url, or the beginning that every JWT has: what may be one is never taken for
// a file's name, which errors show.
bool MayBeToken(std::string_view word) {
  if (word.starts_with("eyJ")) return true;
  const std::vector<absl::string_view> parts = absl::StrSplit(ToAbsl(word), '.');
  return parts.size() == 3 && std::ranges::all_of(parts, [](absl::string_view part) {
           return !part.empty() && std::ranges::all_of(part, [](char c) {
             return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
           });
         });
}

// Without the scheme of the header that it was copied from.
std::string BareToken(std::string_view text) {
  const std::string token = Stripped(text);
  if (!absl::StartsWithIgnoreCase(token, kScheme)) return token;
  return Stripped(token.substr(kScheme.size()));
}

// Its errors name the file, unless that is none.
absl::StatusOr<std::string> ReadNamedFile(const std::string& name) {
  absl::StatusOr<std::string> text = ReadFile(name);
  if (text.ok() || !HoldsToken(name)) return text;
  return absl::InvalidArgumentError("there is no such file (it may hold a token: it is not shown)");
}

}  // namespace

std::string StandardInput() { return {std::istreambuf_iterator<char>(std::cin), {}}; }

absl::StatusOr<std::string> ReadToken(const std::string& word) {
  if (word == "-") return BareToken(StandardInput());
  if (std::string token = BareToken(word); MayBeToken(token)) return token;
  const absl::StatusOr<std::string> text = ReadNamedFile(word);
  if (text.ok()) return BareToken(*text);
  return absl::Status(text.status().code(),
                      absl::StrCat(text.status().message(),
                                   "; it takes a JWT, a file that holds one, or - for standard "
                                   "input"));
}

absl::StatusOr<std::string> ReadJsonObject(std::string_view flag, const std::string& word) {
  std::string text = Stripped(word);
  std::string where(flag);
  if (word == "-") {
    text = Stripped(StandardInput());
    absl::StrAppend(&where, " (standard input)");
  } else if (!text.starts_with('{') && !text.starts_with('[') && !text.starts_with('"')) {
    const absl::StatusOr<std::string> read = ReadNamedFile(word);
    if (!read.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, ": ", read.status().message(),
                       "; it takes a JSON object such as {\"name\": \"value\"}, a file that holds "
                       "one, or - for standard input"));
    }
    text = Stripped(*read);
    absl::StrAppend(&where, " (", word, ")");
  }
  // The one place where the parser's exceptions can come from; only they know the place.
  try {
    if (nlohmann::json::parse(text).is_object()) return text;
  } catch (const nlohmann::json::parse_error& error) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": no JSON object: character ", error.byte, " is not as JSON has it"));
  } catch (const nlohmann::json::exception&) {
    return text;  // JSON with a number that is beyond a double: the control plane judges that
  }
  return absl::InvalidArgumentError(
      absl::StrCat(where, ": no JSON object, which begins with { and ends with }"));
}

}  // namespace sallyport::controlplane
