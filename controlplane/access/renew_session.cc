#include "controlplane/access/renew_session.h"

#include <optional>
#include <span>
#include <string>
#include <variant>

#include "common/denial.h"
#include "common/status_macros.h"
#include "controlplane/identity/issuers.h"
#include "controlplane/store/audit_log.h"
#include "controlplane/store/sessions.h"

namespace sallyport::controlplane {
namespace {

absl::StatusOr<Session> FindActive(Transaction& t, const std::string& agent, const std::string& id,
                                   absl::Time now) {
  ASSIGN_OR_RETURN(std::optional<Session> session, sessions::Find(t, id));
  if (!session.has_value() || session->proto().agent() != agent)
    return absl::NotFoundError("there is no session " + id);
  if (session->is_pending())
    return Denied(types::v1::DENIAL_REASON_SESSION_PENDING,
                  "session " + id + " waits for approval");
  if (!session->IsActiveAt(now))
    return Denied(types::v1::DENIAL_REASON_SESSION_ENDED, "session " + id + " has ended");
  return *std::move(session);
}

// The token is as good as the one before unless another entry or key vouches for it.
bool IsNews(const Session& session, const Identity& identity) {
  return session.stored().issuer_id != identity.issuer_id ||
         session.stored().signing_key != identity.signing_key;
}

}  // namespace

absl::StatusOr<access::v1::RenewSessionResponse> RenewSession::Run(
    const Caller& caller, const access::v1::RenewSessionRequest& request) {
  if (caller.agent() == nullptr)
    return Denied(types::v1::DENIAL_REASON_ROLE_MISSING, "sessions are renewed by agents");
  const std::string resources[] = {request.resource()};
  const auto identified = issuers_.Identify(
      request.token(), {.door = Door::kAgent,
                        .resource_uris = std::span(resources, request.resource().empty() ? 0 : 1)});
  if (const TokenRefusal* refusal = std::get_if<TokenRefusal>(&identified))
    return refusal->ToStatus();
  const Identity& identity = std::get<Identity>(identified);
  const absl::Time now = clock_.Now();
  ASSIGN_OR_RETURN(const auto t, control_.Write());
  ASSIGN_OR_RETURN(Session session,
                   FindActive(*t, caller.agent()->name, request.session_id(), now));
  if (!IsSameClient(identity.principal, session.proto().principal())) {
    return Denied(types::v1::DENIAL_REASON_CLIENT_MISMATCH, "the token is another principal's");
  }
  if (IsNews(session, identity)) {
    // Whatever was withdrawn since the token was read is known in here (WithdrawnKeys).
    if (issuers_.StandingOf(identity.issuer_id, identity.signing_key) != KeyStanding::kPublished)
      return Denied(types::v1::DENIAL_REASON_TOKEN_INVALID, "the token is not valid");
    RETURN_IF_ERROR(session.Renew(identity.issuer_id, identity.signing_key, now));
    RETURN_IF_ERROR(sessions::Update(
        *t, session, audit_log::LineOf(caller, now, "session.renew", session.id())));
    RETURN_IF_ERROR(t->Commit());
  }
  access::v1::RenewSessionResponse response;
  *response.mutable_session() = session.proto();
  return response;
}

}  // namespace sallyport::controlplane
