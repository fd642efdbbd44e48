#pragma once

#include <string>

#include "sallyport/types/v1/principal.pb.h"

namespace sallyport::controlplane {

// A person by who it is, a service by what policies call it: `sessions end --principal` takes both.
std::string PrincipalText(const types::v1::Principal& principal);

// `team=pay level=3,4`: each value as JSON has it.
std::string ClaimsText(const types::v1::Principal& principal);

}  // namespace sallyport::controlplane
