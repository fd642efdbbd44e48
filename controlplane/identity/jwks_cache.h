#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/backoff.h"
#include "common/clock.h"
#include "common/jose/key_set.h"
#include "common/principal/identity.h"
#include "sallyport/config/v1/issuer.pb.h"

namespace sallyport::controlplane {

// The keys of one issuer entry, fetched again and again: after 80 % of max-age (30 to 60 s), with a
// backoff of 1 to 30 s after a failure. At most one fetch at a time. A fetch that succeeds replaces
// the keys whole, so that a withdrawn key is gone at once; one that fails, or brings no usable key,
// changes nothing. Thread-safe.
class JwksCache {
 public:
  // The entry must have been compiled (TrustedIssuers): what it says is not judged again.
  // kInvalidArgument when it names a file that holds no usable keys. `changed` is called without a
  // lock, on the thread that fetched. `clock` outlives it.
  static absl::StatusOr<std::unique_ptr<JwksCache>> Create(const config::v1::Issuer& entry,
                                                           const Clock& clock);
  ~JwksCache();
  JwksCache(const JwksCache&) = delete;
  JwksCache& operator=(const JwksCache&) = delete;

  const config::v1::Issuer& entry() const { return entry_; }

  // Before Start and the first Refresh.
  void OnChanged(std::function<void()> changed) { changed_ = std::move(changed); }

  void Start();
  void Stop();

  KnownKeys Known() const;

  // Whether the issuer has the key, after at most one fetch, which is made only if the last attempt
  // is at least min_refresh ago and this key id has not been asked for in vain lately. Of all who
  // ask during a fetch a few wait for it; the rest are told no, so that a flood of made-up key ids
  // holds up nobody.
  bool Refresh(std::string_view key_id);

  // Fetches now, discovery included.
  absl::Status RefreshNow();

  // Where the keys come from: a URL or a file. Empty: discovery has not said.
  std::string KeysFrom() const;

 private:
  struct Fetched {
    jose::KeySet keys;
    absl::Duration max_age;
  };

  JwksCache(const config::v1::Issuer& entry, const Clock& clock);
  void Run();
  bool MayFetchFor(const std::string& key_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void NoteUnknown(const std::string& key_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Claims the one flight; false: another holds it.
  bool Claim() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Makes the fetch that was claimed.
  absl::Status Fly() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<Fetched> Fetch() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<Fetched> FetchFrom(const std::string& uri);
  absl::StatusOr<std::string> JwksUri() ABSL_LOCKS_EXCLUDED(mutex_);
  // True: observers must hear of it.
  bool Take(Fetched fetched) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Has(std::string_view key_id) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  const config::v1::Issuer entry_;
  const Clock& clock_;
  const absl::Duration min_refresh_;
  std::function<void()> changed_;

  mutable absl::Mutex mutex_;
  KnownKeys known_ ABSL_GUARDED_BY(mutex_);
  // All of CLOCK_BOOTTIME.
  absl::Duration last_attempt_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
  absl::Duration last_told_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
  absl::Duration wait_ ABSL_GUARDED_BY(mutex_);  // from the last attempt to the next
  Backoff backoff_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, absl::Duration, std::less<>> unknown_ ABSL_GUARDED_BY(mutex_);
  std::string discovered_uri_ ABSL_GUARDED_BY(mutex_);
  absl::Duration discovered_at_ ABSL_GUARDED_BY(mutex_);
  bool is_flying_ ABSL_GUARDED_BY(mutex_) = false;
  int waiters_ ABSL_GUARDED_BY(mutex_) = 0;
  bool is_stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace sallyport::controlplane
