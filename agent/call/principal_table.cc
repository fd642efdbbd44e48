#include "agent/call/principal_table.h"

#include <utility>

#include "common/sparse_table.h"

namespace sallyport::agent {

std::shared_ptr<const types::v1::Principal> PrincipalTable::Share(types::v1::Principal principal) {
  std::weak_ptr<const types::v1::Principal>& kept = principals_[principal.SerializeAsString()];
  std::shared_ptr<const types::v1::Principal> shared = kept.lock();
  if (shared == nullptr) {
    shared = std::make_shared<const types::v1::Principal>(std::move(principal));
    kept = shared;
  }
  return shared;
}

void PrincipalTable::Sweep() {
  EraseAndShrink(principals_, [](const auto& entry) { return entry.second.expired(); });
}

}  // namespace sallyport::agent
