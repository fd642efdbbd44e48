#pragma once

#include <google/protobuf/message.h>

#include "absl/status/status.h"

namespace sallyport::controlplane {

// Whether the control plane could read the request at all: it answers what it cannot read without a
// word. kInvalidArgument, naming the field, for a text that is not UTF-8; kResourceExhausted for
// more than one request may hold.
absl::Status CheckRequest(const google::protobuf::Message& request);

}  // namespace sallyport::controlplane
