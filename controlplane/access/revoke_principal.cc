#include "controlplane/access/revoke_principal.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/denial.h"
#include "common/policy/compiled_policies.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "controlplane/access/operator_lock.h"
#include "controlplane/model/named_principal.h"
#include "controlplane/store/audit_log.h"
#include "controlplane/store/locks.h"
#include "controlplane/store/sessions.h"

namespace sallyport::controlplane {
namespace {

constexpr std::size_t kMaxReasonBytes = 1000;
constexpr std::size_t kMostPrincipals = 100;

// A subject may hold what no document's name may, so the lock is named by its digest.
std::string LockName(const std::string& principal) {
  return "end-principal-" + ToHex(Sha256(principal)).substr(0, 16);
}

absl::StatusOr<OperatorLock> LockOf(const admin::v1::RevokePrincipalRequest& request) {
  const std::string& principal = request.principal();
  ASSIGN_OR_RETURN(NamedPrincipal named, ParseNamedPrincipal(principal));
  OperatorLock lock{.name = LockName(principal),
                    .reason = request.reason().empty() ? "principal " + principal + " was revoked"
                                                       : request.reason()};
  lock.principal.set_realm(std::move(named.realm));
  lock.principal.set_name(std::move(named.name));
  return lock;
}

// Whom a name is of, which may be a client id that several principals of its realm share.
class CoveredPrincipals {
 public:
  void Add(const types::v1::Principal& principal) { SessionsOf(principal); }
  void AddSession(const types::v1::Principal& principal) { ++SessionsOf(principal); }

  // Those with most sessions first.
  std::vector<admin::v1::CoveredPrincipal> List() const {
    std::vector<admin::v1::CoveredPrincipal> list;
    for (const auto& [who, sessions] : sessions_) {
      admin::v1::CoveredPrincipal& principal = list.emplace_back();
      principal.set_kind(who.first);
      principal.set_subject(who.second);
      principal.set_sessions(sessions);
    }
    std::stable_sort(list.begin(), list.end(),
                     [](const auto& a, const auto& b) { return a.sessions() > b.sessions(); });
    return list;
  }

 private:
  std::uint32_t& SessionsOf(const types::v1::Principal& principal) {
    return sessions_[{principal.kind(), principal.subject()}];
  }

  std::map<std::pair<types::v1::PrincipalKind, std::string>, std::uint32_t> sessions_;
};

// Whom the lock shuts out beside those whose sessions end: whoever has come by the name before, and
// an operator who names himself.
absl::Status AddShutOut(Transaction& t, const types::v1::LockSpec& lock, const Caller& caller,
                        absl::Time now, CoveredPrincipals& covered) {
  ASSIGN_OR_RETURN(const std::vector<types::v1::Principal> named,
                   sessions::PrincipalsNamed(t, lock.principal().realm(), lock.principal().name(),
                                             kMostPrincipals + 1));
  for (const types::v1::Principal& principal : named) covered.Add(principal);
  const PersonCaller* const person = caller.person();
  if (person != nullptr && LockMatches(lock, person->principal, {}, {}, now))
    covered.Add(person->principal);
  return absl::OkStatus();
}

void FillCovered(const CoveredPrincipals& covered, admin::v1::RevokePrincipalResponse& response) {
  for (admin::v1::CoveredPrincipal& principal : covered.List()) {
    if (response.principals_size() == kMostPrincipals)
      return response.set_has_more_principals(true);
    *response.add_principals() = std::move(principal);
  }
}

}  // namespace

absl::StatusOr<admin::v1::RevokePrincipalResponse> RevokePrincipal::Run(
    const Caller& caller, const admin::v1::RevokePrincipalRequest& request) {
  if (!caller.is_admin())
    return Denied(types::v1::DENIAL_REASON_ROLE_MISSING, "principals are revoked by admins");
  if (request.reason().size() > kMaxReasonBytes)
    return absl::InvalidArgumentError("reason is longer than 1,000 bytes");
  ASSIGN_OR_RETURN(const OperatorLock lock, LockOf(request));
  ASSIGN_OR_RETURN(const std::optional<absl::Duration> lock_duration,
                   LockDuration(request.has_lock_duration() ? &request.lock_duration() : nullptr));
  const absl::Time now = clock_.Now();
  types::v1::LockSpec revoked;
  *revoked.mutable_principal() = lock.principal;
  admin::v1::RevokePrincipalResponse response;
  std::vector<Session> ended;
  RETURN_IF_ERROR(control_.Write(WriteFor::kRevocation, [&](WriteTransaction& t) -> absl::Status {
    response.Clear();
    const audit_log::Line line =
        audit_log::LineOf(caller, now, "principal.revoke", request.principal(), lock.reason);
    RETURN_IF_ERROR(locks::RefuseShutOut(t, line, caller, now));
    RETURN_IF_ERROR(audit_log::Append(t, line));
    ASSIGN_OR_RETURN(std::vector<Session> live, sessions::AllLive(t));
    ended.clear();
    CoveredPrincipals covered;
    for (Session& session : live) {
      const types::v1::Session& proto = session.proto();
      if (!LockMatches(revoked, proto.principal(), proto.server(), proto.agent(), now)) continue;
      RETURN_IF_ERROR(sessions::EndLive(t, session, sessions::Revoked(lock.reason), caller, now));
      *response.add_sessions() = session.proto();
      ended.push_back(session);
      covered.AddSession(session.proto().principal());
    }
    if (!request.no_lock()) {
      RETURN_IF_ERROR(AddShutOut(t, revoked, caller, now, covered));
      ASSIGN_OR_RETURN(const HeldLock held, PutLock(t, lock, lock_duration, caller, now));
      response.set_lock(held.name);
      response.set_had_lock(held.was_there);
      if (held.spec.has_expires()) *response.mutable_lock_expires_at() = held.spec.expires();
    }
    FillCovered(covered, response);
    ASSIGN_OR_RETURN(const bool is_known,
                     locks::KnowsName(t, lock.principal.realm(), lock.principal.name()));
    response.set_is_unknown(!is_known);
    return t.Commit();
  }));
  ASSIGN_OR_RETURN(const auto away, confirmed_.AwaitUnconfirmed(ended));
  *response.mutable_away_agents() = {away.begin(), away.end()};
  return response;
}

}  // namespace sallyport::controlplane
