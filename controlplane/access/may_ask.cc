#include "controlplane/access/may_ask.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "common/denial.h"
#include "common/status_macros.h"
#include "common/time_text.h"
#include "controlplane/model/approval_texts.h"
#include "controlplane/store/approvals.h"

namespace sallyport::controlplane {
namespace {

constexpr int64_t kMostUnanswered = 64;
constexpr absl::Duration kWithin = absl::Minutes(10);
constexpr int64_t kMostLongBytesOfPrincipal = 16 << 20;
constexpr int64_t kMostLongBytes = 256 << 20;

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

absl::Status CheckRoomFor(Transaction& t, const types::v1::Approval& approval) {
  const std::optional<types::v1::Approval> texts = LongTexts(approval);
  if (!texts.has_value()) return absl::OkStatus();
  const auto bytes = static_cast<int64_t>(texts->ByteSizeLong());
  ASSIGN_OR_RETURN(const approvals::LongBytes kept,
                   approvals::CountLongBytes(t, approval.principal()));
  constexpr char kWhatToDo[] =
      "; ask again when some of them are decided or taken back, or with less than 4 KiB";
  if (kept.of_principal + bytes > kMostLongBytesOfPrincipal) {
    return Denied(types::v1::DENIAL_REASON_LIMIT_EXCEEDED,
                  absl::StrCat("what waits for approval of this principal would be longer than ",
                               kMostLongBytesOfPrincipal >> 20, " MiB", kWhatToDo));
  }
  if (kept.in_all + bytes > kMostLongBytes) {
    return Denied(types::v1::DENIAL_REASON_LIMIT_EXCEEDED,
                  absl::StrCat("what waits for approval would be longer than ",
                               kMostLongBytes >> 20, " MiB in all", kWhatToDo));
  }
  return absl::OkStatus();
}

}  // namespace sallyport::controlplane
