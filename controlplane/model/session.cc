#include "controlplane/model/session.h"

#include <algorithm>
#include <utility>

#include "common/denial.h"
#include "common/json_printer.h"
#include "common/status_macros.h"
#include "controlplane/model/proto_time.h"

namespace sallyport::controlplane {
namespace {

using types::v1::DENIAL_REASON_SESSION_ENDED;

Session::Stored NewSession(Session::Request request, types::v1::SessionState state) {
  Session::Stored stored;
  types::v1::Session& proto = stored.proto;
  proto.set_id(std::move(request.id));
  proto.set_server(std::move(request.server));
  proto.set_agent(std::move(request.agent));
  *proto.mutable_principal() = std::move(request.principal);
  proto.set_state(state);
  proto.set_reason(std::move(request.reason));
  *proto.mutable_terms() = std::move(request.terms);
  if (request.observed) *proto.mutable_observed() = *std::move(request.observed);
  proto.set_client_address(std::move(request.client_address));
  *proto.mutable_created_at() = ToProto(request.created_at);
  stored.request_id = std::move(request.request_id);
  stored.duration = request.duration;
  stored.issuer_id = std::move(request.issuer_id);
  stored.signing_key = std::move(request.signing_key);
  stored.policies = request.policies;
  return stored;
}

void Admit(Session::Stored& stored, const Admission& admission, absl::Time now) {
  stored.proto.set_state(types::v1::SESSION_STATE_ACTIVE);
  *stored.proto.mutable_opened_at() = ToProto(now);
  *stored.proto.mutable_expires_at() = ToProto(admission.expires_at);
  stored.window_id = admission.window_id;
  stored.call_budget = admission.call_budget;
}

absl::Status NotFrom(const Session& session, std::string_view transition) {
  std::string message = "session " + session.id() + " cannot be ";
  message.append(transition).append(": it is ").append(EnumWord(session.state()));
  return Denied(DENIAL_REASON_SESSION_ENDED, message);
}

}  // namespace

Session Session::Pending(Request request, std::string approval_id) {
  Session session(NewSession(std::move(request), types::v1::SESSION_STATE_PENDING));
  session.stored_.proto.set_approval_id(std::move(approval_id));
  return session;
}

Session Session::Active(Request request, const Admission& admission) {
  const absl::Time now = request.created_at;
  Session session(NewSession(std::move(request), types::v1::SESSION_STATE_ACTIVE));
  Admit(session.stored_, admission, now);
  return session;
}

bool Session::IsActiveAt(absl::Time now) const {
  return state() == types::v1::SESSION_STATE_ACTIVE && now < expires_at();
}

absl::Time Session::expires_at() const {
  return stored_.proto.has_expires_at() ? FromProto(stored_.proto.expires_at())
                                        : absl::InfinitePast();
}

absl::Status Session::TakeTerms(const types::v1::EffectiveTerms& terms, PolicyVersion policies) {
  if (!is_pending()) return NotFrom(*this, "judged again");
  *stored_.proto.mutable_terms() = terms;
  stored_.duration = std::min(stored_.duration, FromProto(terms.max_duration()));
  stored_.policies = policies;
  return absl::OkStatus();
}

absl::Status Session::AskFor(absl::Duration duration) {
  if (!is_pending()) return NotFrom(*this, "asked for otherwise");
  stored_.duration = std::min(duration, FromProto(stored_.proto.terms().max_duration()));
  return absl::OkStatus();
}

absl::Status Session::SayWhy(std::string_view reason) {
  if (!is_pending()) return NotFrom(*this, "asked for otherwise");
  stored_.proto.set_reason(std::string(reason));
  return absl::OkStatus();
}

absl::Status Session::AskAnew(std::string_view approval_id,
                              const std::optional<types::v1::ObservedOpening>& observed) {
  if (!is_pending()) return NotFrom(*this, "asked for anew");
  stored_.proto.set_approval_id(std::string(approval_id));
  stored_.proto.clear_observed();
  if (observed) *stored_.proto.mutable_observed() = *observed;
  return absl::OkStatus();
}

absl::Status Session::Activate(const Admission& admission, absl::Time now,
                               const std::vector<std::string>& approved_by) {
  if (!is_pending()) return NotFrom(*this, "activated");
  Admit(stored_, admission, now);
  stored_.proto.mutable_approved_by()->Assign(approved_by.begin(), approved_by.end());
  return absl::OkStatus();
}

absl::Status Session::BreakGlass(const Admission& admission, std::string_view reason,
                                 absl::Duration allowed, absl::Time now) {
  RETURN_IF_ERROR(Activate(admission, now));
  types::v1::EffectiveTerms& terms = *stored_.proto.mutable_terms();
  *terms.mutable_break_glass() = ToProto(allowed);
  *stored_.proto.mutable_break_glass()->mutable_skipped_approvers() = terms.approval().approvers();
  stored_.proto.set_reason(std::string(reason));
  return absl::OkStatus();
}

absl::Status Session::Deny(types::v1::DenialReason reason, std::string_view detail,
                           absl::Time now) {
  if (!is_pending()) return NotFrom(*this, "denied");
  stored_.proto.set_state(types::v1::SESSION_STATE_DENIED);
  stored_.proto.set_denial_reason(reason);
  stored_.proto.set_detail(std::string(detail));
  *stored_.proto.mutable_ended_at() = ToProto(now);
  return absl::OkStatus();
}

absl::Status Session::End(types::v1::EndReason reason, std::string_view detail, absl::Time now) {
  if (!is_pending() && state() != types::v1::SESSION_STATE_ACTIVE) return NotFrom(*this, "ended");
  // Nothing was ever granted on it, so there is nothing to report.
  if (is_pending() || stored_.proto.agent().empty()) stored_.is_reported = true;
  stored_.proto.set_state(types::v1::SESSION_STATE_ENDED);
  stored_.proto.set_end_reason(reason);
  stored_.proto.set_detail(std::string(detail));
  *stored_.proto.mutable_ended_at() = ToProto(now);
  return absl::OkStatus();
}

absl::Status Session::FixAgent(std::string_view agent) {
  if (!is_pending() && state() != types::v1::SESSION_STATE_ACTIVE) return NotFrom(*this, "served");
  if (!stored_.proto.agent().empty()) {
    return Denied(types::v1::DENIAL_REASON_CLIENT_MISMATCH,
                  "session " + id() + " is served by another agent");
  }
  stored_.proto.set_agent(std::string(agent));
  return absl::OkStatus();
}

absl::Status Session::Renew(std::string_view issuer_id, std::string_view signing_key,
                            absl::Time now) {
  if (!IsActiveAt(now)) return NotFrom(*this, "renewed");
  stored_.issuer_id = std::string(issuer_id);
  stored_.signing_key = std::string(signing_key);
  return absl::OkStatus();
}

absl::Status Session::Review(const types::v1::Principal& by, std::string_view note,
                             absl::Time now) {
  if (!stored_.proto.has_break_glass())
    return absl::FailedPreconditionError("session " + id() + " did not break glass");
  if (!is_unreviewed())
    return absl::FailedPreconditionError("session " + id() + " has been reviewed already");
  if (state() != types::v1::SESSION_STATE_ENDED)
    return absl::FailedPreconditionError("session " + id() + " is reviewed when it has ended");
  types::v1::SessionReview& review = *stored_.proto.mutable_break_glass()->mutable_review();
  *review.mutable_by() = by;
  review.set_note(std::string(note));
  *review.mutable_at() = ToProto(now);
  return absl::OkStatus();
}

void Session::SetUnaddressed(const std::vector<std::string>& approvers) {
  stored_.proto.mutable_break_glass()->mutable_unaddressed_approvers()->Assign(approvers.begin(),
                                                                               approvers.end());
}

void Session::SetNoticeAlarm(std::string_view why) {
  stored_.proto.mutable_break_glass()->set_notice_alarm(std::string(why));
}

absl::Status Session::ReportCalls(uint64_t calls) {
  if (is_pending() || state() == types::v1::SESSION_STATE_DENIED || stored_.is_reported)
    return NotFrom(*this, "reported");
  stored_.proto.set_calls(calls);
  stored_.is_reported = true;
  return absl::OkStatus();
}

}  // namespace sallyport::controlplane
