#include "agent/call/begin_session.h"

#include <openssl/crypto.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/call/gateway.h"
#include "agent/mask/credential_echo.h"
#include "agent/session/session_key.h"
#include "common/denial.h"
#include "common/hmac.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

using types::v1::DENIAL_REASON_SESSION_ENDED;

// To ask for a server that somebody else starts costs next to nothing.
constexpr absl::Duration kReachAgain = absl::Seconds(1);

// A key of the session's own that survives a restart of the agent.
std::string DeriveKey(const std::string& secret, std::string_view purpose,
                      const std::string& session_id) {
  return HmacSha256(secret, absl::StrCat(ToAbsl(purpose), ":", session_id));
}

// What the server is sent, and what finds it when the server says it back.
struct HeldCredentials {
  std::shared_ptr<const Credentials> values;
  std::shared_ptr<const CredentialEcho> echo;
};

absl::StatusOr<HeldCredentials> ReadCredentials(Gateway& gateway, const std::string& server) {
  if (!gateway.upstreams.Has(server)) {
    return Denied(types::v1::DENIAL_REASON_SERVER_UNKNOWN,
                  "the grant is for a server that is not here");
  }
  auto credentials = gateway.upstreams.ReadCredentials(server);
  if (!credentials.ok()) {
    LogError("credentials_unreadable", {{"server", server}, {"error", credentials.status()}});
    return Denied(types::v1::DENIAL_REASON_UPSTREAM_LOST,
                  "the server's credentials cannot be read");
  }
  std::vector<std::string> secrets;
  for (const Credentials::Value& value : (*credentials)->values()) secrets.push_back(value.secret);
  auto echo = CredentialEcho::Create(secrets);
  for (std::string& secret : secrets) OPENSSL_cleanse(secret.data(), secret.size());
  if (!echo.ok()) {
    LogError("credentials_unusable", {{"server", server}, {"error", echo.status()}});
    return Denied(types::v1::DENIAL_REASON_MASKER_BLOCKED,
                  "the server's credentials cannot be masked");
  }
  return HeldCredentials{*std::move(credentials), *std::move(echo)};
}

SessionFacts FactsOf(const GrantClaims& claims, const types::v1::Grant& grant,
                     const types::v1::Session& told) {
  SessionFacts facts;
  facts.id = claims.session_id;
  facts.server = claims.server;
  facts.principal = claims.principal;
  facts.client_address = claims.client_address;
  facts.terms = claims.terms;
  facts.break_glass = claims.break_glass;
  facts.call_budget = claims.call_budget;
  facts.expires_at = claims.expires_at;
  facts.remaining =
      absl::Seconds(grant.remaining().seconds()) + absl::Nanoseconds(grant.remaining().nanos());
  facts.approval_id = told.approval_id();
  facts.approved_by.assign(told.approved_by().begin(), told.approved_by().end());
  facts.calls = told.calls();
  return facts;
}

// The chain that the last run of the agent left open for it, or a new one.
std::unique_ptr<RecordingChain> TakeChain(Gateway& gateway, const std::string& session_id) {
  auto left = gateway.openings.open_chains.extract(session_id);
  return left ? std::move(left.mapped()) : gateway.recorder.StartChain(session_id);
}

std::unique_ptr<ServedSession> Make(Gateway& gateway, SessionFacts facts,
                                    HeldCredentials credentials) {
  std::string key = SessionKey(PrincipalKey(facts.principal), facts.server);
  std::unique_ptr<RecordingChain> chain = TakeChain(gateway, facts.id);
  // The control plane has not heard yet of those that still wait in the spool.
  facts.calls = std::max(facts.calls, chain->calls());
  auto session = std::make_unique<ServedSession>(gateway.loop, gateway.clock, std::move(facts),
                                                 std::move(key));
  const auto derive = [&](std::string_view purpose) {
    return DeriveKey(gateway.session_secret, purpose, session->id());
  };
  if (!gateway.upstreams.IsChild(session->facts().server))
    session->starts = StartLimit(kReachAgain);
  session->opened_as = gateway.principals.Share(session->facts().principal);
  session->credentials = std::move(credentials.values);
  session->mask.credentials = std::move(credentials.echo);
  session->mask.token_key = derive("mask");
  session->state_key = derive("request_state");
  session->digest_key = derive("arguments");
  session->chain = std::move(chain);
  return session;
}

// Its terms are by policies that the snapshot may not have yet.
bool IsNewer(const GrantClaims& claims, const AgentSnapshot& snapshot) {
  return std::pair(claims.policy_epoch, claims.policy_version) >
         std::pair(snapshot.epoch(), snapshot.version());
}

}  // namespace

void JudgeTerms(ServedSession& session, const AgentSnapshot& snapshot, absl::Time now) {
  const SessionFacts& facts = session.facts();
  const SessionEndByPolicy end =
      snapshot.policies()->EndOf(facts.principal, facts.server, facts.terms, now);
  session.live().EndsByPolicy(end.at, absl::StrCat("the policies in force ", end.why));
}

absl::StatusOr<ServedSession*> BeginSession(Gateway& gateway, const types::v1::Grant& grant,
                                            const types::v1::Session& told) {
  const std::shared_ptr<const AgentSnapshot> snapshot = gateway.snapshots.current();
  if (snapshot == nullptr) {
    return Denied(types::v1::DENIAL_REASON_NO_SNAPSHOT, "the agent has no policies yet");
  }
  ASSIGN_OR_RETURN(const GrantClaims claims,
                   snapshot->grants().Verify(grant.token(), gateway.clock.Now()));
  if (ServedSession* known = gateway.sessions.FindById(claims.session_id)) {
    if (known->live().is_ended()) {
      return Denied(DENIAL_REASON_SESSION_ENDED, known->live().end().detail);
    }
    return known;
  }
  if (gateway.openings.told_ends.contains(claims.session_id)) {
    return Denied(DENIAL_REASON_SESSION_ENDED, "the control plane has ended the session already");
  }
  ASSIGN_OR_RETURN(HeldCredentials credentials, ReadCredentials(gateway, claims.server));
  std::unique_ptr<ServedSession> session =
      Make(gateway, FactsOf(claims, grant, told), std::move(credentials));
  if (session->chain->is_closed()) {
    return Denied(DENIAL_REASON_SESSION_ENDED,
                  "the session is over here, and the control plane will hear so in a moment");
  }
  if (!IsNewer(claims, *snapshot)) JudgeTerms(*session, *snapshot, gateway.clock.Now());
  ++gateway.metrics.sessions_opened;
  LogInfo("session_opened",
          {{"session", session->id()}, {"server", claims.server}, {"principal", claims.principal}});
  return &gateway.sessions.Add(std::move(session));
}

Task<absl::Status> EnsureOpened(Gateway& gateway, Held<ServedSession> session) {
  if (session->chain->n() > 0) co_return absl::OkStatus();
  const SessionFacts& facts = session->facts();
  EventFacts open;
  open.type = types::v1::RECORD_TYPE_OPEN;
  open.principal = &facts.principal;
  open.server = facts.server;
  open.agent = gateway.agent;
  open.client_address = facts.client_address;
  open.approval_id = facts.approval_id;
  open.approved_by = facts.approved_by;
  open.break_glass = facts.break_glass;
  if (const auto snapshot = gateway.snapshots.current()) {
    open.policy_epoch = snapshot->epoch();
    open.policy_version = snapshot->version();
  }
  co_return co_await gateway.recorder.RecordEvent(*session->chain, std::move(open));
}

}  // namespace sallyport::agent
