#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "controlplane/store/database.h"
#include "sallyport/types/v1/policy_test_document.pb.h"

// What somebody who asks about a call may have mistyped.
namespace sallyport::controlplane {

// kInvalidArgument, with what is missing or with the words there are, for what describes no call.
absl::Status CheckCall(const types::v1::PolicyTestCall& call);

// Names of the call that nobody has spoken of, a sentence each with those that are like it: a
// server that no agent fronts, a tool that its server has not listed, a method that is none of
// MCP's.
absl::StatusOr<std::vector<std::string>> CallWarnings(Transaction& t,
                                                      const types::v1::PolicyTestCall& call);

}  // namespace sallyport::controlplane
