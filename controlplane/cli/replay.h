#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "sallyport/admin/v1/session_service.pb.h"
#include "sallyport/types/v1/record.pb.h"

// A record as people and scripts read it, and the way back from a saved replay.
namespace sallyport::controlplane {

// What happened, in a line or two, with the masked message under it. Safe for a terminal.
std::string RecordText(const types::v1::Record& record);

// One line of JSON: the record, with what its payload says decoded beside it as `content` and
// `body`.
std::string RecordJson(const types::v1::Record& record);

// Checks the chain of a file that `sessions replay -o json` wrote, without asking anybody.
// kInvalidArgument when it is no such file. Whether the session had to end is not in the file, so a
// recording without an END record is valid here, and `reason` says that it is open.
absl::StatusOr<admin::v1::VerifySessionResponse> VerifyReplay(std::string_view json);

}  // namespace sallyport::controlplane
