#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace sallyport {

// The payload of a status that refuses one recording for good: a serialized
// agent.v1.RefusedRecording. ToGrpcStatus and FromGrpcStatus carry it over.
inline constexpr char kRefusedRecordingType[] =
    "type.googleapis.com/sallyport.agent.v1.RefusedRecording";

// `why`, which must not be ok, as a refusal for good of that session's or agent's own recording:
// whatever of it is sent again is refused again, and no other recording needs to wait for it.
absl::Status RefuseRecording(absl::Status why, std::string_view session_id);

// The recording that `status` refuses for good. Empty: it says nothing of the kind, and what was
// refused may be taken another time.
std::string RefusedRecordingIn(const absl::Status& status);

}  // namespace sallyport
