#include "controlplane/store/known_servers.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/nearest_words.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "controlplane/store/statement.h"
#include "sallyport/types/v1/policy.pb.h"

namespace sallyport::controlplane::known_servers {

namespace {

constexpr char kFronted[] = "select servers from agents union select servers from join_tokens";

// Of rows that hold one or more, a line each.
absl::StatusOr<std::vector<std::string>> NamesIn(Statement all) {
  std::set<std::string> names;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, all.Step());
    if (!row) return std::vector<std::string>(names.begin(), names.end());
    for (const absl::string_view name :
         absl::StrSplit(ToAbsl(all.text(0)), '\n', absl::SkipEmpty())) {
      names.emplace(name);
    }
  }
}

}  // namespace

absl::StatusOr<std::vector<std::string>> All(Transaction& t) {
  Statement all = t.Prepare(absl::StrCat(
      kFronted, " union select name from documents where kind = ? union select server from tools"));
  all.Int(types::v1::DOCUMENT_KIND_SERVER);
  return NamesIn(std::move(all));
}

absl::StatusOr<std::vector<std::string>> Fronted(Transaction& t) {
  return NamesIn(t.Prepare(kFronted));
}

std::string WhyUnknown(const std::vector<std::string>& known, std::string_view name) {
  if (std::ranges::find(known, name) != known.end()) return {};
  return absl::StrCat("no agent fronts a server called ", ToAbsl(name), DidYouMean(name, known));
}

}  // namespace sallyport::controlplane::known_servers
