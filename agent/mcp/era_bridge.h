#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/mcp/message.h"

// A legacy session before a server that knows the modern era alone, message by message: each
// function gives what a message of one era is in the other. Bytes that mean the same in both stay
// as they are.
namespace sallyport::agent {

// Whether the answer to an initialize may be that of a server of the modern era: an error that says
// that it does not know the method or the version, or misses what its era asks for.
bool IsRefusalOfInitialize(const UpstreamMessage& response);

// What a legacy session has agreed on, which the modern era says in each request.
struct BridgedClient {
  // clientInfo and capabilities of the initialize, as they stand there.
  std::string info;
  std::string capabilities;
  // Of the last logging/setLevel; empty: none, and then a modern server logs nothing.
  std::string log_level;
};
// message_invalid when it is no proper initialize.
absl::StatusOr<BridgedClient> ReadBridgedClient(const ClientMessage& initialize);

// The level that a logging/setLevel asks for; nullopt when it names none that MCP has.
std::optional<std::string> ReadLogLevel(const ClientMessage& request);

// What an input_required result has collected by now.
struct CollectedInput {
  // The object for params.inputResponses; empty: the server asked for none.
  std::string responses;
  // The literal for params.requestState; empty: it gave none.
  std::string state;
  // The literal of the retry's id.
  std::string id;
};

// A client's request as a modern server takes it: with the envelope, and with `input` where it goes
// out again. message_invalid when params or _meta is no object.
absl::StatusOr<ClientMessage> ToModern(const ClientMessage& request, const BridgedClient& client,
                                       const CollectedInput* input = nullptr);

// server/discover in the client's name, for its initialize.
absl::StatusOr<ClientMessage> ToDiscover(const ClientMessage& initialize,
                                         const BridgedClient& client);

// What a server offers to tell of by itself.
struct Announced {
  bool tools = false;
  bool prompts = false;
  bool resources = false;
  bool any() const { return tools || prompts || resources; }
};
// The result of server/discover as that of the client's initialize. upstream_invalid when it is
// none.
absl::StatusOr<UpstreamMessage> ToInitializeResult(const UpstreamMessage& discovered,
                                                   const ClientMessage& initialize,
                                                   Announced& announced);

// subscriptions/listen for what is announced and for the resources of `uris`, literals of strings.
absl::StatusOr<ClientMessage> ToListen(std::string_view id, const BridgedClient& client,
                                       const Announced& announced,
                                       const std::vector<std::string>& uris);

// One thing that a server wants of the client before it goes on.
struct InputRequest {
  // The literal of its name among the others.
  std::string key;
  // "method":...,"params":... as a server's request has them.
  std::string members;
};
struct BridgedResponse {
  // For the client, unless input is required.
  UpstreamMessage message;
  bool is_input_required = false;
  std::vector<InputRequest> inputs;
  // The literal; empty: none.
  std::string state;
};
// A response to `request`, whose id it gets. upstream_invalid when it is none that a legacy client
// could be told of.
absl::StatusOr<BridgedResponse> FromModern(UpstreamMessage response, const ClientMessage& request);

// A notification as a legacy client takes it; nullopt: it has no use for it.
std::optional<UpstreamMessage> FromModern(UpstreamMessage notification);

// A server's request of its own for what it wants.
absl::StatusOr<UpstreamMessage> ToServerRequest(const InputRequest& input, std::string_view id);

// The result or the error of a client's answer, as it stands there.
struct ClientAnswer {
  bool is_error = false;
  std::string body;
};
ClientAnswer ReadAnswer(const ClientMessage& answer);

// The response to `request` with the error object `error`.
UpstreamMessage FailedBy(const ClientMessage& request, std::string_view error);

}  // namespace sallyport::agent
