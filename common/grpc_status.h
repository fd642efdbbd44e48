#pragma once

#include <grpcpp/support/status.h>

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace sallyport {

// `message` (UTF-8) if peers take so much, or else without its middle, for an error about a long
// word says what is wrong with it at the end.
std::string DeliverableMessage(std::string_view message);

// The one translator between our errors and gRPC's. Code and message (see DeliverableMessage) go
// over as they are; a denial reason goes in the status details as gRPC's richer error model has it
// (google.rpc.Status with one google.rpc.ErrorInfo: `reason` the glossary's word, `domain`
// "sallyport"), so that clients in any language can read it. A refusal of one recording for good
// (refused_recording.h) is a detail of its own type beside it.
grpc::Status ToGrpcStatus(const absl::Status& status);

// Details that do not parse, are of another domain or name no reason we know are dropped; the code
// and the message stay. gRPC passes no details of a refusal before the message is read, so the
// reason's word stands in front there (`locked: agent a is banned`): it is taken off, and is the
// reason.
absl::Status FromGrpcStatus(const grpc::Status& status);

}  // namespace sallyport
