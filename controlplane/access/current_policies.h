#pragma once

#include <cstdint>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/policy/compiled_policies.h"
#include "controlplane/store/database.h"
#include "controlplane/store/meta.h"

namespace sallyport::controlplane {

// One version of the documents, compiled. `policies` is never null.
struct InForce {
  // That of the snapshot, and the one with which the documents changed last.
  meta::SnapshotVersion version;
  uint64_t documents_version = 0;
  std::shared_ptr<const CompiledPolicies> policies;
};

// The documents in force. Compiled once for each version of them. Thread-safe.
class CurrentPolicies {
 public:
  // Exactly those that the transaction sees.
  absl::StatusOr<InForce> In(Transaction& t);

 private:
  absl::Mutex mutex_;
  // An epoch and the documents' version in it.
  meta::SnapshotVersion version_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<const CompiledPolicies> compiled_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sallyport::controlplane
