#pragma once

#include <optional>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "agent/mcp/capabilities.h"
#include "agent/mcp/message.h"

namespace sallyport::agent {

// What a modern server is shown of a client's request.
struct ModernRequestTerms {
  // What policy lets the server ask of the client.
  ClientTerms client;
  // subscriptions/listen: which resources its client may hear of.
  absl::FunctionRef<bool(std::string_view uri)> may_hear_of;
  // The same: whether a task is its client's own.
  absl::FunctionRef<bool(std::string_view id)> has_task;
  // The literal that takes the place of params.requestState; empty: the member is cut. nullopt: it
  // stays as it is.
  std::optional<std::string_view> request_state;
};

// The request as the server shall see it: clientCapabilities without what policy refuses,
// subscriptions without the resources that it refuses and without the tasks of others, the server's
// own request state. Unchanged bytes where nothing had to change. message_invalid when what came
// out is no message.
absl::StatusOr<ClientMessage> NarrowModernRequest(ClientMessage request,
                                                  const ModernRequestTerms& terms);

// Whether all that the request answers (params.inputResponses) is what `was_asked` says of the
// decoded keys.
bool AnswersOnly(const ClientMessage& request,
                 absl::FunctionRef<bool(std::string_view key)> was_asked);

}  // namespace sallyport::agent
