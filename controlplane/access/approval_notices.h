#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "controlplane/model/approval.h"
#include "controlplane/model/session.h"
#include "controlplane/store/database.h"
#include "sallyport/config/v1/controlplane_config.pb.h"

namespace sallyport::controlplane {

// Puts the notice of a new approval, or of a session that did without one, into the outbox, once
// for each notifier of the configuration that one of its approvers concerns.
class ApprovalNotices {
 public:
  explicit ApprovalNotices(const config::v1::ControlPlaneConfig& config);

  // Body: {"id","type":"approval.pending","time","approval":{...}}. Given up when the approval
  // expires.
  absl::Status Enqueue(WriteTransaction& t, const Approval& approval, absl::Time now) const;

  // For those whom a session that broke glass has not asked. Body:
  // {"id","type":"session.break_glass","time","session":{...}}. Tried for a day.
  absl::Status EnqueueBreakGlass(WriteTransaction& t, const Session& session, absl::Time now) const;

 private:
  struct Notice {
    std::string type;
    std::string member;  // of the body: what it is about, whole
    std::string about;   // its id
    std::vector<std::string> approvers;
    absl::Time give_up_at;
  };
  absl::Status Tell(WriteTransaction& t, const Notice& notice, absl::Time now) const;

  struct Target {
    std::string name;
    std::vector<std::string> approvers;  // empty: all
  };
  std::vector<Target> targets_;
};

}  // namespace sallyport::controlplane
