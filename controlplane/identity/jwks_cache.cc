#include "controlplane/identity/jwks_cache.h"

#include <algorithm>
#include <utility>

#include "common/file.h"
#include "common/log.h"
#include "common/principal/endpoint_url.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "controlplane/identity/discovery.h"
#include "controlplane/identity/https_client.h"

namespace sallyport::controlplane {
namespace {

constexpr absl::Duration kDefaultMinRefresh = absl::Seconds(30);
constexpr absl::Duration kMinMaxAge = absl::Seconds(30);
constexpr absl::Duration kMaxMaxAge = absl::Seconds(60);
constexpr double kRefreshAt = 0.8;
constexpr absl::Duration kFirstRetry = absl::Seconds(1);
constexpr absl::Duration kLastRetry = absl::Seconds(30);
constexpr absl::Duration kDiscoveryLife = absl::Hours(1);
constexpr absl::Duration kTellAgain = absl::Hours(1);
constexpr absl::Duration kUnknownLife = absl::Minutes(5);
constexpr std::size_t kMaxUnknown = 256;
constexpr int kMaxWaiters = 4;

absl::Duration MinRefreshOf(const config::v1::JwksSource& jwks) {
  if (!jwks.has_min_refresh()) return kDefaultMinRefresh;
  return absl::Seconds(jwks.min_refresh().seconds()) +
         absl::Nanoseconds(jwks.min_refresh().nanos());
}

absl::StatusOr<jose::KeySet> UsableKeys(std::string_view json) {
  ASSIGN_OR_RETURN(jose::KeySet keys, jose::KeySet::Parse(json));
  if (keys.empty()) return absl::InvalidArgumentError("key set has no usable key");
  return keys;
}

}  // namespace

JwksCache::JwksCache(const config::v1::Issuer& entry, const Clock& clock)
    : entry_(entry),
      clock_(clock),
      min_refresh_(MinRefreshOf(entry.jwks())),
      backoff_(kFirstRetry, kLastRetry) {}

absl::StatusOr<std::unique_ptr<JwksCache>> JwksCache::Create(const config::v1::Issuer& entry,
                                                             const Clock& clock) {
  std::unique_ptr<JwksCache> cache(new JwksCache(entry, clock));
  if (entry.jwks().file().empty()) return cache;
  if (absl::Status loaded = cache->RefreshNow(); !loaded.ok()) {
    return absl::InvalidArgumentError("issuer \"" + entry.id() +
                                      "\": jwks.file: " + std::string(ToStd(loaded.message())));
  }
  return cache;
}

JwksCache::~JwksCache() { Stop(); }

void JwksCache::Start() {
  if (!entry_.jwks().file().empty()) return;
  thread_ = std::thread([this] { Run(); });
}

void JwksCache::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    is_stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

KnownKeys JwksCache::Known() const {
  absl::MutexLock lock(&mutex_);
  return known_;
}

void JwksCache::Run() {
  while (true) {
    absl::Duration wait;
    {
      absl::MutexLock lock(&mutex_);
      wait = last_attempt_ + wait_ - clock_.SinceBoot();
      if (mutex_.AwaitWithTimeout(absl::Condition(&is_stopping_), wait)) return;
      // Somebody else's fetch may have come in between.
      if (clock_.SinceBoot() < last_attempt_ + wait_ || !Claim()) continue;
    }
    Fly().IgnoreError();  // logged there
  }
}

bool JwksCache::Has(std::string_view key_id) const {
  return known_.keys != nullptr && known_.keys->Find(key_id) != nullptr;
}

bool JwksCache::Claim() {
  if (is_flying_) {
    // Looked at again once it has landed.
    const auto landed = [this] {
      mutex_.AssertReaderHeld();
      return !is_flying_ || is_stopping_;
    };
    mutex_.Await(absl::Condition(&landed));
    return false;
  }
  is_flying_ = true;
  last_attempt_ = clock_.SinceBoot();
  return true;
}

bool JwksCache::MayFetchFor(const std::string& key_id) {
  const absl::Duration now = clock_.SinceBoot();
  if (!entry_.jwks().file().empty() || is_stopping_) return false;
  if (const auto asked = unknown_.find(key_id); asked != unknown_.end()) {
    if (now - asked->second < kUnknownLife) return false;
    unknown_.erase(asked);
  }
  return now - last_attempt_ >= min_refresh_;
}

void JwksCache::NoteUnknown(const std::string& key_id) {
  if (unknown_.size() >= kMaxUnknown) unknown_.clear();
  unknown_.insert_or_assign(key_id, clock_.SinceBoot());
}

bool JwksCache::Refresh(std::string_view key_id) {
  const std::string id(key_id);
  {
    absl::MutexLock lock(&mutex_);
    if (Has(id)) return true;
    if (is_flying_) {
      if (waiters_ >= kMaxWaiters) return false;
      ++waiters_;
      const auto landed = [this] {
        mutex_.AssertReaderHeld();
        return !is_flying_;
      };
      mutex_.Await(absl::Condition(&landed));
      --waiters_;
      return Has(id);
    }
    if (!MayFetchFor(id)) return false;
    is_flying_ = true;
    last_attempt_ = clock_.SinceBoot();
  }
  const absl::Status fetched = Fly();
  absl::MutexLock lock(&mutex_);
  if (Has(id)) return true;
  if (fetched.ok()) NoteUnknown(id);
  return false;
}

absl::Status JwksCache::RefreshNow() {
  {
    absl::MutexLock lock(&mutex_);
    while (!Claim()) {
      if (is_stopping_) return absl::CancelledError("stopping");
    }
    discovered_uri_.clear();
  }
  return Fly();
}

std::string JwksCache::KeysFrom() const {
  if (!entry_.jwks().file().empty()) return entry_.jwks().file();
  if (!entry_.jwks().uri().empty()) return entry_.jwks().uri();
  absl::MutexLock lock(&mutex_);
  return discovered_uri_;
}

absl::Status JwksCache::Fly() {
  absl::StatusOr<Fetched> fetched = Fetch();
  const absl::Status status = fetched.status();
  bool is_news = false;
  std::size_t keys = 0;
  std::size_t skipped = 0;
  {
    absl::MutexLock lock(&mutex_);
    is_flying_ = false;
    if (fetched.ok()) {
      keys = fetched->keys.size();
      skipped = fetched->keys.skipped().size();
      is_news = Take(*std::move(fetched));
    } else {
      wait_ = backoff_.Next();
      discovered_uri_.clear();
    }
  }
  if (!status.ok()) {
    LogWarning("issuer_keys_not_fetched", {{"issuer", entry_.id()}, {"error", status}});
  } else if (is_news) {
    LogInfo("issuer_keys", {{"issuer", entry_.id()}, {"keys", keys}, {"skipped", skipped}});
    if (changed_) changed_();
  }
  return status;
}

bool JwksCache::Take(Fetched fetched) {
  backoff_.Reset();
  wait_ = std::clamp(fetched.max_age, kMinMaxAge, kMaxMaxAge) * kRefreshAt;
  const bool is_changed = known_.keys == nullptr || known_.keys->ToJson() != fetched.keys.ToJson();
  known_.fetched_at = clock_.Now();
  if (is_changed) {
    known_.keys = std::make_shared<const jose::KeySet>(std::move(fetched.keys));
    unknown_.clear();
  }
  // Agents keep the keys' age too.
  if (!is_changed && clock_.SinceBoot() - last_told_ < kTellAgain) return false;
  last_told_ = clock_.SinceBoot();
  return true;
}

absl::StatusOr<JwksCache::Fetched> JwksCache::Fetch() {
  if (const std::string& file = entry_.jwks().file(); !file.empty()) {
    ASSIGN_OR_RETURN(const std::string json, ReadFile(file, jose::kMaxKeySetBytes));
    ASSIGN_OR_RETURN(jose::KeySet keys, UsableKeys(json));
    return Fetched{std::move(keys), absl::ZeroDuration()};
  }
  ASSIGN_OR_RETURN(const std::string uri, JwksUri());
  return FetchFrom(uri);
}

absl::StatusOr<std::string> JwksCache::JwksUri() {
  if (!entry_.jwks().uri().empty()) return entry_.jwks().uri();
  {
    absl::MutexLock lock(&mutex_);
    const bool is_fresh = clock_.SinceBoot() - discovered_at_ < kDiscoveryLife;
    if (!discovered_uri_.empty() && is_fresh) return discovered_uri_;
  }
  ASSIGN_OR_RETURN(const Discovery discovery,
                   Discover(entry_.issuer(), {.ca_file = entry_.jwks().ca_file()}));
  if (HostOf(discovery.jwks_uri) != HostOf(entry_.issuer())) {
    return absl::InvalidArgumentError(
        "jwks_uri is on another host than the issuer: set jwks.uri to " + discovery.jwks_uri +
        " if that is right");
  }
  absl::MutexLock lock(&mutex_);
  discovered_uri_ = discovery.jwks_uri;
  discovered_at_ = clock_.SinceBoot();
  return discovery.jwks_uri;
}

absl::StatusOr<JwksCache::Fetched> JwksCache::FetchFrom(const std::string& uri) {
  ASSIGN_OR_RETURN(
      const HttpsResponse response,
      HttpsGet(uri, {.ca_file = entry_.jwks().ca_file(), .max_bytes = jose::kMaxKeySetBytes}));
  if (response.status != 200) {
    return absl::UnavailableError("keys: the answer is " + std::to_string(response.status));
  }
  ASSIGN_OR_RETURN(jose::KeySet keys, UsableKeys(response.body));
  return Fetched{std::move(keys), response.max_age};
}

}  // namespace sallyport::controlplane
