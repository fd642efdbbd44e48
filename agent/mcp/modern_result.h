#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "agent/mcp/capabilities.h"
#include "agent/mcp/client_capabilities.h"
#include "agent/mcp/message.h"
#include "agent/mcp/methods.h"

namespace sallyport::agent {

// What the client of a modern request is shown of its result.
struct ModernResultTerms {
  // server/discover: what policy lets the client use.
  ServerTerms server;
  // Whether policy lets the client be asked for this.
  absl::FunctionRef<bool(ServerRequestKind)> may_be_asked;
  // The client takes a task in place of the result, and its server was told so.
  bool may_be_task = false;
  // The text that stands in for the server's request state; `state` is the literal of a string,
  // empty where the server has none, `asked` the decoded keys of what it asks for. It must need no
  // escape in JSON.
  absl::FunctionRef<std::string(std::string_view state, std::vector<std::string> asked)> seal;
  // No copy may be kept for longer than the session lives.
  std::int64_t max_ttl_ms = 0;
};

struct ModernResult {
  UpstreamMessage message;
  // The client is to come again with the same call and what it was asked for.
  bool is_input_required = false;
  // resultType "task": decoded taskId of what it became.
  std::string task_id;
  // tasks/get: the task has come to its end.
  bool is_task_over = false;
  // Of a task: the decoded keys of what it asks its client for.
  std::vector<std::string> asked = {};
};

// Whether a request of that method may be answered with input_required.
bool MayAskForInput(std::string_view method);

// The response to a modern `request` as its client shall see it. A server's request state is
// sealed, and added where an input_required result has none, so that the retry can be told from a
// new call; beside any other result type what asks for input goes, and the state with it. Results
// that may be kept are private to the caller and kept for no longer than its session;
// server/discover offers what we serve and policy allows. Errors pass unchanged.
// policy_denied when the client would be asked for what it may not be asked for, as NotDeclared
// where it has not declared that; upstream_invalid when the result is none.
absl::StatusOr<ModernResult> NarrowModernResult(UpstreamMessage response,
                                                const ClientMessage& request,
                                                const ModernResultTerms& terms);

// Whether a server's `notification` of a task may be told under this policy, for it brings what the
// task asks for: policy_denied and upstream_invalid as above.
absl::Status CheckTaskNews(const UpstreamMessage& notification,
                           absl::FunctionRef<bool(ServerRequestKind)> may_be_asked);
// Whether a client that declares this may be told it.
absl::Status CheckDeclaredForNews(const UpstreamMessage& notification,
                                  const ClientCapabilities& declared);
// The same for the inputRequests of a task of our own.
absl::Status CheckDeclaredForInputs(std::string_view input_requests,
                                    const ClientCapabilities& declared);

// The decoded keys of what a server's notification of a task (notifications/tasks) asks for. None
// where it is no such notification.
std::vector<std::string> AskedInTaskNews(const UpstreamMessage& notification);

}  // namespace sallyport::agent
