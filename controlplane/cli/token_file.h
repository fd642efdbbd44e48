#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace sallyport::controlplane {

// What `sallyport login` keeps: one token for each control plane, in a file of mode 0600,
// $XDG_CONFIG_HOME/sallyport/tokens.json or ~/.config/sallyport/tokens.json.

// kFailedPrecondition when there is no home to keep it in.
absl::Status KeepToken(std::string_view address, std::string_view token, absl::Time expires);

// $SALLYPORT_TOKEN, else the kept token for this address. kUnauthenticated, saying what to do, when
// there is none or it has expired.
absl::StatusOr<std::string> BearerToken(std::string_view address);

}  // namespace sallyport::controlplane
