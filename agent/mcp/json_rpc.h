#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/mcp/message.h"

// Messages of our own. To a client they are UpstreamMessages and take the way of the server's:
// masked, recorded, then written. `id` and `token` are JSON literals as scanned messages hold them.
// `*_json` must be valid JSON; other texts may be anything and are escaped (invalid UTF-8 becomes
// U+FFFD).
namespace sallyport::agent {

namespace rpc_code {
inline constexpr int kParseError = -32700;
inline constexpr int kInvalidRequest = -32600;
inline constexpr int kMethodNotFound = -32601;
inline constexpr int kInvalidParams = -32602;
inline constexpr int kHeaderMismatch = -32020;
inline constexpr int kMissingCapability = -32021;
inline constexpr int kUnsupportedVersion = -32022;
// URL elicitation required (2025-11-25 alone).
inline constexpr int kAddressRequired = -32042;
inline constexpr int kPolicyDenied = 40301;
inline constexpr int kSessionEnded = 40302;
inline constexpr int kSessionPending = 40303;
inline constexpr int kSessionRequired = 40304;
inline constexpr int kRefused = 40305;
}  // namespace rpc_code

// An empty id is written as null.
UpstreamMessage ErrorResponse(std::string_view id, int code, std::string_view message,
                              std::string_view data_json = {});
// A tools/call result with isError and one text item. `meta_json`: the object for _meta.
UpstreamMessage ToolErrorResult(std::string_view id, Era era, std::string_view text,
                                std::string_view meta_json = {});
UpstreamMessage ResultResponse(std::string_view id, std::string_view result_json = "{}");
UpstreamMessage ProgressNotification(std::string_view token, double progress,
                                     std::string_view message);
UpstreamMessage ServerNotification(std::string_view method, std::string_view params_json = {});

// A request of our own to the server, scanned. `params_json` is an object.
ClientMessage OwnRequest(std::string_view id, std::string_view method,
                         std::string_view params_json);

// For the server: our refusal of a request it made, the end of a request a client no longer waits
// for, the answer to its ping.
ClientMessage ErrorAnswer(std::string_view id, int code, std::string_view message);
ClientMessage ResultAnswer(std::string_view id, std::string_view result_json = "{}");
ClientMessage CancelledNotification(std::string_view request_id, std::string_view reason);

// The same response with another id, a literal. Empty: it is no response that the scan accepts.
std::string WithId(std::string_view response, std::string_view id);

}  // namespace sallyport::agent
