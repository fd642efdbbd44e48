#include "controlplane/identity/issuers.h"

#include <future>
#include <utility>

#include "absl/status/status.h"
#include "common/status_macros.h"
#include "controlplane/identity/jwks_cache.h"

namespace sallyport::controlplane {
namespace {

google::protobuf::Timestamp ToTimestamp(absl::Time time) {
  google::protobuf::Timestamp timestamp;
  timestamp.set_seconds(absl::ToUnixSeconds(time));
  return timestamp;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Issuers>> Issuers::Create(
    const std::vector<config::v1::Issuer>& issuers, const std::vector<std::string>& admin_audiences,
    const Clock& clock) {
  std::unique_ptr<Issuers> result(new Issuers());
  result->clock_ = &clock;
  ASSIGN_OR_RETURN(result->trusted_, TrustedIssuers::Compile(issuers, admin_audiences));
  for (const config::v1::Issuer& entry : issuers) {
    ASSIGN_OR_RETURN(result->caches_.emplace_back(), JwksCache::Create(entry, clock));
  }
  return result;
}

Issuers::~Issuers() { Stop(); }

void Issuers::OnKeysChanged(std::function<void()> observer) {
  for (const auto& cache : caches_) cache->OnChanged(observer);
}

void Issuers::Start() {
  for (const auto& cache : caches_) cache->Start();
}

void Issuers::Stop() {
  for (const auto& cache : caches_) cache->Stop();
}

JwksCache* Issuers::CacheOf(std::string_view issuer_id) const {
  for (const auto& cache : caches_) {
    if (cache->entry().id() == issuer_id) return cache.get();
  }
  return nullptr;
}

std::variant<Identity, TokenRefusal> Issuers::Identify(std::string_view token,
                                                       const Presentation& presentation) {
  const auto keys_of = [this](std::string_view issuer_id) {
    const JwksCache* cache = CacheOf(issuer_id);
    return cache == nullptr ? KnownKeys() : cache->Known();
  };
  auto result = trusted_->Identify(token, presentation, keys_of, clock_->Now());
  const auto* refusal = std::get_if<TokenRefusal>(&result);
  if (refusal == nullptr || refusal->unknown_key_id.empty()) return result;
  JwksCache* cache = CacheOf(refusal->issuer_id);
  if (cache == nullptr || !cache->Refresh(refusal->unknown_key_id)) return result;
  return trusted_->Identify(token, presentation, keys_of, clock_->Now());
}

absl::StatusOr<bool> Issuers::Refresh(std::string_view issuer_id, std::string_view key_id) {
  JwksCache* cache = CacheOf(issuer_id);
  if (cache == nullptr) return absl::NotFoundError("there is no such issuer entry");
  return cache->Refresh(key_id);
}

KeyStanding Issuers::StandingOf(std::string_view issuer_id, std::string_view signing_key) const {
  const JwksCache* cache = CacheOf(issuer_id);
  if (cache == nullptr) return KeyStanding::kNoIssuer;
  const KnownKeys known = cache->Known();
  if (known.keys == nullptr) return KeyStanding::kUnknown;
  return known.keys->Holds(signing_key) ? KeyStanding::kPublished : KeyStanding::kWithdrawn;
}

absl::Status Issuers::RefreshNow(std::string_view issuer_id) {
  JwksCache* cache = CacheOf(issuer_id);
  if (cache == nullptr) return absl::NotFoundError("there is no such issuer entry");
  return cache->RefreshNow();
}

absl::StatusOr<std::vector<Issuers::State>> Issuers::CheckNow(std::string_view issuer_id) {
  std::vector<std::future<State>> checks;
  for (const auto& each : caches_) {
    if (!issuer_id.empty() && each->entry().id() != issuer_id) continue;
    checks.push_back(std::async(std::launch::async, [cache = each.get()] {
      State state{.entry = cache->entry(), .fetched = cache->RefreshNow()};
      state.keys_from = cache->KeysFrom();
      state.known = cache->Known();
      return state;
    }));
  }
  if (checks.empty() && !issuer_id.empty()) {
    return absl::NotFoundError("there is no issuer entry " + std::string(issuer_id));
  }
  std::vector<State> states;
  for (std::future<State>& check : checks) states.push_back(check.get());
  return states;
}

std::vector<agent::v1::IssuerKeys> Issuers::ForSnapshot() const {
  std::vector<agent::v1::IssuerKeys> all;
  for (const auto& cache : caches_) {
    agent::v1::IssuerKeys& keys = all.emplace_back();
    *keys.mutable_issuer() = cache->entry();
    const KnownKeys known = cache->Known();
    if (known.keys == nullptr) continue;
    keys.set_jwks(known.keys->ToJson());
    *keys.mutable_fetched_at() = ToTimestamp(known.fetched_at);
  }
  return all;
}

}  // namespace sallyport::controlplane
