#pragma once

#include <grpcpp/support/status.h>

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace sallyport::controlplane {

// What a call to the control plane at `address` came to, as a person reads it: what failed, named
// by its cause (the name, the port, the certificate, the token, the role), and what to do next. Its
// DenialReason is kept. `status` must not be ok.
absl::Status ExplainFailure(const grpc::Status& status, std::string_view address);

}  // namespace sallyport::controlplane
