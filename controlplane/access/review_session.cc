#include "controlplane/access/review_session.h"

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "common/denial.h"
#include "common/policy/approvers.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "controlplane/store/audit_log.h"
#include "controlplane/store/locks.h"
#include "controlplane/store/records.h"
#include "controlplane/store/sessions.h"

namespace sallyport::controlplane {
namespace {

constexpr size_t kMaxNoteBytes = 1000;

}  // namespace

absl::Status ReviewSession::CheckEligible(Transaction& t, const Caller& caller,
                                          const types::v1::Session& session) {
  const PersonCaller* person = caller.person();
  if (person == nullptr || !person->may_manage) {
    return Denied(types::v1::DENIAL_REASON_APPROVER_NOT_ELIGIBLE,
                  "sessions are reviewed by people, each with a token of their own");
  }
  ASSIGN_OR_RETURN(const InForce in_force, policies_.In(t));
  const auto& skipped = session.break_glass().skipped_approvers();
  return CheckApprover(person->principal, session.principal(),
                       std::vector<std::string>(skipped.begin(), skipped.end()),
                       in_force.policies->OwnersOf(session.principal()));
}

absl::StatusOr<admin::v1::ReviewSessionResponse> ReviewSession::Run(
    const Caller& caller, const admin::v1::ReviewSessionRequest& request) {
  if (absl::StripAsciiWhitespace(request.note()).empty())
    return absl::InvalidArgumentError("a review needs a note");
  if (request.note().size() > kMaxNoteBytes)
    return absl::InvalidArgumentError("note is longer than 1,000 bytes");
  const absl::Time now = clock_.Now();
  ASSIGN_OR_RETURN(const auto t, control_.Write(WriteFor::kOperators));
  ASSIGN_OR_RETURN(std::optional<Session> session, sessions::Find(*t, request.id()));
  if (!session.has_value() || !session->proto().has_break_glass())
    return absl::NotFoundError("there is no session " + request.id() + " that broke glass");
  audit_log::Line line =
      audit_log::LineOf(caller, now, "session.review", session->id(), request.note());
  RETURN_IF_ERROR(locks::RefuseShutOut(*t, line, caller, now));
  if (absl::Status eligible = CheckEligible(*t, caller, session->proto()); !eligible.ok()) {
    line.denial_reason = ReasonOf(eligible);
    line.detail = std::string(ToStd(eligible.message()));
    RETURN_IF_ERROR(audit_log::CommitRefusal(*t, line));
    return eligible;
  }
  RETURN_IF_ERROR(session->Review(caller.person()->principal, request.note(), now));
  RETURN_IF_ERROR(sessions::Update(*t, *session, line));
  admin::v1::ReviewSessionResponse response;
  ASSIGN_OR_RETURN(const auto recorded, recordings_.Read());
  ASSIGN_OR_RETURN(*response.mutable_session(), records::WithCalls(*recorded, *session));
  RETURN_IF_ERROR(t->Commit());
  return response;
}

}  // namespace sallyport::controlplane
