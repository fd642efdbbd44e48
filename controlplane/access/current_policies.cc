#include "controlplane/access/current_policies.h"

#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "controlplane/store/documents.h"

namespace sallyport::controlplane {

absl::StatusOr<InForce> CurrentPolicies::In(Transaction& t) {
  ASSIGN_OR_RETURN(const meta::SnapshotVersion version, meta::CurrentSnapshot(t));
  {
    absl::MutexLock lock(&mutex_);
    if (compiled_ != nullptr && version_ == version) return InForce{version, compiled_};
  }
  ASSIGN_OR_RETURN(const std::vector<types::v1::Document> documents, documents::All(t));
  ASSIGN_OR_RETURN(std::shared_ptr<const CompiledPolicies> compiled,
                   CompiledPolicies::Compile(documents));
  absl::MutexLock lock(&mutex_);
  version_ = version;
  compiled_ = compiled;
  return InForce{version, std::move(compiled)};
}

}  // namespace sallyport::controlplane
