#pragma once

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controlplane/model/session.h"
#include "controlplane/store/database.h"

namespace sallyport::controlplane {

// What a session that opens now is given. A window lasts terms.max_duration from its first session;
// sessions inside it share its end and one budget of counted calls, so that ending a session and
// opening the next wins neither time nor calls. Windows and sessions end with a whole second.

// For a session that a new approval opens.
absl::StatusOr<Admission> AdmitToNewWindow(WriteTransaction& t,
                                           const types::v1::Principal& principal,
                                           const std::string& server,
                                           const types::v1::EffectiveTerms& terms,
                                           absl::Duration duration, absl::Time now);

// For any other: into the principal's open window where there is one; in its last second into the
// next one, which is counted from that one's end. LIMIT_EXCEEDED where its calls are used up.
absl::StatusOr<Admission> Admit(WriteTransaction& t, const types::v1::Principal& principal,
                                const std::string& server, const types::v1::EffectiveTerms& terms,
                                absl::Duration duration, absl::Time now);

}  // namespace sallyport::controlplane
