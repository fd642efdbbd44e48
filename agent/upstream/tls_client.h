#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "agent/loop/tls_session.h"

namespace sallyport::agent {

// A context that verifies servers with TLS 1.2 or newer, against `ca_file`, or the system's
// certificates when it is empty.
absl::StatusOr<TlsContext> MakeTlsClient(const std::string& ca_file);

}  // namespace sallyport::agent
