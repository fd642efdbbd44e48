#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "sallyport/admin/v1/policy_service.pb.h"

namespace sallyport::controlplane {

// What `-f` names: files, standard input (`-`), or the .yaml and .yml files of a folder in the
// order of their names. PolicyTests among them are passed over, and said on stderr. kNotFound where
// nothing is left, kInvalidArgument with its place for what is not UTF-8, kResourceExhausted for
// more than one request takes.
absl::StatusOr<google::protobuf::RepeatedPtrField<admin::v1::SourceFile>> ReadSourceFiles(
    const std::vector<std::string>& paths);

// What `policy test` runs: the files, and of the .yaml and .yml files of a folder those that are
// PolicyTests, in the order of their names. kNotFound for a folder without one; a file in it that
// cannot be read is an error, for it may have been one.
absl::StatusOr<std::vector<std::string>> PolicyTestFiles(const std::vector<std::string>& paths);

}  // namespace sallyport::controlplane
