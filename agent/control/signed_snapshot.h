#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "sallyport/agent/v1/snapshot_service.pb.h"

namespace sallyport::agent {

// The snapshot in it, when its signature is by the control plane: ES256 over its exact bytes, by a
// key whose certificate leads to `ca` (PEM) now and whose one URI name is the control plane's.
// kUnauthenticated otherwise.
absl::StatusOr<v1::Snapshot> VerifySnapshot(const v1::SignedSnapshot& signed_snapshot,
                                            std::string_view ca, absl::Time now);

}  // namespace sallyport::agent
