#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "sallyport/admin/v1/policy_service.pb.h"

// Which version of a document somebody has seen before he changed it, so that apply can refuse to
// undo what somebody else did meanwhile.
namespace sallyport::controlplane {

// The comment that `get` prints above a document: apply reads it, and a person too.
std::string SeenLine(const types::v1::Document& document);

// Takes such lines out of a file's text (an empty line stays in their place, so that errors still
// name the right one) and adds what they say to `bases`. Above a document they may be indented.
void TakeSeenLines(std::string& text, std::vector<admin::v1::BaseVersion>& bases);

// `policy/deploy-bots=3` or, where `only` names the one document there is, `3`; otherwise null.
// kInvalidArgument.
absl::StatusOr<admin::v1::BaseVersion> ParseBaseVersion(const std::string& text,
                                                        const admin::v1::BaseVersion* only);

}  // namespace sallyport::controlplane
