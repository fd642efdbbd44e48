#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/policy/documents.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "sallyport/admin/v1/policy_service.pb.h"
#include "sallyport/types/v1/policy.pb.h"

namespace sallyport::controlplane {

// A document, and the file that it stands in.
struct ParsedDocument {
  std::string file;
  types::v1::Document document;

  // As errors name it: `bots.yaml: Policy deploy-bots`.
  std::string Where() const;
};

// A request's files, which outlive them, for errors that name places in them.
std::vector<NamedText> TextsOf(
    const google::protobuf::RepeatedPtrField<admin::v1::SourceFile>& files);

// All documents of a request's files, in their order. kInvalidArgument where there is none, where
// one is in two files, and for what ParseDocuments refuses.
absl::StatusOr<std::vector<ParsedDocument>> ParseFiles(
    const google::protobuf::RepeatedPtrField<admin::v1::SourceFile>& files);

}  // namespace sallyport::controlplane
