#include "agent/call/open_session.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/call/authenticate.h"
#include "agent/call/gateway.h"
#include "agent/call/shown.h"
#include "agent/mask/credential_echo.h"
#include "agent/session/session_key.h"
#include "common/denial.h"
#include "common/json_printer.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "common/time_text.h"

namespace sallyport::agent {
namespace {

using types::v1::DENIAL_REASON_CONTROL_PLANE_UNAVAILABLE;
using types::v1::DENIAL_REASON_SESSION_ENDED;
using types::v1::DENIAL_REASON_UNSPECIFIED;

constexpr absl::Duration kRetryOpen = absl::Milliseconds(50);

absl::Time FromProto(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

// A key of the session's own that survives a restart of the agent.
std::string DeriveKey(const std::string& secret, std::string_view purpose,
                      const std::string& session_id) {
  const std::string label = absl::StrCat(ToAbsl(purpose), ":", session_id);
  unsigned char key[32];
  unsigned size = sizeof key;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(label.data()), label.size(), key, &size);
  return std::string(reinterpret_cast<const char*>(key), size);
}

// The approval itself is pushed beside the answer that names it.
void LearnDeadline(const Gateway& gateway, Opening& opening) {
  if (const auto* approval = gateway.approvals.Find(opening.pending.approval_id())) {
    opening.expires_at = TimeText(FromProto(approval->expires_at()));
  }
}

absl::Status Pending(const std::string& server, const Opening& opening) {
  if (opening.pending.id().empty()) {
    return Denied(DENIAL_REASON_CONTROL_PLANE_UNAVAILABLE,
                  "the control plane has not answered yet; connect again in a moment");
  }
  return Denied(
      types::v1::DENIAL_REASON_SESSION_PENDING,
      absl::StrCat("the session for ", server, " waits for approval ",
                   opening.pending.approval_id(), " by ", absl::StrJoin(opening.approvers, ", "),
                   opening.expires_at.empty() ? "" : absl::StrCat(" until ", opening.expires_at),
                   "; connect again once it is approved"));
}

void Settle(Opening& opening, absl::Status refusal) {
  opening.refusal = std::move(refusal);
  opening.is_asking = false;
  opening.changed.Set();
}

Task<void> Ask(Gateway& gateway, std::shared_ptr<Opening> opening,
               access::v1::OpenSessionRequest request) {
  const absl::Duration until = gateway.clock.SinceBoot() + gateway.limits.open_hold;
  for (;;) {
    auto response =
        co_await gateway.session_client.Open(request, until - gateway.clock.SinceBoot());
    if (!response.ok()) {
      const bool has_reason = ReasonOf(response.status()) != DENIAL_REASON_UNSPECIFIED;
      Settle(*opening,
             has_reason ? response.status()
                        : WithReason(response.status(), DENIAL_REASON_CONTROL_PLANE_UNAVAILABLE));
      co_return;
    }
    if (response->denial_reason() != DENIAL_REASON_UNSPECIFIED) {
      opening->required_scopes.assign(response->required_scopes().begin(),
                                      response->required_scopes().end());
      Settle(*opening, Denied(response->denial_reason(), response->message()));
      co_return;
    }
    if (response->session().state() == types::v1::SESSION_STATE_PENDING) {
      opening->pending = response->session();
      opening->approvers.assign(response->approvers().begin(), response->approvers().end());
      opening->is_asking = false;
      co_return;
    }
    gateway.snapshots.NoteActive(response->session().id());
    const absl::Status begun =
        BeginSession(gateway, response->grant(), response->session().calls()).status();
    // A session that has just ended here is live at the control plane until it has heard so.
    const bool is_ending = ReasonOf(begun) == DENIAL_REASON_SESSION_ENDED &&
                           gateway.clock.SinceBoot() + kRetryOpen < until;
    if (!is_ending) {
      Settle(*opening, begun);
      co_return;
    }
    co_await Sleep(gateway.loop, kRetryOpen);
  }
}

}  // namespace

absl::StatusOr<ServedSession*> BeginSession(Gateway& gateway, const types::v1::Grant& grant,
                                            std::uint64_t calls) {
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
  if (!gateway.upstreams.Has(claims.server)) {
    return Denied(types::v1::DENIAL_REASON_SERVER_UNKNOWN,
                  "the grant is for a server that is not here");
  }
  auto credentials = gateway.upstreams.ReadCredentials(claims.server);
  if (!credentials.ok()) {
    LogError("credentials_unreadable",
             {{"server", claims.server}, {"error", credentials.status()}});
    return Denied(types::v1::DENIAL_REASON_UPSTREAM_LOST,
                  "the server's credentials cannot be read");
  }
  std::vector<std::string> secrets;
  for (const Credentials::Value& value : (*credentials)->values()) secrets.push_back(value.secret);
  auto echo = CredentialEcho::Create(secrets);
  for (std::string& secret : secrets) OPENSSL_cleanse(secret.data(), secret.size());
  if (!echo.ok()) {
    LogError("credentials_unusable", {{"server", claims.server}, {"error", echo.status()}});
    return Denied(types::v1::DENIAL_REASON_MASKER_BLOCKED,
                  "the server's credentials cannot be masked");
  }

  SessionFacts facts;
  facts.id = claims.session_id;
  facts.server = claims.server;
  facts.principal = claims.principal;
  facts.client_address = claims.client_address;
  facts.terms = claims.terms;
  facts.break_glass = claims.break_glass;
  facts.terms.set_max_calls(claims.call_budget);
  facts.expires_at = claims.expires_at;
  facts.remaining =
      absl::Seconds(grant.remaining().seconds()) + absl::Nanoseconds(grant.remaining().nanos());
  facts.calls = calls;
  std::string key = SessionKey(PrincipalKey(claims.principal), claims.server);
  auto session = std::make_unique<ServedSession>(gateway.loop, gateway.clock, std::move(facts),
                                                 std::move(key));
  session->credentials = *std::move(credentials);
  session->mask.credentials = *std::move(echo);
  session->mask.token_key = DeriveKey(gateway.session_secret, "mask", session->id());
  session->state_key = DeriveKey(gateway.session_secret, "request_state", session->id());
  session->digest_key = DeriveKey(gateway.session_secret, "arguments", session->id());
  const auto left = gateway.openings.open_chains.find(session->id());
  if (left == gateway.openings.open_chains.end()) {
    session->chain = gateway.recorder.StartChain(session->id());
  } else {
    session->chain = std::move(left->second);
    gateway.openings.open_chains.erase(left);
  }
  if (session->chain->is_closed()) {
    return Denied(DENIAL_REASON_SESSION_ENDED,
                  "the session is over here, and the control plane will hear so in a moment");
  }
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
  open.break_glass = facts.break_glass;
  if (const auto snapshot = gateway.snapshots.current()) {
    open.policy_epoch = snapshot->epoch();
    open.policy_version = snapshot->version();
  }
  co_return co_await gateway.recorder.RecordEvent(*session->chain, std::move(open));
}

Task<std::variant<Held<ServedSession>, OpenRefusal>> OpenSession(Gateway& gateway,
                                                                 const AuthenticatedCall& call,
                                                                 std::string token) {
  const std::string server(call.incoming.server);
  const std::string address(call.incoming.client_address);
  const std::string session_key = SessionKey(call.caller->key, server);
  ServedSession* session = gateway.sessions.Find(session_key, address);
  if (session == nullptr) {
    const std::string key = absl::StrCat(session_key, "\n", address);
    std::shared_ptr<Opening>& known = gateway.openings.by_key[key];
    // What was decided is not asked about again by those who waited for it; who comes later asks
    // anew.
    if (known == nullptr || known->changed.is_set())
      known = std::make_shared<Opening>(gateway.loop);
    const std::shared_ptr<Opening> opening = known;
    if (!opening->is_asking) {
      opening->is_asking = true;
      access::v1::OpenSessionRequest request;
      request.set_server(server);
      request.set_token(std::move(token));
      request.set_client_address(address);
      request.set_resource(gateway.ResourceUri(server));
      gateway.loop.Spawn(Ask(gateway, opening, std::move(request)));
    }
    const bool is_settled = co_await opening->changed.Wait(gateway.limits.open_hold);
    const auto place = gateway.openings.by_key.find(key);
    if (is_settled && place != gateway.openings.by_key.end() && place->second == opening) {
      gateway.openings.by_key.erase(place);
    }
    LearnDeadline(gateway, *opening);
    OpenRefusal refusal;
    refusal.details.session_id = opening->pending.id();
    refusal.details.approval_id = opening->pending.approval_id();
    refusal.details.approvers = opening->approvers;
    refusal.details.expires_at = opening->expires_at;
    refusal.required_scopes = opening->required_scopes;
    if (!is_settled || !opening->refusal.ok()) {
      refusal.why = is_settled ? opening->refusal : Pending(server, *opening);
      co_return refusal;
    }
    session = gateway.sessions.Find(session_key, address);
    if (session == nullptr) {
      refusal.why = Denied(types::v1::DENIAL_REASON_CLIENT_MISMATCH,
                           "the session is bound to another address");
      co_return refusal;
    }
  }
  Held<ServedSession> held(*session);
  if (absl::Status opened = co_await EnsureOpened(gateway, held); !opened.ok()) {
    co_return OpenRefusal{.why = std::move(opened)};
  }
  co_return held;
}

Task<void> AnswerOpenRefusal(Gateway& gateway, const AuthenticatedCall& call,
                             const ClientMessage& message, ServedSession* session,
                             const OpenRefusal& refusal) {
  const types::v1::DenialReason reason = ReasonOf(refusal.why);
  const std::string detail(refusal.why.message());
  if (session == nullptr) {
    RecordDenial(gateway, call.incoming, call.caller.get(), reason, message.method, detail);
  } else {
    gateway.metrics.Denied(reason);
    const ShownRequest shown =
        Show(gateway, *session, std::make_shared<const ClientMessage>(message));
    EventFacts facts;
    facts.type = types::v1::RECORD_TYPE_DENIAL;
    facts.request = &shown;
    facts.denial_reason = reason;
    facts.detail = ShowWhy(gateway, *session, message, shown, detail);
    (void)co_await gateway.recorder.RecordEvent(*session->chain, std::move(facts));
  }
  Reply& reply = *call.incoming.reply;
  switch (reason) {
    case types::v1::DENIAL_REASON_SERVER_UNKNOWN:
      co_await reply.Answer(UnknownServer(call.incoming.server));
      break;
    case types::v1::DENIAL_REASON_SCOPE_MISSING:
    case types::v1::DENIAL_REASON_TOKEN_INVALID:
    case types::v1::DENIAL_REASON_TOKEN_EXPIRED:
    case types::v1::DENIAL_REASON_ISSUER_UNAVAILABLE:
      co_await reply.Answer(HttpRefusal(
          refusal.why,
          Challenge{gateway.MetadataUrl(call.incoming.server), refusal.required_scopes}));
      break;
    default:
      co_await reply.Answer(RefuseOpening(message, refusal.why, refusal.details));
  }
}

}  // namespace sallyport::agent
