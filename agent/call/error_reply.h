#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "agent/call/reply.h"
#include "agent/mcp/message.h"

// The one translator from a denial to what the client reads. Who may be told what is settled here:
// the record and the log carry the true reason, the reply may say less.
namespace sallyport::agent {

// Where a client is told to look for an authorization server.
struct Challenge {
  std::string resource_metadata_url;
  // SCOPE_MISSING: all scopes that the nearest policy entry asks for. Of a token: those that nobody
  // gets in without.
  std::vector<std::string> scopes;
};

// A refusal that HTTP alone can say: before there is a session (401 with the challenge, 403, 404,
// 503), or in place of an MCP session that is no more (404). The body is {"reason", "message",
// "sessionId"?}.
OwnAnswer HttpRefusal(const absl::Status& why, const Challenge& challenge,
                      std::string_view session_id = {});

// The 404 that a server gets which does not exist, and one which this principal has no right to
// know of. `server` is what was asked for.
OwnAnswer UnknownServer(std::string_view server);

// A message that could not be read: 400 with a JSON-RPC error, 413 where it was its size, 200 where
// it is told for which request, the literal `id`.
OwnAnswer UnreadableMessage(const absl::Status& why, int rpc_code, std::string_view id = {});

// What a refused request gets beside its reason.
struct RefusalDetails {
  // Not 0: the JSON-RPC code, where the reason's own would say too little.
  int rpc_code = 0;
  // The caller is not to know that there is such a tool, prompt, resource or method.
  bool is_hidden = false;
  // The policy document that decided.
  std::string policy;
  // APPROVAL_PENDING, SESSION_PENDING: what to wait for.
  std::string approval_id;
  std::vector<std::string> approvers;
  std::string expires_at;
  std::string session_id;
  // Not empty: a modern client is to come again with it, in place of being refused.
  std::string request_state;
  // A modern client may come again with the request state that it has.
  bool is_round_open = false;
  // When to come again at the earliest.
  std::string retry_at;
};

// The answer to an identified request: a tools/call result with isError where the model should read
// it, else a JSON-RPC error.
UpstreamMessage RefuseRequest(const ClientMessage& request, const absl::Status& why,
                              const RefusalDetails& details = {});

// The same as a complete answer, to a message that has come before its session.
OwnAnswer RefuseOpening(const ClientMessage& request, const absl::Status& why,
                        const RefusalDetails& details = {});

}  // namespace sallyport::agent
