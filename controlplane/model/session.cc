#include "controlplane/model/session.h"

#include <utility>

#include "common/denial.h"
#include "common/json_printer.h"
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
  proto.set_client_address(std::move(request.client_address));
  *proto.mutable_created_at() = ToProto(request.created_at);
  stored.request_id = std::move(request.request_id);
  stored.duration = request.duration;
  stored.issuer_id = std::move(request.issuer_id);
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

absl::Status Session::Activate(const Admission& admission, absl::Time now) {
  if (!is_pending()) return NotFrom(*this, "activated");
  Admit(stored_, admission, now);
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

absl::Status Session::ReportCalls(uint64_t calls) {
  if (is_pending() || state() == types::v1::SESSION_STATE_DENIED || stored_.is_reported)
    return NotFrom(*this, "reported");
  stored_.proto.set_calls(calls);
  stored_.is_reported = true;
  return absl::OkStatus();
}

}  // namespace sallyport::controlplane
