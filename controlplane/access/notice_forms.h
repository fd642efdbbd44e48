#pragma once

#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "sallyport/config/v1/controlplane_config.pb.h"
#include "sallyport/types/v1/approval.pb.h"
#include "sallyport/types/v1/session.pb.h"

namespace sallyport::controlplane {

// What a receiver tells notices apart by.
struct NoticeHead {
  std::string_view id;
  std::string_view type;
  absl::Time time;
};

// The bytes to send. JSON has the whole thing: {"id","type","time","approval" or "session"}. Slack
// and Teams take less: what is long is cut, and says so; whatever a caller or a server has chosen
// stands in text that neither of them formats, with what is unsafe to show escaped.
std::string NoticeBody(config::v1::NoticeFormat format, const NoticeHead& head,
                       const types::v1::Approval& approval);
// Of a session that was opened without its approval.
std::string NoticeBody(config::v1::NoticeFormat format, const NoticeHead& head,
                       const types::v1::Session& session);

}  // namespace sallyport::controlplane
