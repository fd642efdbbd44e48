#include "common/policy/compiled_policies.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/policy/compiled_policy.h"
#include "common/policy/open_terms.h"
#include "common/policy/principal_match.h"
#include "common/policy/spec_checks.h"

namespace sallyport {

bool LockMatches(const types::v1::LockSpec& lock, const types::v1::Principal& principal,
                 std::string_view server, std::string_view agent, absl::Time now) {
  if (lock.has_expires() && now >= absl::FromUnixSeconds(lock.expires().seconds()) +
                                       absl::Nanoseconds(lock.expires().nanos())) {
    return false;
  }
  if (!lock.server().empty() && lock.server() != server) return false;
  if (!lock.agent().empty() && lock.agent() != agent) return false;
  if (!lock.has_principal()) return true;
  const types::v1::LockedPrincipal& locked = lock.principal();
  return locked.realm() == principal.realm() &&
         (locked.subject().empty() || locked.subject() == principal.subject()) &&
         (locked.client_id().empty() || locked.client_id() == principal.client_id()) &&
         (locked.name().empty() || locked.name() == principal.subject() ||
          locked.name() == principal.client_id()) &&
         (locked.kind() == types::v1::PRINCIPAL_KIND_UNSPECIFIED ||
          locked.kind() == principal.kind());
}

namespace {

std::vector<std::string> ScopesOfAll(absl::Span<const std::unique_ptr<CompiledPolicy>> policies) {
  std::optional<std::set<std::string>> all;
  for (const std::unique_ptr<CompiledPolicy>& policy : policies) {
    for (const types::v1::PrincipalMatch& match : policy->spec.principals()) {
      const std::set<std::string> asked(match.scopes().begin(), match.scopes().end());
      if (!all) all = asked;
      std::erase_if(*all, [&](const std::string& scope) { return !asked.contains(scope); });
    }
  }
  if (!all) return {};
  return {all->begin(), all->end()};
}

}  // namespace

CompiledPolicies::CompiledPolicies() = default;
CompiledPolicies::~CompiledPolicies() = default;

absl::StatusOr<std::shared_ptr<const CompiledPolicies>> CompiledPolicies::Compile(
    absl::Span<const types::v1::Document> documents) {
  std::shared_ptr<CompiledPolicies> compiled(new CompiledPolicies);
  for (const types::v1::Document& document : documents) {
    switch (document.spec_case()) {
      case types::v1::Document::kPolicy: {
        auto policy = std::make_unique<CompiledPolicy>();
        const absl::Status status =
            CompiledPolicy::Compile(document.name(), document.policy(), *policy);
        if (!status.ok()) {
          return absl::InvalidArgumentError(
              absl::StrCat("policy ", document.name(), ": ", status.message()));
        }
        compiled->policies_.push_back(std::move(policy));
        break;
      }
      case types::v1::Document::kMaskProfile:
        compiled->mask_profiles_.emplace(document.name(), document.mask_profile());
        break;
      case types::v1::Document::kLock:
        compiled->locks_.push_back({document.name(), document.lock()});
        break;
      case types::v1::Document::kServer: {
        const absl::Status status = CheckServer(document.server());
        if (!status.ok()) {
          return absl::InvalidArgumentError(
              absl::StrCat("server ", document.name(), ": ", status.message()));
        }
        compiled->servers_.emplace(document.name(), document.server());
        break;
      }
      case types::v1::Document::SPEC_NOT_SET:
        return absl::InvalidArgumentError(absl::StrCat("document ", document.name(),
                                                       " is of a kind that this version does not "
                                                       "know"));
    }
  }
  std::sort(compiled->policies_.begin(), compiled->policies_.end(),
            [](const auto& a, const auto& b) { return a->name < b->name; });
  std::uint32_t ordinal = 0;
  for (std::size_t i = 0; i < compiled->policies_.size(); ++i) {
    CompiledPolicy& policy = *compiled->policies_[i];
    compiled->principals_.Add(static_cast<std::uint32_t>(i), policy.spec);
    for (CompiledRule& rule : policy.rules) rule.ordinal = ordinal++;
  }
  compiled->scopes_of_all_ = ScopesOfAll(compiled->policies_);
  return compiled;
}

std::vector<const CompiledPolicy*> CompiledPolicies::Matching(const types::v1::Principal& principal,
                                                              std::string_view server) const {
  std::vector<const CompiledPolicy*> matching;
  for (const std::uint32_t candidate : principals_.Find(principal)) {
    const CompiledPolicy& policy = *policies_[candidate];
    if (policy.CoversServer(server) && Names(policy.spec, principal)) matching.push_back(&policy);
  }
  return matching;
}

OpenDecision CompiledPolicies::EvaluateOpen(const types::v1::Principal& principal,
                                            std::string_view server, std::string_view agent,
                                            absl::Time now) const {
  OpenDecision decision;
  const std::vector<const CompiledPolicy*> matching = Matching(principal, server);
  if (matching.empty()) {
    decision.reason = types::v1::DENIAL_REASON_SERVER_UNKNOWN;
    int fewest = 0;
    for (const std::unique_ptr<CompiledPolicy>& policy : policies_) {
      if (!policy->CoversServer(server)) continue;
      for (const types::v1::PrincipalMatch& match : policy->spec.principals()) {
        if (!MatchesButForScopes(match, principal)) continue;
        const int missing = MissingScopes(match, principal);
        if (fewest != 0 && missing >= fewest) continue;
        fewest = missing;
        decision.reason = types::v1::DENIAL_REASON_SCOPE_MISSING;
        decision.required_scopes.assign(match.scopes().begin(), match.scopes().end());
      }
    }
    return decision;
  }
  if (const std::string_view lock = LockOn(principal, server, agent, now); !lock.empty()) {
    decision.reason = types::v1::DENIAL_REASON_LOCKED;
    decision.lock = lock;
    return decision;
  }
  for (const CompiledPolicy* policy : matching) decision.policies.push_back(policy->name);
  decision.terms = TightestTerms(matching, FindServer(server));
  DecideAdmission(matching, principal, now, decision);
  return decision;
}

SessionEndByPolicy CompiledPolicies::EndOf(const types::v1::Principal& principal,
                                           std::string_view server,
                                           const types::v1::EffectiveTerms& terms,
                                           absl::Time now) const {
  const std::vector<const CompiledPolicy*> matching = Matching(principal, server);
  // Where nothing names it any more, nothing is allowed either.
  if (matching.empty()) return {};
  // What they ask changes when one of them stops to observe.
  std::set<absl::Time> moments = {now};
  for (const CompiledPolicy* policy : matching) {
    if (policy->IsObserving(now)) moments.insert(policy->observe_until);
  }
  for (const absl::Time moment : moments) {
    std::string why = FreerThan(matching, principal, FindServer(server), terms, moment);
    if (!why.empty()) return {moment, std::move(why)};
  }
  return {};
}

std::string_view CompiledPolicies::LockOn(const types::v1::Principal& principal,
                                          std::string_view server, std::string_view agent,
                                          absl::Time now) const {
  for (const Lock& lock : locks_) {
    if (LockMatches(lock.spec, principal, server, agent, now)) return lock.name;
  }
  return {};
}

std::string_view CompiledPolicies::LockOut(const types::v1::Principal& principal,
                                           absl::Time now) const {
  for (const Lock& lock : locks_) {
    // One without a principal shuts servers, not people.
    if (lock.spec.has_principal() && LockMatches(lock.spec, principal, {}, {}, now))
      return lock.name;
  }
  return {};
}

std::vector<std::string> CompiledPolicies::OwnersOf(const types::v1::Principal& principal) const {
  std::set<std::string> owners;
  for (const std::unique_ptr<CompiledPolicy>& policy : policies_) {
    for (const types::v1::PrincipalMatch& match : policy->spec.principals()) {
      if (!MatchesButForScopes(match, principal)) continue;
      owners.insert(match.owners().begin(), match.owners().end());
    }
  }
  return {owners.begin(), owners.end()};
}

const types::v1::ServerSpec* CompiledPolicies::FindServer(std::string_view name) const {
  const auto found = servers_.find(name);
  return found == servers_.end() ? nullptr : &found->second;
}

types::v1::PinMode CompiledPolicies::PinOf(std::string_view server) const {
  const types::v1::ServerSpec* const spec = FindServer(server);
  return spec == nullptr || spec->pin() == types::v1::PIN_MODE_UNSPECIFIED
             ? types::v1::PIN_MODE_HOLD
             : spec->pin();
}

}  // namespace sallyport
