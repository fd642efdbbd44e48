#include "agent/call/authenticate.h"

#include <span>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "agent/call/shown.h"
#include "agent/session/session_key.h"
#include "common/denial.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

constexpr std::string_view kScheme = "Bearer ";

using Authenticated = std::variant<AuthenticatedCall, absl::Status>;
using Identified = std::variant<Identity, TokenRefusal>;

Identified Identify(const Gateway& gateway, const AgentSnapshot& snapshot, std::string_view token,
                    const std::string& resource_uri) {
  Presentation presentation;
  presentation.door = Door::kAgent;
  presentation.resource_uris = std::span<const std::string>(&resource_uri, 1);
  return snapshot.issuers()->Identify(
      token, presentation, [&](std::string_view issuer_id) { return snapshot.KeysOf(issuer_id); },
      gateway.clock.Now());
}

std::shared_ptr<const Caller> MakeCaller(PrincipalTable& principals, Identity identity,
                                         std::shared_ptr<const AgentSnapshot> snapshot) {
  auto caller = std::make_shared<Caller>();
  caller->key = PrincipalKey(identity.principal);
  caller->token_id = identity.token_id;
  if (!identity.principal.client_id().empty()) {
    caller->token_id.append(" ").append(identity.principal.client_id());
  }
  caller->principal = principals.Share(std::move(identity.principal));
  caller->issuer_id = std::move(identity.issuer_id);
  caller->expires_at = identity.expires_at;
  caller->snapshot = std::move(snapshot);
  return caller;
}

// A token that is not known.
Task<Authenticated> Verify(Gateway& gateway, IncomingCall call,
                           std::shared_ptr<const AgentSnapshot> snapshot) {
  const std::string_view token = BearerToken(call);
  const std::string resource_uri = gateway.ResourceUri(call.server);
  Identified identified = Identify(gateway, *snapshot, token, resource_uri);
  if (const auto* refusal = std::get_if<TokenRefusal>(&identified);
      refusal != nullptr && !refusal->unknown_key_id.empty()) {
    if (co_await gateway.snapshots.RefreshKeys(refusal->issuer_id, refusal->unknown_key_id)) {
      snapshot = gateway.snapshots.current();
      identified = Identify(gateway, *snapshot, token, resource_uri);
    }
  }
  if (const auto* refusal = std::get_if<TokenRefusal>(&identified)) {
    RecordDenial(gateway, call, nullptr, refusal->reason, {}, refusal->detail);
    co_return refusal->ToStatus();
  }
  auto caller = MakeCaller(gateway.principals, std::get<Identity>(std::move(identified)), snapshot);
  KnownToken known = gateway.tokens.Add(token, call.server, caller, gateway.clock.Now());
  if (call.remembered != nullptr) *call.remembered = std::move(known);
  co_return AuthenticatedCall{call, std::move(caller), std::move(snapshot)};
}

}  // namespace

std::string_view BearerToken(const IncomingCall& call) {
  if (!call.authorization) return {};
  std::string_view value = *call.authorization;
  if (!absl::StartsWithIgnoreCase(ToAbsl(value), ToAbsl(kScheme))) return {};
  value.remove_prefix(kScheme.size());
  while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  return value;
}

Task<Authenticated> Authenticate(Gateway& gateway, IncomingCall call) {
  std::shared_ptr<const AgentSnapshot> snapshot = gateway.snapshots.current();
  if (snapshot == nullptr) {
    return Task<Authenticated>(Denied(types::v1::DENIAL_REASON_NO_SNAPSHOT,
                                      "this agent has not heard from its control plane yet"));
  }
  const absl::Time now = gateway.clock.Now();
  const KnownToken* known = call.remembered;
  if (known == nullptr || !known->Holds(snapshot.get(), now)) {
    known = gateway.tokens.Find(BearerToken(call), call.server, snapshot.get(), now);
    if (known == nullptr) return Verify(gateway, call, std::move(snapshot));
    if (call.remembered != nullptr) *call.remembered = *known;
  }
  return Task<Authenticated>(AuthenticatedCall{call, known->caller, std::move(snapshot)});
}

}  // namespace sallyport::agent
