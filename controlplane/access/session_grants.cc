#include "controlplane/access/session_grants.h"

#include "common/denial.h"
#include "common/status_macros.h"
#include "controlplane/keys/grant_signer.h"
#include "controlplane/model/proto_time.h"

namespace sallyport::controlplane {

absl::StatusOr<types::v1::Grant> SessionGrants::For(const Session& session) const {
  const absl::Time now = clock_.Now();
  const types::v1::Session& proto = session.proto();
  if (session.is_pending()) {
    return Denied(types::v1::DENIAL_REASON_SESSION_PENDING,
                  "session " + session.id() + " waits for approval");
  }
  if (!session.IsActiveAt(now))
    return Denied(types::v1::DENIAL_REASON_SESSION_ENDED, "session " + session.id() + " has ended");
  if (proto.agent().empty())
    return absl::FailedPreconditionError("session " + session.id() + " has no agent yet");
  ASSIGN_OR_RETURN(std::string token,
                   signer_.Sign({.deployment_id = deployment_id_,
                                 .session_id = session.id(),
                                 .agent = proto.agent(),
                                 .server = proto.server(),
                                 .principal = proto.principal(),
                                 .issuer_id = session.stored().issuer_id,
                                 .terms = proto.terms(),
                                 .client_address = proto.client_address(),
                                 .call_budget = session.call_budget(),
                                 .break_glass = proto.has_break_glass() ? proto.reason() : "",
                                 .opened_at = FromProto(proto.opened_at()),
                                 .expires_at = session.expires_at(),
                                 .issued_at = now,
                                 .policy_epoch = session.stored().policies.epoch,
                                 .policy_version = session.stored().policies.version}));
  types::v1::Grant grant;
  grant.set_token(std::move(token));
  *grant.mutable_remaining() = ToProto(session.expires_at() - now);
  return grant;
}

}  // namespace sallyport::controlplane
