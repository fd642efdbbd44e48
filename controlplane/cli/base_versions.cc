#include "controlplane/cli/base_versions.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/config_file.h"
#include "common/policy/documents.h"
#include "common/strings.h"
#include "controlplane/cli/document_kind.h"

namespace sallyport::controlplane {
namespace {

constexpr std::string_view kVersion = " version ";
constexpr std::string_view kMeaning =
    " (apply refuses this once another is in force; without this line it does not)";

// `policy/deploy-bots`
bool ReadName(std::string_view text, admin::v1::BaseVersion& base) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return false;
  base.set_kind(KindOf(std::string(text.substr(0, slash))));
  base.set_name(std::string(text.substr(slash + 1)));
  return base.kind() != types::v1::DOCUMENT_KIND_UNSPECIFIED && IsDocumentName(base.name());
}

bool ReadVersion(std::string_view text, admin::v1::BaseVersion& base) {
  uint64_t version = 0;
  if (!absl::SimpleAtoi(ToAbsl(text), &version)) return false;
  base.set_version(version);
  return true;
}

std::string_view WithoutBlanks(std::string_view line) {
  return ToStd(absl::StripAsciiWhitespace(ToAbsl(line)));
}

// `---` alone or before a comment; an indented one is content.
bool IsBareMarker(std::string_view line) {
  return line.starts_with("---") && (WithoutBlanks(line) == "---" || line.starts_with("--- #"));
}

std::optional<admin::v1::BaseVersion> ReadSeenLine(std::string_view line) {
  if (!line.starts_with("# ") || !line.ends_with(kMeaning)) return std::nullopt;
  line.remove_prefix(2);
  line.remove_suffix(kMeaning.size());
  const std::size_t at = line.find(kVersion);
  admin::v1::BaseVersion base;
  if (at == std::string_view::npos || !ReadName(line.substr(0, at), base) ||
      !ReadVersion(line.substr(at + kVersion.size()), base)) {
    return std::nullopt;
  }
  return base;
}

}  // namespace

std::string SeenLine(const types::v1::Document& document) {
  return absl::StrCat("# ", KindWord(document.kind()), "/", document.name(), ToAbsl(kVersion),
                      document.version(), ToAbsl(kMeaning), "\n");
}

void TakeSeenLines(std::string& text, std::vector<admin::v1::BaseVersion>& bases) {
  // Only there is an indented line that looks like a comment surely one.
  bool is_above_document = true;
  for (std::size_t begin = text.size() - WithoutByteOrderMark(text).size(); begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    const std::string_view words = WithoutBlanks(line);
    const bool is_comment = line.starts_with('#') || is_above_document;
    const auto base = is_comment ? ReadSeenLine(words) : std::nullopt;
    if (base.has_value()) {
      bases.push_back(*base);
      text.erase(begin, line.size());
      ++begin;
      continue;
    }
    if (!words.empty() && words.front() != '#') is_above_document = IsBareMarker(line);
    begin = end + 1;
  }
}

absl::StatusOr<admin::v1::BaseVersion> ParseBaseVersion(const std::string& text,
                                                        const admin::v1::BaseVersion* only) {
  admin::v1::BaseVersion base;
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos && only != nullptr && ReadVersion(text, base)) {
    base.set_kind(only->kind());
    base.set_name(only->name());
    return base;
  }
  if (equals != std::string::npos && ReadName(std::string_view(text).substr(0, equals), base) &&
      ReadVersion(std::string_view(text).substr(equals + 1), base)) {
    return base;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "--base-version ", text, ": expected KIND/NAME=VERSION, such as policy/deploy-bots=3",
      only == nullptr ? "" : ", or the version alone"));
}

}  // namespace sallyport::controlplane
