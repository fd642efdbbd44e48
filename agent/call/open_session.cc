#include "agent/call/open_session.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/call/authenticate.h"
#include "agent/call/begin_session.h"
#include "agent/call/end_session.h"
#include "agent/call/gateway.h"
#include "agent/call/opening.h"
#include "agent/call/shown.h"
#include "agent/session/session_key.h"
#include "common/denial.h"
#include "common/strings.h"
#include "common/time_text.h"

namespace sallyport::agent {
namespace {

using types::v1::DENIAL_REASON_CONTROL_PLANE_UNAVAILABLE;
using types::v1::DENIAL_REASON_SESSION_ENDED;
using types::v1::DENIAL_REASON_UNSPECIFIED;

constexpr absl::Duration kRetryOpen = absl::Milliseconds(50);
// How long a stream that begins has to say what is live before the control plane is asked.
constexpr absl::Duration kCatchUp = absl::Seconds(1);
// How long the control plane has to say how an opening stands whose hold is over.
constexpr absl::Duration kAnswerTime = absl::Seconds(1);

absl::Status Pending(const std::string& server, const Opening& opening) {
  if (opening.pending.id().empty()) {
    return Denied(DENIAL_REASON_CONTROL_PLANE_UNAVAILABLE,
                  "the control plane has not answered yet; connect again in a moment");
  }
  return Denied(
      types::v1::DENIAL_REASON_SESSION_PENDING,
      absl::StrCat("the session for ", server, " waits for approval ",
                   opening.pending.approval_id(), " by ", absl::StrJoin(opening.approvers, ", "),
                   " until ", opening.expires_at, "; connect again once it is approved"));
}

void LearnPending(Opening& opening, const access::v1::OpenSessionResponse& response) {
  opening.pending = response.session();
  opening.approvers.assign(response.approvers().begin(), response.approvers().end());
  opening.expires_at = TimeText(absl::FromUnixSeconds(response.approval_expires_at().seconds()));
  opening.is_asking = false;
  opening.answered.Set();
}

// Whether the session may begin: one with a lease would end at once while the control plane's
// stream is silent, though the control plane itself has answered.
Task<bool> IsHeard(Gateway& gateway, types::v1::Session session, absl::Duration until) {
  if (!session.terms().has_lease()) co_return true;
  const absl::Duration lease = absl::Seconds(session.terms().lease().seconds()) +
                               absl::Nanoseconds(session.terms().lease().nanos());
  co_return co_await gateway.snapshots.HearAgain(lease, until - gateway.clock.SinceBoot());
}

absl::Status NotBack() {
  return Denied(DENIAL_REASON_CONTROL_PLANE_UNAVAILABLE,
                "the control plane is not back yet; connect again in a moment");
}

absl::Status Begin(Gateway& gateway, const access::v1::OpenSessionResponse& response) {
  gateway.snapshots.NoteActive(response.session().id());
  return BeginSession(gateway, response.grant(), response.session()).status();
}

Task<void> Ask(Gateway& gateway, std::shared_ptr<Opening> opening,
               access::v1::OpenSessionRequest request) {
  const absl::Duration until = gateway.clock.SinceBoot() + gateway.limits.open_hold;
  for (;;) {
    co_await gateway.snapshots.CatchUp(kCatchUp);
    const std::optional<std::uint64_t> heard = gateway.snapshots.heard_stream();
    auto response =
        co_await gateway.session_client.Open(request, until - gateway.clock.SinceBoot());
    if (!response.ok()) {
      const bool has_reason = ReasonOf(response.status()) != DENIAL_REASON_UNSPECIFIED;
      opening->Decide(has_reason
                          ? response.status()
                          : WithReason(response.status(), DENIAL_REASON_CONTROL_PLANE_UNAVAILABLE));
      co_return;
    }
    if (response->denial_reason() != DENIAL_REASON_UNSPECIFIED) {
      opening->required_scopes.assign(response->required_scopes().begin(),
                                      response->required_scopes().end());
      opening->Decide(Denied(response->denial_reason(), response->message()));
      co_return;
    }
    if (response->session().state() == types::v1::SESSION_STATE_PENDING) {
      LearnPending(*opening, *response);
      co_return;
    }
    if (!co_await IsHeard(gateway, response->session(), until)) {
      opening->Decide(NotBack());
      co_return;
    }
    const bool is_doubtful = !heard || heard != gateway.snapshots.heard_stream();
    const absl::Status begun = is_doubtful ? NotBack() : Begin(gateway, *response);
    // A session that has just ended here is live at the control plane until it has heard so, and
    // one that was ended there meanwhile is so no longer.
    const bool is_asked_again = (is_doubtful || ReasonOf(begun) == DENIAL_REASON_SESSION_ENDED) &&
                                gateway.clock.SinceBoot() + kRetryOpen < until;
    if (!is_asked_again) {
      opening->Decide(begun);
      co_return;
    }
    co_await Sleep(gateway.loop, kRetryOpen);
  }
}

// The opening that this attempt belongs to, with the control plane being asked about it. Another
// token has one of its own, for its refusal would be another.
std::shared_ptr<Opening> Attach(Gateway& gateway, const AuthenticatedCall& call,
                                const std::string& session_key, std::string token) {
  const std::string address(call.incoming.client_address);
  std::shared_ptr<Opening>& known =
      gateway.openings
          .by_key[absl::StrCat(session_key, "\n", address, "\n", ToAbsl(Sha256(token)))];
  // What was decided is not asked about again by those who waited for it; who comes later asks
  // anew.
  if (known == nullptr || known->decided.is_set()) known = std::make_shared<Opening>(gateway.loop);
  if (std::exchange(known->is_asking, true)) return known;
  known->answered.Reset();
  const std::string server(call.incoming.server);
  access::v1::OpenSessionRequest request;
  request.set_server(server);
  request.set_token(std::move(token));
  request.set_client_address(address);
  request.set_resource(gateway.ResourceUri(server));
  gateway.loop.Spawn(Ask(gateway, known, std::move(request)));
  return known;
}

// Waits for what is decided, if there is anything of the hold left. False: nothing is yet.
Task<bool> AwaitDecision(Gateway& gateway, std::shared_ptr<Opening> opening) {
  const absl::Duration arrived = gateway.clock.SinceBoot();
  if (arrived - opening->hold_began >= gateway.limits.open_rest) opening->hold_began = arrived;
  const absl::Duration until = opening->hold_began + gateway.limits.open_hold;
  const absl::Duration held = until - arrived;
  if (co_await opening->answered.Wait(std::max(held, kAnswerTime)))
    co_await opening->decided.Wait(
        std::max(until - gateway.clock.SinceBoot(), absl::ZeroDuration()));
  co_return opening->decided.is_set();
}

OpenRefusal RefusalOf(const Opening& opening, absl::Status why) {
  OpenRefusal refusal{.why = std::move(why), .required_scopes = opening.required_scopes};
  refusal.details.session_id = opening.pending.id();
  refusal.details.approval_id = opening.pending.approval_id();
  refusal.details.approvers = opening.approvers;
  refusal.details.expires_at = opening.expires_at;
  return refusal;
}

// A session may be due at once: the control plane has one of the caller's that the policies would
// open on stricter terms by now.
Task<std::variant<Held<ServedSession>, OpenRefusal>> OpenOnce(Gateway& gateway,
                                                              const AuthenticatedCall& call,
                                                              std::string token) {
  const std::string server(call.incoming.server);
  const std::string session_key = SessionKey(call.caller->key, server);
  ServedSession* session = FindLive(gateway, call);
  if (session == nullptr) {
    const std::shared_ptr<Opening> opening = Attach(gateway, call, session_key, std::move(token));
    if (!co_await AwaitDecision(gateway, opening))
      co_return RefusalOf(*opening, Pending(server, *opening));
    if (!opening->refusal.ok()) co_return RefusalOf(*opening, opening->refusal);
    session = gateway.sessions.Find(session_key, call.incoming.client_address);
    if (session == nullptr) {
      co_return RefusalOf(*opening, Denied(types::v1::DENIAL_REASON_CLIENT_MISMATCH,
                                           "the session is bound to another address"));
    }
  }
  Held<ServedSession> held(*session);
  if (absl::Status opened = co_await EnsureOpened(gateway, held); !opened.ok()) {
    co_return OpenRefusal{.why = std::move(opened)};
  }
  co_return held;
}

}  // namespace

ServedSession* FindLive(Gateway& gateway, const AuthenticatedCall& call) {
  ServedSession* session = gateway.sessions.Find(SessionKey(call.caller->key, call.incoming.server),
                                                 call.incoming.client_address);
  return session == nullptr || EndIfDue(gateway, *session) ? nullptr : session;
}

Task<std::variant<Held<ServedSession>, OpenRefusal>> OpenSession(Gateway& gateway,
                                                                 const AuthenticatedCall& call,
                                                                 std::string token) {
  auto opened = co_await OpenOnce(gateway, call, token);
  const auto is_due = [&] {
    const auto* session = std::get_if<Held<ServedSession>>(&opened);
    return session != nullptr && EndIfDue(gateway, **session);
  };
  if (is_due()) {
    opened = co_await OpenOnce(gateway, call, std::move(token));
    if (is_due()) {
      absl::Status why = std::get<Held<ServedSession>>(opened)->live().end().Refusal();
      opened = OpenRefusal{.why = std::move(why)};
    }
  }
  co_return opened;
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
        co_await Show(gateway, *session, std::make_shared<const ClientMessage>(message));
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
