#include "controlplane/access/renew_session.h"

#include <optional>
#include <span>
#include <string>
#include <variant>

#include "common/denial.h"
#include "common/status_macros.h"
#include "controlplane/identity/issuers.h"
#include "controlplane/store/sessions.h"

namespace sallyport::controlplane {
namespace {

absl::StatusOr<Session> FindActive(Database& control, const std::string& agent,
                                   const std::string& id, absl::Time now) {
  ASSIGN_OR_RETURN(const auto t, control.Read());
  ASSIGN_OR_RETURN(std::optional<Session> session, sessions::Find(*t, id));
  if (!session.has_value() || session->proto().agent() != agent)
    return absl::NotFoundError("there is no session " + id);
  if (session->is_pending())
    return Denied(types::v1::DENIAL_REASON_SESSION_PENDING,
                  "session " + id + " waits for approval");
  if (!session->IsActiveAt(now))
    return Denied(types::v1::DENIAL_REASON_SESSION_ENDED, "session " + id + " has ended");
  return *std::move(session);
}

}  // namespace

absl::StatusOr<access::v1::RenewSessionResponse> RenewSession::Run(
    const Caller& caller, const access::v1::RenewSessionRequest& request) {
  if (caller.agent() == nullptr)
    return Denied(types::v1::DENIAL_REASON_ROLE_MISSING, "sessions are renewed by agents");
  ASSIGN_OR_RETURN(const Session session,
                   FindActive(control_, caller.agent()->name, request.session_id(), clock_.Now()));
  const std::string resources[] = {request.resource()};
  const auto identified = issuers_.Identify(
      request.token(), {.door = Door::kAgent,
                        .resource_uris = std::span(resources, request.resource().empty() ? 0 : 1)});
  if (const TokenRefusal* refusal = std::get_if<TokenRefusal>(&identified))
    return refusal->ToStatus();
  if (!IsSameClient(std::get<Identity>(identified).principal, session.proto().principal())) {
    return Denied(types::v1::DENIAL_REASON_CLIENT_MISMATCH, "the token is another principal's");
  }
  access::v1::RenewSessionResponse response;
  *response.mutable_session() = session.proto();
  return response;
}

}  // namespace sallyport::controlplane
