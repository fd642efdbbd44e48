#include "agent/call/check_grant.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/call/authenticate.h"
#include "agent/call/check_named.h"
#include "agent/call/end_session.h"
#include "agent/call/shown.h"
#include "agent/mcp/dialect.h"
#include "common/denial.h"
#include "common/log.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

using types::v1::DenialReason;

OwnAnswer Refuse(Gateway& gateway, const AuthenticatedCall& call, DenialReason reason,
                 std::string_view message, std::string_view session_id = {}) {
  RecordDenial(gateway, call.incoming, call.caller.get(), reason, {}, message);
  return HttpRefusal(Denied(reason, message), Challenge{}, session_id);
}

// The same for an id that never was and for somebody else's.
OwnAnswer NoSuchSession(Gateway& gateway, const AuthenticatedCall& call) {
  return Refuse(gateway, call, types::v1::DENIAL_REASON_SESSION_ENDED,
                "there is no such MCP session; initialize again");
}

// What its client can do. To initialize again is of no use while that would be refused.
std::string WhatHelps(Gateway& gateway, const AuthenticatedCall& call,
                      const EndedMcpSession& ended) {
  if (!gateway.snapshots.refusal().ok()) {
    return "this agent may serve nobody any more: ask an administrator, or go to another agent of "
           "the server";
  }
  const auto snapshot = gateway.snapshots.current();
  const std::string_view lock =
      snapshot == nullptr
          ? std::string_view()
          : snapshot->policies()->LockOn(*call.caller->principal, call.incoming.server,
                                         gateway.agent, gateway.clock.Now());
  if (!lock.empty()) {
    return absl::StrCat(
        "the lock ", ToAbsl(lock),
        " keeps you out: ask an administrator, and initialize again once it is gone");
  }
  if (ended.is_used_up) {
    return "no session has calls again before the max_duration that they count for is over: "
           "initialize again after that, and the answer says when it is";
  }
  if (!gateway.snapshots.is_connected()) {
    return "the control plane is away: initialize again once it is back";
  }
  return "initialize again";
}

OwnAnswer EndedSession(Gateway& gateway, const AuthenticatedCall& call) {
  const EndedMcpSession* ended = gateway.sessions.FindEnded(*call.incoming.mcp_session_id);
  if (ended == nullptr || ended->principal_key != call.caller->key ||
      ended->server != call.incoming.server) {
    return NoSuchSession(gateway, call);
  }
  return Refuse(gateway, call, ended->reason,
                absl::StrCat("the session has ended: ", ToAbsl(ended->detail), "; ",
                             WhatHelps(gateway, call, *ended)),
                ended->session_id);
}

OwnAnswer RefuseUnnamed(Gateway& gateway, const AuthenticatedCall& call,
                        const OpenRefusal& refusal) {
  const DenialReason reason = ReasonOf(refusal.why);
  RecordDenial(gateway, call.incoming, call.caller.get(), reason, {}, ToStd(refusal.why.message()));
  if (reason == types::v1::DENIAL_REASON_SERVER_UNKNOWN) return UnknownServer(call.incoming.server);
  return HttpRefusal(refusal.why,
                     Challenge{gateway.MetadataUrl(call.incoming.server), refusal.required_scopes},
                     refusal.details.session_id);
}

Task<void> Renew(Gateway& gateway, std::string session_id, std::string token,
                 std::string resource) {
  const auto renewed =
      co_await gateway.session_client.Renew(session_id, std::move(token), std::move(resource));
  if (!renewed.ok())
    LogWarning("renew_failed", {{"session", session_id}, {"error", renewed.status()}});
}

}  // namespace

void TakeToken(Gateway& gateway, ServedSession& session, const AuthenticatedCall& call) {
  const bool is_newer = session.caller != nullptr &&
                        session.caller->token_id != call.caller->token_id &&
                        call.caller->expires_at > session.token_expires_at();
  if (session.lasting_caller == nullptr || call.caller->expires_at > session.token_expires_at()) {
    session.lasting_caller = call.caller;
  }
  session.caller = call.caller;
  if (is_newer) {
    gateway.loop.Spawn(Renew(gateway, session.id(), std::string(BearerToken(call.incoming)),
                             gateway.ResourceUri(call.incoming.server)));
  }
}

std::variant<GrantedCall, OwnAnswer> CheckGrant(Gateway& gateway, AuthenticatedCall call) {
  if (!call.incoming.mcp_session_id) {
    return Refuse(gateway, call, types::v1::DENIAL_REASON_MESSAGE_INVALID,
                  "the Mcp-Session-Id header of the initialize response is missing");
  }
  const SessionTable::Place place = gateway.sessions.FindConnection(*call.incoming.mcp_session_id);
  if (place.session == nullptr) return EndedSession(gateway, call);
  ServedSession& session = *place.session;
  if (session.principal_key() != call.caller->key ||
      session.facts().server != call.incoming.server) {
    return NoSuchSession(gateway, call);
  }
  if (!session.facts().client_address.empty() &&
      session.facts().client_address != call.incoming.client_address) {
    return Refuse(gateway, call, types::v1::DENIAL_REASON_CLIENT_MISMATCH,
                  "the session is bound to the address it was opened from", session.id());
  }
  if (EndIfDue(gateway, session)) return EndedSession(gateway, call);
  if (!IsVersionHeaderAccepted(call.incoming.protocol_version)) {
    return Refuse(gateway, call, types::v1::DENIAL_REASON_VERSION_UNSUPPORTED,
                  "MCP-Protocol-Version names no version that is served here");
  }
  const auto named = CheckNamed(gateway, session, call, Era::kLegacy);
  if (const auto* refusal = std::get_if<OpenRefusal>(&named)) {
    return RefuseUnnamed(gateway, call, *refusal);
  }
  session.live().Touch();
  if (session.caller != call.caller) TakeToken(gateway, session, call);
  Reply* reply = call.incoming.reply;
  return GrantedCall{std::make_shared<const AuthenticatedCall>(std::move(call)), reply,
                     Held<ServedSession>(session), Held<McpConnection>(*place.connection)};
}

}  // namespace sallyport::agent
