#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controlplane/model/approval.h"
#include "controlplane/model/session.h"
#include "controlplane/store/database.h"
#include "sallyport/config/v1/controlplane_config.pb.h"

namespace sallyport::controlplane {

// Puts the notice of a new approval, or of a session that did without one, into the outbox, once
// for each notifier of the configuration that one of its approvers concerns, in that notifier's
// form (notice_forms).
class ApprovalNotices {
 public:
  explicit ApprovalNotices(const config::v1::ControlPlaneConfig& config);

  // The approval has been inserted. Given up when it expires. Where it concerns no notifier, it
  // carries an alarm from now on.
  absl::Status Enqueue(WriteTransaction& t, const Approval& approval, absl::Time now) const;
  // For those whom a session that broke glass has not asked. Tried for a day. The session is
  // written after this: it says whom of them no notifier concerns, and carries an alarm where there
  // is one.
  absl::Status EnqueueBreakGlass(WriteTransaction& t, Session& session, absl::Time now) const;

 private:
  struct Target {
    std::string name;
    std::vector<std::string> approvers;  // empty: all
    config::v1::NoticeFormat format;
  };
  static bool Concerns(const Target& target, const std::vector<std::string>& approvers);

  struct Notice {
    std::string_view type;
    std::string_view approval_id = {};
    std::string_view session_id = {};
    std::vector<std::string> approvers;
    absl::Time give_up_at;
    // The bytes for a notifier, given the notice's id.
    std::function<std::string(config::v1::NoticeFormat, const std::string& id)> body;
  };
  absl::Status Tell(WriteTransaction& t, const Notice& notice, absl::Time now) const;

  std::vector<Target> targets_;
};

}  // namespace sallyport::controlplane
