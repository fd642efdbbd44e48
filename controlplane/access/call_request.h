#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "controlplane/model/session.h"
#include "sallyport/types/v1/call.pb.h"

// What an agent says of a call, before anything is decided about it.
namespace sallyport::controlplane {

// kInvalidArgument, naming the field, for what no agent of ours would send.
absl::Status CheckCallName(std::string_view method, std::string_view target);
// 64 hex digits.
absl::Status CheckDigest(std::string_view field, std::string_view digest);
// What a person can be asked to read: at most 1 MiB.
absl::Status CheckShown(std::string_view field, std::string_view shown);

// A call of the session, without a state.
types::v1::Call CallOf(const Session& session, std::string_view call_id, std::string_view method,
                       std::string_view target);

}  // namespace sallyport::controlplane
