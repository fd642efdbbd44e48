#include "controlplane/recordings/verify_recording.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/chain/chain.h"
#include "common/denial.h"
#include "common/json_printer.h"
#include "common/status_macros.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/store/audit_log.h"

namespace sallyport::controlplane {
namespace {

using types::v1::Record;

bool MayVerify(const Caller& caller) {
  const PersonCaller* person = caller.person();
  return caller.is_admin() || (person != nullptr && person->may_manage && person->is_auditor);
}

chain::StoredLink LinkOf(const Record& record) {
  return {.session_id = record.session_id(),
          .n = record.n(),
          .type = static_cast<std::uint32_t>(record.type()),
          .time_unix_nanos = record.time_unix_nanos(),
          .salt = record.salt(),
          .payload = record.payload(),
          .payload_digest = record.payload_digest(),
          .hash = record.hash()};
}

// The chain's own rules, and that nothing follows an END.
class RecordingCheck {
 public:
  explicit RecordingCheck(std::string_view session_id) : chain_(session_id) {}

  void Take(const Record& record) {
    ++records_;
    if (fault_.has_value()) return;
    if (has_end_) {
      fault_ = chain::Fault{record.n(), "record after the END"};
    } else {
      fault_ = chain_.Check(LinkOf(record));
    }
    has_end_ = record.type() == types::v1::RECORD_TYPE_END;
  }

  // What comes next cannot be read any more.
  void TakeUnreadable() {
    if (!fault_.has_value()) fault_ = chain::Fault{chain_.head().n() + 1, "it cannot be read"};
  }

  // A session that is over and was ever active has its END record.
  void RequireEnd() {
    if (fault_.has_value() || has_end_) return;
    fault_ = chain::Fault{chain_.head().n() + 1, "the END record is missing"};
  }

  uint64_t records() const { return records_; }
  bool has_end() const { return has_end_; }
  const std::optional<chain::Fault>& fault() const { return fault_; }

 private:
  chain::ChainVerifier chain_;
  std::optional<chain::Fault> fault_;
  uint64_t records_ = 0;
  bool has_end_ = false;
};

// Within it an agent that is connected has heard of the end, and has closed the recording.
constexpr absl::Duration kTimeToClose = absl::Minutes(1);

// One that no agent ever had has no records.
bool MustHaveEnd(const types::v1::Session& session) {
  return session.state() == types::v1::SESSION_STATE_ENDED && session.has_opened_at() &&
         !session.agent().empty();
}

// Why records may still come after the last one that is here. Empty: none may.
std::string WhyOpen(const RecordingSubject& subject) {
  if (!subject.is_session) {
    return "an agent's own chain has no END record: these records are proven, and whether more "
           "were made after them is not";
  }
  const types::v1::SessionState state = subject.session.state();
  std::string how_it_is = "is " + EnumWord(state);
  if (MustHaveEnd(subject.session)) {
    how_it_is =
        "has ended, and its agent " + subject.session.agent() + " has not closed the recording yet";
  } else if (state != types::v1::SESSION_STATE_PENDING &&
             state != types::v1::SESSION_STATE_ACTIVE) {
    return {};
  }
  return absl::StrCat("the session ", how_it_is,
                      ": these records are proven, and whether more were made after them is not "
                      "until its END record is here");
}

}  // namespace

absl::StatusOr<bool> VerifyRecording::MayStillBeClosed(const RecordingSubject& subject) const {
  const types::v1::Session& session = subject.session;
  if (subject.is_closed) return false;
  if (is_connected_(session.agent()) &&
      FromProto(session.ended_at()) + kTimeToClose <= clock_.Now()) {
    return false;
  }
  ASSIGN_OR_RETURN(const auto t, control_.Read());
  ASSIGN_OR_RETURN(const bool is_damaged, audit_log::Has(*t, "recording.damaged", session.id()));
  return !is_damaged;
}

absl::StatusOr<admin::v1::VerifySessionResponse> VerifyRecording::Run(
    const Caller& caller, const admin::v1::VerifySessionRequest& request) {
  if (!MayVerify(caller)) {
    return Denied(types::v1::DENIAL_REASON_ROLE_MISSING,
                  "recordings are verified by admins and auditors");
  }
  // Before the records: an END that arrives in between is then there, and not missed.
  ASSIGN_OR_RETURN(const RecordingSubject subject,
                   FindRecording(control_, recordings_, request.id()));
  RecordingCheck check(request.id());
  const absl::Status read = ForEachRecord(recordings_, request.id(), [&](Record& record) {
    check.Take(record);
    return true;
  });
  if (absl::IsDataLoss(read)) {
    check.TakeUnreadable();
  } else {
    RETURN_IF_ERROR(read);
  }
  std::string why_open = check.has_end() ? "" : WhyOpen(subject);
  if (MustHaveEnd(subject.session) && !check.has_end()) {
    ASSIGN_OR_RETURN(const bool may_be_closed, MayStillBeClosed(subject));
    if (!may_be_closed) check.RequireEnd();
  }

  admin::v1::VerifySessionResponse response;
  response.set_session_id(request.id());
  response.set_records(check.records());
  response.set_valid(!check.fault().has_value());
  if (check.fault().has_value()) {
    response.set_first_bad_record(check.fault()->n);
    response.set_reason(check.fault()->reason);
  } else if (!why_open.empty()) {
    response.set_is_open(true);
    response.set_reason(std::move(why_open));
  }
  return response;
}

}  // namespace sallyport::controlplane
