#include "controlplane/cli/document_kind.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/json_printer.h"

namespace sallyport::controlplane {

std::string KindWord(types::v1::DocumentKind kind) {
  return absl::StrReplaceAll(EnumWord(kind), {{"_", "-"}});
}

const std::vector<std::string>& KindWords() {
  static const auto* const words = [] {
    auto* all = new std::vector<std::string>;
    for (int kind = 1; types::v1::DocumentKind_IsValid(kind); ++kind) {
      all->push_back(KindWord(static_cast<types::v1::DocumentKind>(kind)));
    }
    return all;
  }();
  return *words;
}

types::v1::DocumentKind KindOf(const std::string& word) {
  for (int kind = 1; types::v1::DocumentKind_IsValid(kind); ++kind) {
    if (KindWord(static_cast<types::v1::DocumentKind>(kind)) == word) {
      return static_cast<types::v1::DocumentKind>(kind);
    }
  }
  return types::v1::DOCUMENT_KIND_UNSPECIFIED;
}

std::string KindPlural(types::v1::DocumentKind kind) {
  return kind == types::v1::DOCUMENT_KIND_POLICY ? "policies" : absl::StrCat(KindWord(kind), "s");
}

}  // namespace sallyport::controlplane
