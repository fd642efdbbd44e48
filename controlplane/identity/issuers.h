#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/principal/identity.h"
#include "common/principal/trusted_issuers.h"
#include "sallyport/agent/v1/snapshot_service.pb.h"
#include "sallyport/config/v1/issuer.pb.h"

namespace sallyport::controlplane {

class JwksCache;

// What has become of a key that has signed a token.
enum class KeyStanding {
  kPublished,
  kWithdrawn,  // the issuer's keys were fetched since, and it is not among them
  kUnknown,    // the issuer has not been reached yet
  kNoIssuer,   // there is no such entry
};

// The identity providers of the configuration, with their keys kept fresh. Starts without them:
// until one has been reached its tokens are ISSUER_UNAVAILABLE. Thread-safe.
class Issuers {
 public:
  // kInvalidArgument for a configuration that may not stand, or a JWKS file that cannot be read.
  // `clock` outlives it.
  static absl::StatusOr<std::unique_ptr<Issuers>> Create(
      const std::vector<config::v1::Issuer>& issuers,
      const std::vector<std::string>& admin_audiences, const Clock& clock);
  // Stops.
  ~Issuers();
  Issuers(const Issuers&) = delete;
  Issuers& operator=(const Issuers&) = delete;

  // Called after an issuer's keys have changed, and once an hour while they have not: agents are
  // told how old their keys are, and must not outlive stale_max. On the thread that fetched, which
  // may be one that is in Identify or Refresh: neither may be called inside a write transaction.
  // Before Start. The observer must not call this object's Stop.
  void OnKeysChanged(std::function<void()> observer);

  // Begins to fetch in the background; returns at once.
  void Start();
  // Waits until a fetch that is under way has ended (5 s at most).
  void Stop();

  // Who the token speaks for. A key id that the issuer's keys lack gets one refresh (if the last
  // attempt is at least min_refresh ago), for which this waits, 5 s at most.
  std::variant<Identity, TokenRefusal> Identify(std::string_view token,
                                                const Presentation& presentation);

  // For an agent that has met a key id its snapshot lacks: refreshes as Identify does. Whether the
  // issuer publishes the key now. kNotFound: there is no such entry.
  absl::StatusOr<bool> Refresh(std::string_view issuer_id, std::string_view key_id);

  // Of a key by its thumbprint.
  KeyStanding StandingOf(std::string_view issuer_id, std::string_view signing_key) const;

  // Fetches again at once, whatever min_refresh says: an operator's word.
  absl::Status RefreshNow(std::string_view issuer_id);

  // One entry, and its keys as they are now.
  struct State {
    config::v1::Issuer entry;
    // URL or file; empty: discovery has not said.
    std::string keys_from;
    KnownKeys known;
    // Of the fetch that was made for this.
    absl::Status fetched;
  };
  // The same from all of them, side by side, with what came of it. Waits for the slowest, some 10 s
  // at most. `issuer_id` empty: every entry. kNotFound: there is no such entry.
  absl::StatusOr<std::vector<State>> CheckNow(std::string_view issuer_id);

  // For snapshots: each entry with its keys as they are now.
  std::vector<agent::v1::IssuerKeys> ForSnapshot() const;

  const TrustedIssuers& trusted() const { return *trusted_; }

 private:
  Issuers() = default;
  JwksCache* CacheOf(std::string_view issuer_id) const;

  std::shared_ptr<const TrustedIssuers> trusted_;
  std::vector<std::unique_ptr<JwksCache>> caches_;
  const Clock* clock_ = nullptr;
};

}  // namespace sallyport::controlplane
