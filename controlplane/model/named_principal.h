#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace sallyport::controlplane {

// A principal as people write it: REALM:NAME.
struct NamedPrincipal {
  std::string realm;
  std::string name;  // a subject or a client id
};

// kInvalidArgument where it is not of that form. A subject may hold colons, a realm none.
absl::StatusOr<NamedPrincipal> ParseNamedPrincipal(std::string_view text);

}  // namespace sallyport::controlplane
