#include "common/policy/regex.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/strings.h"

namespace sallyport {

absl::StatusOr<std::unique_ptr<re2::RE2>> CompileRegex(std::string_view pattern) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(1 << 20);
  auto regex =
      std::make_unique<re2::RE2>(re2::StringPiece(pattern.data(), pattern.size()), options);
  if (!regex->ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", ToAbsl(pattern), "\" is no pattern that RE2 takes: ", regex->error()));
  }
  return regex;
}

}  // namespace sallyport
