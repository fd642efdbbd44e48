#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "agent/call/caller.h"
#include "agent/call/counted_operation.h"
#include "agent/call/error_reply.h"
#include "agent/call/held_place.h"
#include "agent/call/limit_place.h"
#include "agent/call/reply.h"
#include "agent/call/request_state.h"
#include "agent/call/served_session.h"
#include "agent/call/session_rules.h"
#include "agent/call/token_table.h"
#include "agent/http/message.h"
#include "agent/mcp/message.h"
#include "agent/session/held.h"
#include "common/policy/decision.h"
#include "sallyport/types/v1/approval.pb.h"

// One call through the agent. A stage is one file and one function; it takes the previous stage's
// type by value and gives the next one, so the types are the proof: whoever holds a RecordedCall
// knows that its token was verified, its session is live, policy and, where needed, a person
// allowed it, and its record is durable.
//
//   IncomingCall -> AuthenticatedCall -> GrantedCall -> JudgedCall
//     -> (AskedCall -> ApprovedCall) -> PermittedCall -> RecordedCall
//
// The message itself is read once and never changed: the stages share it.
namespace sallyport::agent {

// The head of an HTTP request for /{server}/mcp. The views are of the connection, which outlives
// the call.
struct IncomingCall {
  std::string_view server;
  std::optional<std::string_view> authorization;
  std::optional<std::string_view> mcp_session_id;
  std::optional<std::string_view> protocol_version;
  // Without the port.
  std::string_view client_address;
  // All of its header; of the modern era some repeat the body.
  const HttpFields* fields = nullptr;
  // The token of the connection's last request, if this one says it again: the connection's, which
  // is told what is found out about it. Null: nobody remembers.
  KnownToken* remembered = nullptr;
  Reply* reply = nullptr;
};

// The token is valid and names a principal.
struct AuthenticatedCall {
  IncomingCall incoming;
  std::shared_ptr<const Caller> caller;
  // What the call is judged by from here to its end.
  std::shared_ptr<const AgentSnapshot> snapshot;
};

// It belongs to a live session of that principal, and to an MCP session of it.
struct GrantedCall {
  std::shared_ptr<const AuthenticatedCall> authenticated;
  // Where its answer goes: the caller's own, or one that outlives its connection.
  Reply* reply;
  Held<ServedSession> session;
  Held<McpConnection> connection;
  // Set: it is a retry that goes on with an operation (modern era).
  std::shared_ptr<const Continuation> continues = nullptr;
  // Set: what of a subscriptions/listen was left out before its server sees it, as its client is
  // told.
  std::shared_ptr<const std::string> left_out = nullptr;
  // Set: it is of an operation that was counted against max_calls.
  std::shared_ptr<const CountedOperation> counted = nullptr;
};

// What policy said of a call that it did not refuse. The stages share it.
struct Judgement {
  std::shared_ptr<const SessionRules> rules;
  CallDecision decision;
  // The call counts against max_calls.
  bool is_counted = false;
};

// Policy allows it, or asks for a person.
struct JudgedCall {
  GrantedCall granted;
  std::shared_ptr<const ClientMessage> message;
  std::shared_ptr<const Judgement> judgement;
  // A person must approve it first.
  bool needs_approval = false;
};

// The control plane has been asked for its approval, where policy wants one.
struct AskedCall {
  JudgedCall judged;
  // As it stood in the answer. Null: it needs none.
  std::shared_ptr<const types::v1::Approval> approval = nullptr;
  std::string arguments_digest = {};
  // How long its client is kept waiting for the decision.
  absl::Duration hold = absl::ZeroDuration();
  // Taken while nobody has decided.
  HeldPlace place = {};
};

// A person has approved it, where policy wants one, and it is still allowed.
struct ApprovedCall {
  JudgedCall judged;
  // Null: it needs none.
  std::shared_ptr<const types::v1::Approval> approval = nullptr;
  std::string arguments_digest = {};
  LimitPlace place = {};
};

// Nothing stands between it and the server any more but its record.
struct PermittedCall {
  JudgedCall judged;
  // The approval it used up. Empty: it needed none.
  std::string approval_id = {};
  // What the control plane knows it by, which had to let it through. Empty: it had not to.
  std::string call_id = {};
  LimitPlace place = {};
};

// Its record is durable: it may be forwarded, once.
struct RecordedCall {
  GrantedCall granted;
  std::shared_ptr<const Judgement> judgement;
  OutboundMessage outbound;
  std::string approval_id;
  std::string call_id;
  LimitPlace place = {};
};

// What a retry of this call would go on with.
Continuation ContinuationOf(const RecordedCall& call);

// A stage's no: the call as it stood, and why.
struct RefusedCall {
  GrantedCall granted;
  std::shared_ptr<const ClientMessage> message;
  absl::Status why;
  RefusalDetails details;
};

template <class Next>
using Stage = std::variant<Next, RefusedCall>;

}  // namespace sallyport::agent
