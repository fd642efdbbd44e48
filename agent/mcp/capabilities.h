#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "agent/mcp/message.h"

// What each side declares that it can do: neither side is told of what would then be refused.
// Members that we do not know stay.
namespace sallyport::agent {

// What policy lets the server ask of the client.
struct ClientTerms {
  bool sampling = false;
  bool elicitation = false;
  bool roots = false;
  // The tasks extension of the modern era, with which a server answers a call by a task.
  bool task_extension = false;

  bool allows_all() const { return sampling && elicitation && roots && task_extension; }
};

// What policy lets the client use at least one of.
struct ServerTerms {
  bool tools = false;
  bool resources = false;
  bool subscriptions = false;
  bool prompts = false;
  bool completions = false;
  bool logging = false;
  bool tasks = false;
  bool task_list = false;
  bool task_cancel = false;
  bool task_extension = false;
  // Calls may be answered by a task of our own, whatever the server knows of tasks.
  bool makes_tasks = false;
};

// The name of the tasks extension among the extensions that either side of the modern era declares.
inline constexpr std::string_view kTaskExtension = "io.modelcontextprotocol/tasks";

// The client's declaration of a thing that the server would only be refused.
bool IsTakenFromClient(std::string_view capability, const ClientTerms& terms);
// The server's, of what the client would be.
bool IsTakenFromServer(std::string_view capability, const ServerTerms& terms);

// The initialize request as the server shall see it: protocolVersion the one we negotiate,
// capabilities without what `terms` refuse, and without tasks for it. Unchanged bytes where nothing
// had to change. message_invalid when it is no proper initialize.
absl::StatusOr<ClientMessage> NarrowInitialize(ClientMessage request, const ClientTerms& terms);

// The result as the client shall see it: without what `terms` refuse. `negotiated` receives the
// server's version. Error responses pass unchanged. upstream_invalid when it is no proper result,
// version_unsupported when the server answers with a version that we do not serve.
absl::StatusOr<UpstreamMessage> NarrowInitializeResult(UpstreamMessage response,
                                                       const ServerTerms& terms,
                                                       std::string& negotiated);

// Whether a server that answered initialize so has tasks, those of 2025-11-25.
bool HasTasks(const UpstreamMessage& initialized);

// The protocolVersion of an initialize result, if it may stand in a header field; else empty.
std::string NegotiatedVersion(const UpstreamMessage& response);

}  // namespace sallyport::agent
