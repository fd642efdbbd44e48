#pragma once

#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "sallyport/types/v1/principal.pb.h"

namespace sallyport::agent {

// The principals that tokens name: one object for all that are alike, so that what policy says of a
// principal holds for its next token too. On the loop's thread.
class PrincipalTable {
 public:
  // Never null.
  std::shared_ptr<const types::v1::Principal> Share(types::v1::Principal principal);
  // Gives back the memory of those that nobody holds any more.
  void Sweep();

 private:
  // By their bytes.
  absl::flat_hash_map<std::string, std::weak_ptr<const types::v1::Principal>> principals_;
};

}  // namespace sallyport::agent
