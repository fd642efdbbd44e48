#include "common/refused_recording.h"

#include "absl/strings/cord.h"
#include "sallyport/agent/v1/recording_service.pb.h"

namespace sallyport {

absl::Status RefuseRecording(absl::Status why, std::string_view session_id) {
  agent::v1::RefusedRecording refused;
  refused.set_session_id(std::string(session_id));
  why.SetPayload(kRefusedRecordingType, absl::Cord(refused.SerializeAsString()));
  return why;
}

std::string RefusedRecordingIn(const absl::Status& status) {
  const auto payload = status.GetPayload(kRefusedRecordingType);
  agent::v1::RefusedRecording refused;
  if (!payload.has_value() || !refused.ParseFromString(std::string(*payload))) return {};
  return refused.session_id();
}

}  // namespace sallyport
