#include "controlplane/store/history.h"

#include <string_view>

#include "common/status_macros.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/store/calls.h"

namespace sallyport::controlplane::history {
namespace {

// ?1 to ?5: the principal, the server and the session that does not count itself.
#define OF_PRINCIPAL \
  "s.realm = ?1 and s.kind = ?2 and s.subject = ?3 and s.server = ?4 and s.id <> ?5"

Statement& Bind(Statement& statement, const Who& who) {
  const types::v1::Principal& principal = who.principal;
  return statement.Text(principal.realm())
      .Int(principal.kind())
      .Text(principal.subject())
      .Text(who.server)
      .Text(who.session_id);
}

absl::Status AddSessions(Transaction& t, const Who& who, types::v1::PrincipalHistory& history) {
  Statement count = t.Prepare(
      "select count(s.expires_at), coalesce(sum(s.calls), 0), count(*) filter (where s.state = 4), "
      "max(s.created_at) from sessions s where " OF_PRINCIPAL);
  Bind(count, who);
  RETURN_IF_ERROR(count.Step().status());
  history.set_sessions(static_cast<uint64_t>(count.integer(0)));
  history.set_calls(static_cast<uint64_t>(count.integer(1)));
  history.set_sessions_denied(static_cast<uint64_t>(count.integer(2)));
  if (!count.is_null(3)) *history.mutable_last_session_at() = ToProto(count.time(3));
  return absl::OkStatus();
}

absl::Status AddApprovals(Transaction& t, const Who& who, types::v1::PrincipalHistory& history) {
  // Those of this session's earlier calls count too.
  Statement count = t.Prepare(
      "select count(*) filter (where a.state in (2, 6, 7)), count(*) filter (where a.state = 3) "
      "from approvals a join sessions s on s.id = a.session_id where s.realm = ? and s.kind = ? "
      "and s.subject = ? and s.server = ?");
  const types::v1::Principal& principal = who.principal;
  count.Text(principal.realm()).Int(principal.kind()).Text(principal.subject()).Text(who.server);
  RETURN_IF_ERROR(count.Step().status());
  history.set_approvals_granted(static_cast<uint64_t>(count.integer(0)));
  history.set_approvals_denied(static_cast<uint64_t>(count.integer(1)));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<types::v1::PrincipalHistory> Of(Transaction& t, const Who& who,
                                               std::string_view method, std::string_view target) {
  types::v1::PrincipalHistory history;
  RETURN_IF_ERROR(AddSessions(t, who, history));
  RETURN_IF_ERROR(AddApprovals(t, who, history));
  if (method.empty()) return history;
  ASSIGN_OR_RETURN(const calls::Frequency same,
                   calls::FrequencyOf(t, who.principal, who.server, method, target));
  history.set_same_calls(same.calls);
  if (same.calls > 0) *history.mutable_last_same_call_at() = ToProto(same.last);
  return history;
}

}  // namespace sallyport::controlplane::history
