#include "controlplane/model/named_principal.h"

#include "absl/strings/str_cat.h"
#include "common/strings.h"

namespace sallyport::controlplane {

absl::StatusOr<NamedPrincipal> ParseNamedPrincipal(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == 0 || colon == std::string_view::npos || colon + 1 == text.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("principal \"", ToAbsl(text),
                     "\": expected REALM:NAME, the name being a subject or a client id"));
  }
  return NamedPrincipal{.realm = std::string(text.substr(0, colon)),
                        .name = std::string(text.substr(colon + 1))};
}

}  // namespace sallyport::controlplane
