#pragma once

#include "absl/status/status.h"
#include "agent/http/message.h"

// What the head of a server's answer says.
namespace sallyport::agent {

// Whether it is one to go on with: a success, and not encoded, as it was asked not to be.
absl::Status CheckSuccess(const HttpResponse& response);

// In another way than it was asked for.
bool IsEncoded(const HttpResponse& response);

// By its Content-Type.
bool IsEventStream(const HttpResponse& response);
bool IsJson(const HttpResponse& response);

}  // namespace sallyport::agent
