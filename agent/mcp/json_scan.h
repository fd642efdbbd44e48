#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/mcp/json_index.h"
#include "agent/mcp/message.h"
#include "sallyport/types/v1/denial.pb.h"

// The one place where bytes from outside become messages. What passes here is one JSON object in
// valid UTF-8, every scalar and escape of it checked, with no member name twice in any object
// (names compared after unescaping, since a server that reads the other twin would see another call
// than policy did), no case twin of a protocol member where a protocol member stands, no lone
// surrogate and no NUL in a name, and it has the shape of exactly one JSON-RPC 2.0 message.
namespace sallyport::agent {

class JsonIndex;

struct ScanLimits {
  std::size_t max_bytes = 16u << 20;
  std::size_t max_depth = 64;
  std::size_t max_keys_per_object = 4096;
  std::size_t max_nodes = 200'000;
  std::size_t max_number_chars = 64;
};

// The bytes may be anything, and are kept as they are. A refusal carries the
// DenialReason message_invalid or message_too_large and a JSON-RPC code, see JsonRpcCodeOf; its
// text names the place, never a value.
absl::StatusOr<ClientMessage> ScanClientMessage(std::string bytes, const ScanLimits& limits = {});

// The same for a server's bytes; a refusal carries upstream_invalid (message_too_large where it was
// the size).
absl::StatusOr<UpstreamMessage> ScanUpstreamMessage(std::string bytes,
                                                    const ScanLimits& limits = {});
// The same for the bytes of `message`, where they stay if they are refused.
absl::Status ReadUpstreamMessage(UpstreamMessage& message, const ScanLimits& limits);
// The bytes that a server's message has been made into; they hold its room.
absl::StatusOr<UpstreamMessage> ScanAgain(std::string bytes, const UpstreamMessage& original);

// Whether `text`, which was refused, was to be a message or a batch of them: it names `jsonrpc`,
// and not only inside of what it quotes, as far as it is JSON.
bool ClaimsToBeMessage(std::string_view text, const ScanLimits& limits);

// Whether `text`, which was refused, is plainly a notification, though not a clean one: the object
// that it is names a method, and neither an id nor a result nor an error. Nobody waits for it.
bool IsUnreadNotification(std::string_view text);

// The index of the text that this thread has scanned last, if it is this very text, byte for byte,
// and a message: who looks into a message right after its scan need not parse it again. Until the
// next scan. Null: parse it.
const JsonIndex* ScannedIndex(std::string_view json);

// Whether `bytes` are JSON as described above, whatever they say; `index` describes them then. A
// refusal carries `invalid`, or message_too_large.
absl::Status JudgeJson(JsonIndex& index, std::string_view bytes, const ScanLimits& limits,
                       types::v1::DenialReason invalid);

// -32700 (not JSON, or not JSON that we accept), -32600 (JSON, but not a message) or -32602 (a
// client's message whose params are not what its method takes) of a refusal by the scans above;
// -32600 for any other status.
int JsonRpcCodeOf(const absl::Status& status);
// The literal of the id of a request that was refused for its params (JSON-RPC 2.0 section 5 wants
// it in the error). Empty: there is none, or it cannot be told.
std::string JsonRpcIdOf(const absl::Status& status);

}  // namespace sallyport::agent
