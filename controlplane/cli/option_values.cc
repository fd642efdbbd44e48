#include "controlplane/cli/option_values.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/names.h"
#include "common/nearest_words.h"
#include "common/printable.h"
#include "common/time_text.h"
#include "controlplane/cli/base_versions.h"
#include "controlplane/model/named_principal.h"

namespace sallyport::controlplane {
namespace {

// `what` stands in the help, too.
template <class IsGood>
CLI::Validator Check(std::string what, std::string example, IsGood is_good) {
  return {[what, example, is_good](const std::string& value) -> std::string {
            if (is_good(value)) return {};
            return absl::StrCat("\"", Printable(value), "\": expected ", what, ", such as ",
                                example);
          },
          std::string()};
}

bool IsTime(const std::string& value) { return ParseTime(value).ok(); }

}  // namespace

CLI::Validator OneOf(std::vector<std::string> words) {
  return {[words = std::move(words)](const std::string& value) -> std::string {
            if (std::ranges::find(words, value) != words.end()) return {};
            return absl::StrCat("\"", Printable(value), "\": expected one of ",
                                absl::StrJoin(words, ", "), DidYouMean(value, words));
          },
          std::string()};
}

CLI::Validator WholeNumber(uint64_t least) {
  return Check(absl::StrCat("a whole number, ", least, " or more"), absl::StrCat(least + 3),
               [least](const std::string& value) {
                 uint64_t number = 0;
                 const bool has_sign = value.starts_with('+') || value.starts_with('-');
                 return !has_sign && absl::SimpleAtoi(value, &number) && number >= least;
               });
}

CLI::Validator ABaseVersion() {
  return Check("KIND/NAME=VERSION or, of one document, the version alone", "policy/deploy-bots=3",
               [](const std::string& value) {
                 const admin::v1::BaseVersion any;
                 return ParseBaseVersion(value, &any).ok();
               });
}

CLI::Validator AnAgentName() {
  return Check("an agent's name, which is [a-z0-9][a-z0-9-]{0,62}", "wiki-1", IsLabel);
}

CLI::Validator AServerName() {
  return Check("a server's name, which is [a-z0-9][a-z0-9._-]{0,62}", "wiki", IsServerName);
}

CLI::Validator APrincipal() {
  return Check("REALM:NAME, the name being a subject or a client id", "okta:0oa1deploy",
               [](const std::string& value) { return ParseNamedPrincipal(value).ok(); });
}

CLI::Validator ATime() { return Check("a time", "2026-11-26T09:00:00Z", IsTime); }

CLI::Validator ATimeBack() {
  return Check("a time back from now, or a time", "7d or 2026-11-26T09:00:00Z",
               [](const std::string& value) { return ParseDuration(value).ok() || IsTime(value); });
}

}  // namespace sallyport::controlplane
