#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "controlplane/deliver_notices.h"
#include "controlplane/housekeeping.h"
#include "controlplane/identity/issuers.h"
#include "controlplane/keys/deployment_keys.h"
#include "controlplane/rpc/doors.h"
#include "controlplane/rpc/local_listener.h"
#include "controlplane/rpc/metrics.h"
#include "controlplane/rpc/use_cases.h"
#include "controlplane/server_certificates.h"
#include "controlplane/settings.h"
#include "controlplane/store/database.h"
#include "controlplane/store/disk_reserve.h"

namespace sallyport::controlplane {

// The whole control plane: opens what it stands on, builds the use cases, opens the doors. Nothing
// here decides anything.
class ControlPlane {
 public:
  // Serves when it returns. An error says what is wrong and leaves nothing running; a second one on
  // the same data_dir is refused. `clock` outlives it.
  static absl::StatusOr<std::unique_ptr<ControlPlane>> Start(Settings settings, const Clock& clock);
  ~ControlPlane();
  ControlPlane(const ControlPlane&) = delete;
  ControlPlane& operator=(const ControlPlane&) = delete;

  struct Addresses {
    std::string api;    // host:port
    std::string admin;  // unix:///path
    std::string local;  // host:port
  };
  const Addresses& addresses() const { return addresses_; }

  // Lets nobody in any more, ends streams, gives running calls a few seconds, and returns when
  // nothing runs any more.
  void Drain();

 private:
  ControlPlane(Settings settings, const Clock& clock);
  absl::Status OpenStores();
  absl::Status OpenKeys();
  absl::Status OpenIdentity();
  absl::Status OpenDoors();
  void MeasureDisk();
  void StartBackground();
  absl::Status Readiness();

  Settings settings_;
  const Clock& clock_;
  Metrics metrics_;
  Addresses addresses_;
  std::atomic<bool> draining_ = false;

  // In the order in which they are made; they end in the opposite one.
  std::unique_ptr<DiskReserve> reserve_;
  std::unique_ptr<Database> control_;
  std::unique_ptr<Database> recordings_;
  std::unique_ptr<DeploymentKeys> keys_;
  std::unique_ptr<Issuers> issuers_;
  std::unique_ptr<CurrentPolicies> policies_;
  std::unique_ptr<Foundations> foundations_;
  std::unique_ptr<UseCases> use_cases_;
  std::unique_ptr<IdentifyCaller> identify_;
  std::unique_ptr<ServerCertificates> certificates_;
  std::unique_ptr<DeliverNotices> deliver_notices_;
  std::unique_ptr<Housekeeping> housekeeping_;
  std::unique_ptr<Doors> doors_;
  std::unique_ptr<LocalListener> local_listener_;
};

}  // namespace sallyport::controlplane
