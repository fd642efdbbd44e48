#include "controlplane/access/may_ask.h"

#include "absl/strings/str_cat.h"
#include "common/denial.h"
#include "common/status_macros.h"
#include "common/time_text.h"
#include "controlplane/store/approvals.h"

namespace sallyport::controlplane {
namespace {

constexpr int64_t kMostUnanswered = 64;
constexpr absl::Duration kWithin = absl::Minutes(10);

}  // namespace

absl::Status CheckMayAsk(Transaction& t, const types::v1::Principal& principal,
                         std::string_view server, absl::Time now) {
  ASSIGN_OR_RETURN(const approvals::Unanswered unanswered,
                   approvals::UnansweredSince(t, principal, server, now - kWithin));
  if (unanswered.count < kMostUnanswered) return absl::OkStatus();
  return Denied(types::v1::DENIAL_REASON_LIMIT_EXCEEDED,
                absl::StrCat(kMostUnanswered,
                             " approvals have been asked for within ten minutes that nobody has "
                             "answered; the next may be at ",
                             TimeText(unanswered.oldest + kWithin)));
}

}  // namespace sallyport::controlplane
