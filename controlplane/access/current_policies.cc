#include "controlplane/access/current_policies.h"

#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "controlplane/store/documents.h"

namespace sallyport::controlplane {

absl::StatusOr<InForce> CurrentPolicies::In(Transaction& t) {
  ASSIGN_OR_RETURN(const meta::SnapshotVersion version, meta::CurrentSnapshot(t));
  ASSIGN_OR_RETURN(const uint64_t documents_version, meta::DocumentsVersion(t));
  const meta::SnapshotVersion documents{version.epoch, documents_version};
  {
    absl::MutexLock lock(&mutex_);
    if (compiled_ != nullptr && version_ == documents)
      return InForce{version, documents.version, compiled_};
  }
  ASSIGN_OR_RETURN(const std::vector<types::v1::Document> all, documents::All(t));
  ASSIGN_OR_RETURN(std::shared_ptr<const CompiledPolicies> compiled,
                   CompiledPolicies::Compile(all));
  absl::MutexLock lock(&mutex_);
  version_ = documents;
  compiled_ = compiled;
  return InForce{version, documents_version, std::move(compiled)};
}

}  // namespace sallyport::controlplane
