#include "controlplane/policies/parse_files.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/policy/documents.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::controlplane {

std::string ParsedDocument::Where() const {
  return absl::StrCat(file, ": ", ToAbsl(DocumentKindName(document.kind())), " ", document.name());
}

std::vector<NamedText> TextsOf(
    const google::protobuf::RepeatedPtrField<admin::v1::SourceFile>& files) {
  std::vector<NamedText> texts;
  for (const admin::v1::SourceFile& file : files) texts.push_back({file.name(), file.text()});
  return texts;
}

absl::StatusOr<std::vector<ParsedDocument>> ParseFiles(
    const google::protobuf::RepeatedPtrField<admin::v1::SourceFile>& files) {
  if (files.empty()) return absl::InvalidArgumentError("files: at least one is required");
  std::vector<ParsedDocument> parsed;
  std::map<std::pair<int, std::string>, std::string> seen;
  for (const admin::v1::SourceFile& source : files) {
    if (source.name().empty()) return absl::InvalidArgumentError("files: a name is missing");
    ASSIGN_OR_RETURN(std::vector<types::v1::Document> documents,
                     ParseDocuments(source.text(), source.name()));
    for (types::v1::Document& document : documents) {
      const auto [first, is_new] =
          seen.try_emplace({document.kind(), document.name()}, source.name());
      parsed.push_back({source.name(), std::move(document)});
      if (!is_new) {
        return absl::InvalidArgumentError(
            absl::StrCat(parsed.back().Where(), ": is in ", first->second, " too"));
      }
    }
  }
  if (parsed.empty()) {
    const auto name = [](std::string* out, const auto& file) { *out += file.name(); };
    return absl::InvalidArgumentError(absl::StrCat(absl::StrJoin(files, ", ", name),
                                                   ": there is no document in ",
                                                   files.size() == 1 ? "it" : "them"));
  }
  return parsed;
}

}  // namespace sallyport::controlplane
