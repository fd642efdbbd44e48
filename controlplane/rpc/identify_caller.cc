#include "controlplane/rpc/identify_caller.h"

#include <grpc/grpc_security_constants.h>

#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/denial.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "controlplane/keys/certificate_authority.h"
#include "controlplane/store/agents.h"
#include "controlplane/store/audit_log.h"
#include "controlplane/store/locks.h"

namespace sallyport::controlplane {
namespace {

constexpr std::string_view kAgentUri = "spiffe://sallyport/agent/";
// Some 1 KiB each: those of a thousand agents, and of their last days.
constexpr std::size_t kKnownCertificates = 4096;

// The scheme is compared without case (RFC 9110, 11.1), the token byte for byte.
std::string_view BearerToken(std::string_view authorization) {
  constexpr std::string_view kScheme = "Bearer ";
  if (!absl::StartsWithIgnoreCase(ToAbsl(authorization), ToAbsl(kScheme))) return {};
  return authorization.substr(kScheme.size());
}

}  // namespace

absl::StatusOr<absl::Time> CertificateDates::MadeAt(std::string_view pem) {
  const absl::MutexLock lock(&mutex_);
  if (const auto known = made_at_.find(ToAbsl(pem)); known != made_at_.end()) return known->second;
  ASSIGN_OR_RETURN(const absl::Time made_at, CertificateAuthority::MadeAt(pem));
  if (made_at_.size() == kKnownCertificates) made_at_.clear();
  made_at_.emplace(pem, made_at);
  return made_at;
}

absl::StatusOr<Caller> IdentifyCaller::Person(std::string_view authorization,
                                              std::string address) const {
  std::variant<Identity, TokenRefusal> result =
      needs_.issuers.Identify(BearerToken(authorization), {.door = sallyport::Door::kPeople});
  if (const auto* refusal = std::get_if<TokenRefusal>(&result)) {
    LogWarning("token_refused", {{"reason", ReasonName(refusal->reason)},
                                 {"detail", refusal->detail},
                                 {"issuer", refusal->issuer_id},
                                 {"address", address}});
    return refusal->ToStatus();
  }
  Identity& identity = std::get<Identity>(result);
  PersonCaller person{.principal = std::move(identity.principal),
                      .issuer_id = std::move(identity.issuer_id),
                      .token_id = std::move(identity.token_id),
                      .signing_key = std::move(identity.signing_key),
                      .token_expires_at = identity.expires_at,
                      .may_access = identity.may_access,
                      .may_manage = identity.may_manage};
  roles_.Assign(person);
  return Caller(std::move(person), std::move(address));
}

absl::StatusOr<Caller> IdentifyCaller::Agent(const grpc::AuthContext& connection,
                                             std::string address) const {
  const std::vector<grpc::string_ref> uris =
      connection.FindPropertyValues(GRPC_PEER_URI_PROPERTY_NAME);
  if (!connection.IsPeerAuthenticated() || uris.size() != 1) {
    return Denied(types::v1::DENIAL_REASON_TOKEN_INVALID,
                  "the client certificate does not name one agent");
  }
  const std::string uri(uris[0].data(), uris[0].size());
  if (!absl::StartsWith(uri, ToAbsl(kAgentUri))) {
    return Denied(types::v1::DENIAL_REASON_TOKEN_INVALID,
                  "the client certificate is not an agent's");
  }
  std::string name = uri.substr(kAgentUri.size());
  ASSIGN_OR_RETURN(const auto t, needs_.control.Read());
  ASSIGN_OR_RETURN(const sallyport::controlplane::Agent agent, agents::FindInService(*t, name));
  RETURN_IF_ERROR(CheckEnrollment(connection, agent.enrolled_at));
  return Caller(AgentCaller{.name = std::move(name)}, std::move(address));
}

// A certificate from before the agent's latest enrollment is not its own any more: whoever enrolled
// it again has taken its name away from whoever holds that one.
absl::Status IdentifyCaller::CheckEnrollment(const grpc::AuthContext& connection,
                                             absl::Time enrolled_at) const {
  const std::vector<grpc::string_ref> pem =
      connection.FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
  if (pem.size() != 1)
    return Denied(types::v1::DENIAL_REASON_TOKEN_INVALID, "there is no client certificate");
  ASSIGN_OR_RETURN(const absl::Time made_at, dates_.MadeAt({pem[0].data(), pem[0].size()}));
  if (made_at >= absl::FromUnixSeconds(absl::ToUnixSeconds(enrolled_at))) return absl::OkStatus();
  return Denied(types::v1::DENIAL_REASON_TOKEN_INVALID,
                "the agent has enrolled again since this certificate was made");
}

absl::Status IdentifyCaller::CheckLock(const Caller& caller) const {
  if (caller.person() == nullptr) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto t, needs_.control.Read());
  ASSIGN_OR_RETURN(const InForce in_force, needs_.policies.In(*t));
  const std::string_view lock =
      in_force.policies->LockOut(caller.person()->principal, needs_.clock.Now());
  if (lock.empty()) return absl::OkStatus();
  return locks::ShutOut(lock);
}

absl::Status IdentifyCaller::CheckStillIn(const Caller& caller) const {
  const PersonCaller* person = caller.person();
  if (person == nullptr) return absl::OkStatus();
  switch (needs_.issuers.StandingOf(person->issuer_id, person->signing_key)) {
    case KeyStanding::kWithdrawn:
    case KeyStanding::kNoIssuer:
      return Denied(types::v1::DENIAL_REASON_TOKEN_INVALID,
                    "the issuer has withdrawn the key that signed the token of this stream");
    case KeyStanding::kPublished:
    case KeyStanding::kUnknown:
      return CheckLock(caller);
  }
}

absl::Status IdentifyCaller::RefuseLocked(const Caller& caller, std::string_view method) const {
  const absl::Status refused = CheckLock(caller);
  if (ReasonOf(refused) != types::v1::DENIAL_REASON_LOCKED) return refused;
  audit_log::Line line = audit_log::LineOf(caller, needs_.clock.Now(), "api.refuse",
                                           std::string(method), std::string(refused.message()));
  line.denial_reason = types::v1::DENIAL_REASON_LOCKED;
  // Refused also where that cannot be written.
  const absl::Status written = needs_.control.Write(
      WriteFor::kOperators, [&](WriteTransaction& t) { return audit_log::CommitRefusal(t, line); });
  if (!written.ok()) LogError("refusal_not_audited", {{"error", written}});
  return refused;
}

std::string AddressOfPeer(std::string_view peer) {
  std::string_view rest = peer;
  const bool is_v6 = rest.starts_with("ipv6:");
  if (!is_v6 && !rest.starts_with("ipv4:")) return {};
  rest.remove_prefix(5);
  if (const std::size_t colon = rest.rfind(':'); colon != std::string_view::npos) {
    rest = rest.substr(0, colon);
  }
  for (const std::string_view open : {"%5B", "["}) {
    if (rest.starts_with(open)) rest.remove_prefix(open.size());
  }
  for (const std::string_view close : {"%5D", "]"}) {
    if (rest.ends_with(close)) rest.remove_suffix(close.size());
  }
  if (is_v6 && rest.starts_with("::ffff:") && rest.find('.') != std::string_view::npos) {
    rest.remove_prefix(7);
  }
  return std::string(rest);
}

}  // namespace sallyport::controlplane
