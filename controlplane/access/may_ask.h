#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "controlplane/store/database.h"
#include "sallyport/types/v1/approval.pb.h"
#include "sallyport/types/v1/principal.pb.h"

namespace sallyport::controlplane {

// Whether one more question about the principal's access to the server may be put to people:
// LIMIT_EXCEEDED, with the time from which it may, where sixty-four of the last ten minutes were
// answered by nobody, taken back or not.
absl::Status CheckMayAsk(Transaction& t, const types::v1::Principal& principal,
                         std::string_view server, absl::Time now);

// Whether what is long in the approval finds room beside what is long in the open ones:
// LIMIT_EXCEEDED beyond 16 MiB of its principal, or 256 MiB in all. One without a long text always
// does, so that what is long keeps nobody from asking briefly.
absl::Status CheckRoomFor(Transaction& t, const types::v1::Approval& approval);

}  // namespace sallyport::controlplane
