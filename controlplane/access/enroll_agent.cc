#include "controlplane/access/enroll_agent.h"

#include <set>
#include <utility>
#include <vector>

#include "common/denial.h"
#include "common/ids.h"
#include "common/names.h"
#include "common/status_macros.h"
#include "controlplane/keys/certificate_authority.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/store/agents.h"
#include "controlplane/store/audit_log.h"
#include "controlplane/store/locks.h"
#include "controlplane/store/meta.h"
#include "controlplane/store/sessions.h"

namespace sallyport::controlplane {
namespace {

constexpr size_t kMaxServers = 1000;

absl::Status CheckNames(const admin::v1::CreateJoinTokenRequest& request) {
  if (!IsLabel(request.name()))
    return absl::InvalidArgumentError("\"" + request.name() +
                                      "\" is no agent's name, which is [a-z0-9][a-z0-9-]{0,62}");
  if (request.servers().empty())
    return absl::InvalidArgumentError("an agent fronts at least one server");
  if (static_cast<size_t>(request.servers_size()) > kMaxServers)
    return absl::InvalidArgumentError("more than 1,000 servers");
  std::set<std::string_view> seen;
  for (const std::string& server : request.servers()) {
    if (!IsServerName(server))
      return absl::InvalidArgumentError("\"" + server +
                                        "\" is no server's name, which is "
                                        "[a-z0-9][a-z0-9._-]{0,62}");
    if (!seen.insert(server).second)
      return absl::InvalidArgumentError("server " + server + " is named twice");
  }
  return absl::OkStatus();
}

agent::v1::AgentCertificate CertificateOf(const CertificateAuthority& ca,
                                          const IssuedCertificate& issued) {
  agent::v1::AgentCertificate certificate;
  certificate.set_chain(issued.chain);
  certificate.set_ca(ca.certificate());
  *certificate.mutable_not_after() = ToProto(issued.not_after);
  return certificate;
}

// Whoever enrolls under a name need not have what its former self had recorded, and would begin
// those recordings again, which could not be told from forgery; nor need it front the same servers.
absl::Status EndSessions(WriteTransaction& t, const Agent& agent, const Caller& caller,
                         absl::Time now) {
  ASSIGN_OR_RETURN(std::vector<Session> live, sessions::LiveOfAgent(t, agent.name));
  for (Session& session : live) {
    const std::string detail = "agent " + agent.name + " has enrolled anew";
    RETURN_IF_ERROR(sessions::EndLive(t, session, sessions::Revoked(detail), caller, now));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<agent::v1::EnrollResponse> EnrollAgent::Run(
    const std::string& address, const agent::v1::EnrollRequest& request) {
  const absl::Time now = clock_.Now();
  ASSIGN_OR_RETURN(const auto t, control_.Write());
  ASSIGN_OR_RETURN(const std::optional<JoinToken> token,
                   agents::ConsumeJoinToken(*t, request.secret(), now));
  if (!token.has_value()) {
    return Denied(types::v1::DENIAL_REASON_JOIN_TOKEN_INVALID,
                  "the join token is unknown, used or expired: make a new one with"
                  " `sallyport agents token create`");
  }
  // A request that cannot be signed rolls back, and the token with it.
  ASSIGN_OR_RETURN(const IssuedCertificate issued,
                   ca_.SignAgent(request.certificate_request(), token->name));
  const Agent agent{.name = token->name,
                    .servers = token->servers,
                    .enrolled_at = now,
                    .certificate_expires_at = issued.not_after,
                    .last_seen_at = now};
  const Caller caller(AgentCaller{agent.name}, address);
  RETURN_IF_ERROR(agents::Put(*t, agent));
  RETURN_IF_ERROR(EndSessions(*t, agent, caller, now));
  RETURN_IF_ERROR(meta::BumpSnapshot(*t));
  RETURN_IF_ERROR(
      audit_log::Append(*t, audit_log::LineOf(caller, now, "agent.enroll", agent.name)));
  RETURN_IF_ERROR(t->Commit());
  agent::v1::EnrollResponse response;
  response.set_name(agent.name);
  for (const std::string& server : agent.servers) response.add_servers(server);
  *response.mutable_certificate() = CertificateOf(ca_, issued);
  return response;
}

absl::StatusOr<agent::v1::RenewCertificateResponse> EnrollAgent::Run(
    const Caller& caller, const agent::v1::RenewCertificateRequest& request) {
  if (caller.agent() == nullptr)
    return Denied(types::v1::DENIAL_REASON_ROLE_MISSING, "certificates are for agents");
  const absl::Time now = clock_.Now();
  ASSIGN_OR_RETURN(const auto t, control_.Write(WriteFor::kOperators));
  ASSIGN_OR_RETURN(Agent agent, agents::FindInService(*t, caller.agent()->name));
  ASSIGN_OR_RETURN(const IssuedCertificate issued,
                   ca_.SignAgent(request.certificate_request(), agent.name));
  agent.certificate_expires_at = issued.not_after;
  agent.last_seen_at = now;
  RETURN_IF_ERROR(agents::Put(*t, agent));
  RETURN_IF_ERROR(audit_log::Append(*t, audit_log::LineOf(caller, now, "agent.renew", agent.name)));
  RETURN_IF_ERROR(t->Commit());
  agent::v1::RenewCertificateResponse response;
  *response.mutable_certificate() = CertificateOf(ca_, issued);
  return response;
}

absl::StatusOr<admin::v1::CreateJoinTokenResponse> CreateJoinToken::Run(
    const Caller& caller, const admin::v1::CreateJoinTokenRequest& request) {
  if (!caller.is_admin())
    return Denied(types::v1::DENIAL_REASON_ROLE_MISSING, "join tokens are made by admins");
  RETURN_IF_ERROR(CheckNames(request));
  const absl::Time now = clock_.Now();
  const JoinToken token{.name = request.name(),
                        .servers = {request.servers().begin(), request.servers().end()},
                        .created_at = now,
                        .expires_at = now + kLifetime};
  const std::string secret = NewRandomToken();
  ASSIGN_OR_RETURN(const auto t, control_.Write(WriteFor::kOperators));
  const audit_log::Line line = audit_log::LineOf(caller, now, "join_token.create", token.name);
  RETURN_IF_ERROR(locks::RefuseShutOut(*t, line, caller, now));
  RETURN_IF_ERROR(agents::AddJoinToken(*t, secret, token));
  RETURN_IF_ERROR(audit_log::Append(*t, line));
  RETURN_IF_ERROR(t->Commit());
  admin::v1::CreateJoinTokenResponse response;
  response.set_name(token.name);
  response.set_join_token("sallyport-join:1:" + public_address_ + ":" + ca_.fingerprint() + ":" +
                          secret);
  *response.mutable_expires_at() = ToProto(token.expires_at);
  return response;
}

}  // namespace sallyport::controlplane
