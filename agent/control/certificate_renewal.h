#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "agent/control/enrollment.h"
#include "agent/link/channel.h"
#include "agent/loop/loop.h"
#include "agent/loop/signal.h"
#include "agent/loop/task.h"
#include "common/clock.h"

namespace sallyport::agent {

// Keeps the agent's certificate fresh: at half of its life a new key is signed over the agents'
// door, kept in data_dir and put to use on the channel. Failures are retried with a jittered
// backoff of up to 10 minutes, as long as the certificate holds. On the loop's thread.
class CertificateRenewal {
 public:
  // All outlive the renewal, which takes what it needs from `enrollment`.
  CertificateRenewal(ControlPlaneChannel& channel, const Clock& clock, std::string data_dir,
                     const Enrollment& enrollment);

  // Runs on the loop until Drain.
  void Start();
  // Returns when nothing of it runs any more.
  Task<void> Drain();

  // One renewal now.
  Task<absl::Status> Renew();

  // Of the certificate in use.
  absl::Time not_after() const { return not_after_; }

 private:
  Task<void> Run();
  // Until the next attempt, while the certificate is young.
  absl::Duration UntilDue() const;

  ControlPlaneChannel& channel_;
  const Clock& clock_;
  const std::string data_dir_;
  const std::string name_;
  const std::string ca_;
  absl::Time not_before_;
  absl::Time not_after_;
  Signal stop_;
  Signal stopped_;
  bool is_started_ = false;
};

}  // namespace sallyport::agent
