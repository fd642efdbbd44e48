#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "sallyport/config/v1/controlplane_config.pb.h"

namespace sallyport::controlplane {

// `t=<unix>,v1=<hex HMAC-SHA256(secret, t "." body)>`: what a receiver checks, and compares `t`
// with its own clock so that an old notice cannot be played to it again.
std::string WebhookSignature(std::string_view secret, absl::Time at, std::string_view body);

// One receiver of notices. Sends finished bytes; what they say and when to try again is decided
// above. Thread-safe.
class Webhook {
 public:
  // Reads the secret file once. kInvalidArgument for a URL that is neither https nor http to a
  // literal loopback address and for JSON without a secret, kFailedPrecondition for a secret that
  // is too short or that others could read.
  static absl::StatusOr<std::unique_ptr<Webhook>> Create(const config::v1::Notifier& config);

  const std::string& name() const { return name_; }

  // One POST, signed as of `now` where there is a secret. OK once the receiver has answered 2xx;
  // kFailedPrecondition where it refuses for good (4xx, but for those that ask to come again),
  // anything else is kUnavailable, with what happened (never the URL, whose path may be a secret).
  // Redirects are not followed. Blocks for at most 15 s, and less once `stopping` is true.
  absl::Status Send(std::string_view body, absl::Time now, const std::atomic<bool>& stopping) const;

 private:
  static absl::StatusOr<std::string> ReadSecret(const config::v1::Notifier& config);
  Webhook(const config::v1::Notifier& config, std::string secret, bool is_loopback);

  const std::string name_;
  const std::string url_;
  const std::string ca_file_;
  const std::string secret_;  // empty: nothing is signed
  const bool is_loopback_;
};

}  // namespace sallyport::controlplane
