#include "controlplane/access/notices.h"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/denial.h"
#include "common/status_macros.h"
#include "controlplane/access/moot_notice.h"
#include "controlplane/access/page.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/store/audit_log.h"
#include "controlplane/store/outbox.h"

namespace sallyport::controlplane {
namespace {

constexpr absl::Duration kRetriedFor = absl::Hours(1);

absl::Status RequireReader(const Caller& caller) {
  const PersonCaller* person = caller.person();
  if (caller.is_admin() || (person != nullptr && person->may_manage && person->is_auditor))
    return absl::OkStatus();
  return Denied(types::v1::DENIAL_REASON_ROLE_MISSING, "notices are for admins and auditors");
}

absl::StatusOr<int64_t> BeforeOf(const std::string& page_token) {
  int64_t before = std::numeric_limits<int64_t>::max();
  if (page_token.empty() || absl::SimpleAtoi(page_token, &before)) return before;
  return absl::InvalidArgumentError("page_token is none of ours");
}

admin::v1::Notice Shown(const outbox::Notice& notice) {
  admin::v1::Notice shown;
  shown.set_id(notice.id);
  shown.set_notifier(notice.notifier);
  shown.set_type(notice.type);
  shown.set_approval_id(notice.approval_id);
  shown.set_session_id(notice.session_id);
  shown.set_state(notice.state);
  *shown.mutable_created_at() = ToProto(notice.created_at);
  if (notice.state == admin::v1::NOTICE_STATE_WAITING)
    *shown.mutable_next_attempt_at() = ToProto(notice.next_attempt_at);
  shown.set_attempts(static_cast<uint32_t>(notice.attempts));
  shown.set_last_error(notice.last_error);
  return shown;
}

}  // namespace

absl::StatusOr<admin::v1::ListNoticesResponse> Notices::Run(
    const Caller& caller, const admin::v1::ListNoticesRequest& request) {
  RETURN_IF_ERROR(RequireReader(caller));
  ASSIGN_OR_RETURN(const int limit, PageLimit(request.page_size()));
  ASSIGN_OR_RETURN(const int64_t before, BeforeOf(request.page_token()));
  ASSIGN_OR_RETURN(const auto t, control_.Read());
  ASSIGN_OR_RETURN(std::vector<outbox::Notice> found,
                   outbox::List(*t, request.state(), before, limit + 1));
  admin::v1::ListNoticesResponse response;
  if (found.size() > static_cast<size_t>(limit)) {
    found.pop_back();
    response.set_next_page_token(absl::StrCat(found.back().n));
  }
  for (const outbox::Notice& notice : found) *response.add_items() = Shown(notice);
  return response;
}

absl::StatusOr<admin::v1::RetryNoticeResponse> Notices::Run(
    const Caller& caller, const admin::v1::RetryNoticeRequest& request) {
  if (!caller.is_admin())
    return Denied(types::v1::DENIAL_REASON_ROLE_MISSING, "notices are retried by admins");
  const absl::Time now = clock_.Now();
  ASSIGN_OR_RETURN(const auto t, control_.Write(WriteFor::kOperators));
  ASSIGN_OR_RETURN(const bool revived, outbox::Revive(*t, request.id(), now, now + kRetriedFor));
  ASSIGN_OR_RETURN(const std::optional<outbox::Notice> notice, outbox::Find(*t, request.id()));
  if (!notice.has_value()) return absl::NotFoundError("there is no notice " + request.id());
  if (!revived) return absl::FailedPreconditionError("notice " + request.id() + " is not dead");
  ASSIGN_OR_RETURN(const std::optional<Moot> moot, MootOf(*t, notice->approval_id));
  if (moot.has_value())
    return absl::FailedPreconditionError(moot->why + ": there is nothing left to ask for");
  RETURN_IF_ERROR(
      audit_log::Append(*t, audit_log::LineOf(caller, now, "notice.retry", request.id())));
  RETURN_IF_ERROR(t->Commit());
  admin::v1::RetryNoticeResponse response;
  *response.mutable_notice() = Shown(*notice);
  return response;
}

}  // namespace sallyport::controlplane
