#pragma once

#include <sys/types.h>

#include <string>
#include <variant>

#include "absl/time/time.h"
#include "sallyport/types/v1/principal.pb.h"

namespace sallyport::controlplane {

// A program on the agents' door; its client certificate names it.
struct AgentCaller {
  std::string name;
};

// A person or a service on the people's door, by bearer token.
struct PersonCaller {
  types::v1::Principal principal;
  std::string issuer_id;    // the entry that accepted the token
  std::string token_id;     // jti, where the token has one
  std::string signing_key;  // what signed the token, by its thumbprint
  absl::Time token_expires_at;
  // What the token's audience is good for: access.v1 (an entry's audiences), admin.v1
  // (admin_audiences, or an id_token entry).
  bool may_access = false;
  bool may_manage = false;
  // Roles of the configuration that the claims give.
  bool is_admin = false;
  bool is_approver = false;
  bool is_auditor = false;
};

// Somebody on the admin socket: root or the service's own user.
struct LocalAdminCaller {
  uid_t uid = 0;
};

// Who has not said who he is: at the enrollment door, where the secret decides. May nothing else.
struct AnonymousCaller {};

// The control plane itself: what it does because time has passed.
struct SystemCaller {};

// Who asks, as its door has established it. Made by the rpc room alone (and by tests).
class Caller {
 public:
  using Who =
      std::variant<AnonymousCaller, AgentCaller, PersonCaller, LocalAdminCaller, SystemCaller>;

  // `address`: the IP address the connection comes from, without a port; empty for the admin socket
  // and the system.
  Caller(Who who, std::string address) : who_(std::move(who)), address_(std::move(address)) {}

  const AgentCaller* agent() const { return std::get_if<AgentCaller>(&who_); }
  const PersonCaller* person() const { return std::get_if<PersonCaller>(&who_); }
  const LocalAdminCaller* local_admin() const { return std::get_if<LocalAdminCaller>(&who_); }
  bool is_system() const { return std::holds_alternative<SystemCaller>(who_); }

  // May manage: an admin by role on the management API, or the admin socket.
  bool is_admin() const {
    return local_admin() != nullptr || (person() && person()->may_manage && person()->is_admin);
  }

  const std::string& address() const { return address_; }

 private:
  Who who_;
  std::string address_;
};

// As audit lines and documents name it: anonymous, agent:NAME, user:REALM:SUBJECT,
// service:REALM:SUBJECT, local:uid=N, system.
std::string ActorName(const Caller& caller);
std::string PrincipalName(const types::v1::Principal& principal);

// Whose sessions are one's own: (realm, kind, subject, client id).
bool IsSameClient(const types::v1::Principal& a, const types::v1::Principal& b);

}  // namespace sallyport::controlplane
