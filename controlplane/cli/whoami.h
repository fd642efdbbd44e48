#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "controlplane/cli/cli.h"
#include "sallyport/admin/v1/caller_service.pb.h"

namespace sallyport::controlplane {

// Asks the control plane whom it takes the caller for.
absl::StatusOr<admin::v1::GetCallerResponse> AskCaller(const ClientOptions& options);

// Prints that.
void ShowCaller(const admin::v1::GetCallerResponse& caller, std::string_view format);

}  // namespace sallyport::controlplane
