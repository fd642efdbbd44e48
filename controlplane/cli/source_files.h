#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "sallyport/admin/v1/policy_service.pb.h"

namespace sallyport::controlplane {

// What `-f` names: files, standard input (`-`), or the .yaml and .yml files of a folder in the
// order of their names. PolicyTests among them are passed over, and said on stderr. kNotFound where
// nothing is left.
absl::StatusOr<google::protobuf::RepeatedPtrField<admin::v1::SourceFile>> ReadSourceFiles(
    const std::vector<std::string>& paths);

}  // namespace sallyport::controlplane
