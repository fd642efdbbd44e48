#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "controlplane/model/approval.h"
#include "controlplane/store/database.h"
#include "sallyport/config/v1/controlplane_config.pb.h"

namespace sallyport::controlplane {

// Puts the notice of a new approval into the outbox, once for each notifier of the configuration
// that one of its approvers concerns.
class ApprovalNotices {
 public:
  explicit ApprovalNotices(const config::v1::ControlPlaneConfig& config);

  // Body: {"id","type":"approval.pending","time","approval":{...}}. Given up when the approval
  // expires.
  absl::Status Enqueue(WriteTransaction& t, const Approval& approval, absl::Time now) const;

 private:
  struct Target {
    std::string name;
    std::vector<std::string> approvers;  // empty: all
  };
  std::vector<Target> targets_;
};

}  // namespace sallyport::controlplane
