#include "common/config_file.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "common/json_string.h"
#include "common/proto_reader.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport {
namespace {

// `---` or `...` alone or before a blank, at the beginning of a line: never content, not even in a
// quoted or block scalar.
bool IsMarker(std::string_view line, std::string_view marker) {
  if (!line.starts_with(marker)) return false;
  return line.size() == 3 || line[3] == ' ' || line[3] == '\t' || line[3] == '\r' ||
         line[3] == '\n';
}

// Whether nothing but a comment follows on a marker's line.
bool IsBareMarker(std::string_view line) {
  const std::size_t next = line.find_first_not_of(" \t\r\n", 3);
  return next == std::string_view::npos || line[next] == '#';
}

bool IsBlank(std::string_view line) {
  return line.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

// How an editor ends its lines is no part of a document, which YAML reads alike: who saves it with
// another one has changed nothing.
void AppendLine(std::string_view line, std::string& source) {
  const bool has_return = line.ends_with("\r\n");
  source += line.substr(0, line.size() - (has_return ? 2 : 0));
  if (has_return) source += '\n';
}

struct Piece {
  int line = 1;
  std::string source;
};

std::vector<Piece> SplitPieces(std::string_view text) {
  std::vector<Piece> pieces(1);
  int line = 0;
  while (!text.empty()) {
    ++line;
    const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    const std::string_view content = text.substr(0, end);
    text.remove_prefix(end);
    const bool begins = IsMarker(content, "---");
    if (begins || IsMarker(content, "...")) {
      // A marker with content on its line stays in the piece it begins.
      const bool is_bare = IsBareMarker(content);
      pieces.push_back({line + (is_bare ? 1 : 0), ""});
      if (!is_bare) AppendLine(content, pieces.back().source);
    } else if (pieces.back().source.empty() && IsBlank(content)) {
      // Where a document stands in its file is no part of it.
      pieces.back().line = line + 1;
    } else {
      AppendLine(content, pieces.back().source);
    }
  }
  return pieces;
}

absl::StatusOr<std::string> TextOf(const YamlNode& node, std::string_view key,
                                   std::string_view file) {
  if (!node.is_scalar() || TypeOf(node) != YamlType::kString || node.text.empty()) {
    return YamlError(file, node.line, absl::StrCat(ToAbsl(key), ": expected a string"));
  }
  return node.text;
}

}  // namespace

std::string_view WithoutByteOrderMark(std::string_view text) {
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  if (text.starts_with(kMark)) text.remove_prefix(kMark.size());
  return text;
}

absl::Status LoadConfigFile(const std::string& path, google::protobuf::Message* message) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxYamlBytes));
  return ParseConfig(text, path, message);
}

absl::Status ParseConfig(std::string_view text, std::string_view file,
                         google::protobuf::Message* message) {
  ASSIGN_OR_RETURN(const YamlNode root, ParseYaml(WithoutByteOrderMark(text), file));
  if (root.is_null()) return YamlError(file, root.line, "the file is empty");
  return ReadNode(root, file, "", message);
}

absl::StatusOr<std::vector<YamlDocument>> SplitDocuments(std::string_view text,
                                                         std::string_view file) {
  if (text.size() > kMaxYamlBytes) {
    return YamlError(file, 1, absl::StrCat("larger than ", kMaxYamlBytes, " bytes"));
  }
  std::vector<YamlDocument> documents;
  for (Piece& piece : SplitPieces(WithoutByteOrderMark(text))) {
    ASSIGN_OR_RETURN(const YamlNode root, ParseYaml(piece.source, file, piece.line));
    if (root.is_null()) continue;
    YamlDocument document;
    document.file = std::string(file);
    document.line = piece.line;
    document.source = std::move(piece.source);
    const YamlNode* kind = root.Find("kind");
    if (kind == nullptr) return YamlError(file, root.line, "a document without \"kind\"");
    ASSIGN_OR_RETURN(document.kind, TextOf(*kind, "kind", file));
    document.kind_line = kind->line;
    if (const YamlNode* name = root.Find("name")) {
      ASSIGN_OR_RETURN(document.name, TextOf(*name, "name", file));
    }
    documents.push_back(std::move(document));
  }
  return documents;
}

absl::Status ParseSpec(const YamlDocument& document, google::protobuf::Message* spec) {
  ASSIGN_OR_RETURN(const YamlNode root, ParseTree(document));
  for (const YamlNode::Entry& entry : root.entries) {
    if (entry.key == "kind" || entry.key == "name" || entry.key == "spec") continue;
    return YamlError(
        document.file, entry.line,
        absl::StrCat("unknown key ", JsonString(std::string_view(entry.key).substr(0, 80)),
                     ": a document has kind, name and spec"));
  }
  if (document.name.empty())
    return YamlError(document.file, document.kind_line, "a document without \"name\"");
  const YamlNode* node = root.Find("spec");
  if (node == nullptr)
    return YamlError(document.file, document.kind_line, "a document without \"spec\"");
  return ReadNode(*node, document.file, "spec", spec);
}

absl::StatusOr<YamlNode> ParseTree(const YamlDocument& document) {
  return ParseYaml(document.source, document.file, document.line);
}

absl::Status ReadNode(const YamlNode& node, std::string_view file, std::string_view where,
                      google::protobuf::Message* message) {
  message->Clear();
  return ProtoReader(file).ReadMessage(node, std::string(where), message);
}

}  // namespace sallyport
